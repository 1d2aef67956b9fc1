//! Step 2: whether a query may be asked, and where. Pure.

use std::sync::Arc;

use kube::ResourceExt;
use wanqu_crds::Schedule;
use wanqu_crds::kinds::{FederatedQuery, ResearchProject};
use wanqu_identity::{TokenIssuer, gateway_dns};
use wanqu_model::bundle::Subject;
use wanqu_model::names::Purpose;

use super::dereference::{Around, Home};
use crate::framework::conditions::{Claim, Reason, Type};
use crate::names::TOKEN_ISSUER;
use crate::placed::{self, Placed};

/// Where an accepted query is asked, and in whose name.
pub(super) struct Accepted {
    /// Who vouches for the requester.
    pub(super) issuer: Arc<TokenIssuer>,
    /// The requester.
    pub(super) requester: String,
    /// The namespace of the home node.
    pub(super) namespace: String,
    /// The Service of its gateway.
    pub(super) service: String,
    /// The name that the gateway's certificate carries.
    pub(super) server_name: String,
    /// The certificate authority that vouches for it.
    pub(super) ca: String,
    schedule: Option<Schedule>,
}

/// What is to be said of a query before it is asked.
pub(super) enum Verdict {
    /// It may be asked.
    Accepted(Accepted),
    /// It may not, or not yet.
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

    /// Whether the answer may be another one soon, without a change to the query.
    pub(super) fn waits(&self) -> bool {
        matches!(self, Self::Not(claim) if claim.holds.is_none())
    }
}

/// Judges a query.
pub(super) fn validate(query: &FederatedQuery, around: &Around) -> Verdict {
    judge(query, around).map_or_else(Verdict::Not, Verdict::Accepted)
}

fn judge(query: &FederatedQuery, around: &Around) -> Result<Accepted, Claim> {
    let spec = &query.spec;
    if !around.guarded {
        return Err(wait(
            Reason::Unguarded,
            "nobody sees to it that spec.requester is who created this object: install the ValidatingAdmissionPolicy of the \
             chart (admissionPolicy.enabled)",
        ));
    }
    let Some(federation) = &around.federation else {
        return Err(wait(Reason::NoFederation, "there is no Federation in this namespace that can be read"));
    };
    let Some(home) = &around.home else {
        return Err(no(format!(
            "spec.from: there is no Jurisdiction with the id {}; `kubectl get jurisdictions` lists those there are",
            spec.from
        )));
    };
    let schedule = spec.schedule.as_ref().map(|fields| Schedule::parse(fields, spec.time_zone.as_deref()));
    let schedule = schedule.transpose();
    let schedule = schedule.map_err(|error| no(format!("{}: {error}; {}", error.field(), error.remedy())))?;
    runs_here(home)?;
    takes_part(query, around.project.as_ref())?;
    let issuer = around.issuer.clone().ok_or_else(|| wait(Reason::Waiting, "the token issuer has no key yet"))?;
    let name = home.jurisdiction.name_any();
    let ca = home.ca.clone().filter(|_| home.ready);
    let ca = ca.ok_or_else(|| wait(Reason::MemberNotReady, format!("the node of Jurisdiction {name} is not ready")))?;
    let own = query.namespace().unwrap_or_default();
    Ok(Accepted {
        issuer,
        requester: spec.requester.clone(),
        namespace: placed::namespace(&home.jurisdiction, &own).unwrap_or(own),
        service: format!("{name}-gateway"),
        server_name: gateway_dns(&federation.spec.trust_domain, &spec.from),
        ca,
        schedule,
    })
}

/// The operator asks only nodes that it can reach and whose researchers it may vouch for.
fn runs_here(home: &Home) -> Result<(), Claim> {
    let (spec, name) = (&home.jurisdiction.spec, home.jurisdiction.name_any());
    if !Placed::of(&home.jurisdiction).is_here() {
        return Err(no(format!(
            "spec.from: the node of Jurisdiction {name} runs in another cluster; create the query there, or ask from a \
             jurisdiction whose node runs here"
        )));
    }
    if !spec.issuers.iter().any(|issuer| issuer.issuer == TOKEN_ISSUER) {
        return Err(no(format!(
            "spec.from: Jurisdiction {name} does not accept the issuer {TOKEN_ISSUER}; its custodian can add it to \
             spec.issuers, with the trust domain as its audience"
        )));
    }
    Ok(())
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
    let requester = Subject { issuer: TOKEN_ISSUER.to_owned(), subject: spec.requester.clone() };
    if !project.spec.subjects.contains(&requester) {
        return Err(no(format!(
            "spec.requester: {} does not take part in ResearchProject {name}; its steward can add the subject, of issuer \
             {TOKEN_ISSUER}",
            spec.requester
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
