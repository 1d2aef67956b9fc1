//! Step 2: whether a query may be asked, and at which node. Pure.

use std::sync::Arc;

use kube::ResourceExt;
use wanqu_crds::Schedule;
use wanqu_crds::kinds::{FederatedQuery, ResearchProject, SubjectSpec};
use wanqu_identity::{TokenIssuer, gateway_dns};
use wanqu_model::names::Purpose;

use super::dereference::{Home, OwnTokens, References};
use crate::framework::conditions::{Claim, Reason, Type};
use crate::host::{self, Host};
use crate::names::TOKEN_ISSUER;

/// An accepted query: where it is asked, and in whose name.
pub(super) struct Accepted {
    /// The issuer of the requester's token.
    pub(super) issuer: Arc<TokenIssuer>,
    /// Claims of the requester's token.
    pub(super) tokens: OwnTokens,
    /// The requester.
    pub(super) requester: String,
    /// The namespace of the home node.
    pub(super) namespace: String,
    /// The Service of its gateway.
    pub(super) service: String,
    /// The name that the gateway's certificate carries.
    pub(super) server_name: String,
    /// The certificate authority of the gateway, PEM.
    pub(super) ca: String,
    schedule: Option<Schedule>,
}

/// Judgement of a query.
pub(super) enum Verdict {
    /// It may be asked.
    Accepted(Accepted),
    /// It may not be asked, or not yet: the condition `Accepted` says why.
    Not(Claim),
}

impl Verdict {
    pub(super) fn accepted(&self) -> Option<&Accepted> {
        match self {
            Self::Accepted(accepted) => Some(accepted),
            Self::Not(_) => None,
        }
    }

    /// The schedule, if it has one that can be read.
    pub(super) fn schedule(&self) -> Option<&Schedule> {
        self.accepted()?.schedule.as_ref()
    }

    /// Returns true if the verdict may change without a change of the query.
    pub(super) fn waits(&self) -> bool {
        matches!(self, Self::Not(claim) if claim.holds.is_none())
    }
}

/// Judges a query.
pub(super) fn validate(query: &FederatedQuery, references: &References) -> Verdict {
    judge(query, references).map_or_else(Verdict::Not, Verdict::Accepted)
}

fn judge(query: &FederatedQuery, references: &References) -> Result<Accepted, Claim> {
    let spec = &query.spec;
    if !references.guarded {
        return Err(wait(
            Reason::Unguarded,
            "no admission policy is known to hold spec.requester to the user who creates the query: install the chart's \
             ValidatingAdmissionPolicy (admissionPolicy.enabled), and let no other policy refuse the operator's own queries",
        ));
    }
    let Some(federation) = &references.federation else {
        return Err(wait(Reason::NoFederation, "there is no Federation in this namespace that can be read"));
    };
    let Some(home) = &references.home else {
        return Err(no(format!(
            "spec.from: there is no Jurisdiction with the id {}; `kubectl get jurisdictions` lists those there are",
            spec.from
        )));
    };
    let schedule = spec.schedule.as_ref().map(|fields| Schedule::parse(fields, spec.time_zone.as_deref()));
    let schedule = schedule.transpose();
    let schedule = schedule.map_err(|error| no(format!("{}: {error}; {}", error.field(), error.remedy())))?;
    let tokens = runs_here(home)?.clone();
    takes_part(query, references.project.as_ref())?;
    let issuer = references.issuer.clone().ok_or_else(|| wait(Reason::Waiting, "the token issuer has no key yet"))?;
    let name = home.jurisdiction.name_any();
    let ca = home.ca.clone().filter(|_| home.ready);
    let ca = ca.ok_or_else(|| {
        let why = home.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        wait(Reason::MemberNotReady, format!("the node of Jurisdiction {name} is not ready{why}"))
    })?;
    let own = query.namespace().unwrap_or_default();
    Ok(Accepted {
        issuer,
        tokens,
        requester: spec.requester.clone(),
        namespace: host::namespace(&home.jurisdiction, &own).unwrap_or(own),
        service: format!("{name}-gateway"),
        server_name: gateway_dns(&federation.spec.trust_domain, &spec.from),
        ca,
        schedule,
    })
}

/// Checks that the operator can reach the home node and may vouch for its researchers. Returns the claims of its tokens.
fn runs_here(home: &Home) -> Result<&OwnTokens, Claim> {
    let name = home.jurisdiction.name_any();
    if !Host::of(&home.jurisdiction).is_here() {
        return Err(no(format!(
            "spec.from: the node of Jurisdiction {name} runs in another cluster; create the query there, or ask from a \
             jurisdiction whose node runs here"
        )));
    }
    home.tokens.as_ref().ok_or_else(|| {
        no(format!(
            "spec.from: Jurisdiction {name} does not accept the issuer {TOKEN_ISSUER}; its custodian can add it to \
             spec.issuers"
        ))
    })
}

fn takes_part(query: &FederatedQuery, project: Option<&ResearchProject>) -> Result<(), Claim> {
    let spec = &query.spec;
    let (Some(name), Some(purpose)) = (&spec.project, &spec.purpose) else { return Ok(()) };
    let project = project.ok_or_else(|| {
        no(format!(
            "spec.project: there is no ResearchProject {name}; `kubectl get researchprojects` lists those there are"
        ))
    })?;
    if !project.spec.purposes.contains(purpose) {
        let purposes: Vec<&str> = project.spec.purposes.iter().map(Purpose::as_str).collect();
        return Err(no(format!(
            "spec.purpose: ResearchProject {name} does not ask for {purpose}; its purposes are {}",
            purposes.join(", ")
        )));
    }
    let is_requester = |s: &&SubjectSpec| {
        s.issuer == TOKEN_ISSUER
            && s.subject == spec.requester
            && s.jurisdiction.as_ref().is_none_or(|home| *home == spec.from)
    };
    if !project.spec.subjects.iter().any(|s| is_requester(&s)) {
        return Err(no(format!(
            "spec.requester: {} does not take part in ResearchProject {name} from {}; its steward can add the subject, of \
             issuer {TOKEN_ISSUER} and jurisdiction {}",
            spec.requester, spec.from, spec.from
        )));
    }
    Ok(())
}

fn no(message: impl Into<String>) -> Claim {
    Claim::no(Type::Accepted, Reason::Invalid, message)
}

fn wait(reason: Reason, message: impl Into<String>) -> Claim {
    Claim::unknown(Type::Accepted, reason, message)
}
