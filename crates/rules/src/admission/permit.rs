//! Permission to ask: the checks of envelope, requester, project, purpose and agreement, before the query itself is read.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use wanqu_model::bundle::{Agreement, AgreementState, NodeBundle, Project, Slice};
use wanqu_model::names::{JurisdictionId, Purpose, TableRef};
use wanqu_model::refusal::{Code, Refusal};

use super::Request;
use super::admitted::GrantedAgreement;
use crate::catalog::CatalogTable;
use crate::envelope::{ENVELOPE_VERSION, Envelope, node_itself};

/// Greatest difference between the clocks of two nodes.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

fn refusal(code: Code, message: &str, rule: &str, remedy: &str, bundle: &NodeBundle) -> Refusal {
    Refusal::new(code, message).with_rule(rule).with_remedy(remedy).with_owner(bundle.jurisdiction.clone())
}

/// Checks that an envelope is for this node, from the peer of the connection, and within its times.
pub(super) fn envelope(request: &Request<'_>, bundle: &NodeBundle, now: Timestamp) -> Result<(), Refusal> {
    let Request { envelope, peer } = request;
    if envelope.version != ENVELOPE_VERSION {
        return Err(refusal(
            Code::Envelope,
            "the envelope has a version that this node does not read",
            &format!("envelopes have version {ENVELOPE_VERSION}"),
            "run the same release of the query node at both ends",
            bundle,
        ));
    }
    if envelope.from != **peer {
        return Err(refusal(
            Code::Identity,
            "the envelope names another jurisdiction than the connection's certificate",
            "an envelope comes from the jurisdiction whose certificate the connection shows",
            "send it from that jurisdiction's own node",
            bundle,
        )
        .with_subject(envelope.from.to_string()));
    }
    if envelope.to != bundle.jurisdiction {
        return Err(refusal(
            Code::Envelope,
            "the envelope is for another jurisdiction",
            "a node answers envelopes that name it",
            "send it to the node that it names",
            bundle,
        )
        .with_subject(envelope.to.to_string()));
    }
    if !bundle.members.iter().any(|member| member.jurisdiction == **peer) {
        return Err(refusal(
            Code::Identity,
            "the peer is not a member of the federation",
            "members of the federation ask each other",
            "join the federation first",
            bundle,
        )
        .with_subject(peer.to_string()));
    }
    requester(envelope, bundle)?;
    let in_time = envelope.deadline > now
        && envelope.issued_at <= now.saturating_add(CLOCK_SKEW).unwrap_or(now)
        && envelope.issued_at < envelope.deadline;
    if !in_time {
        return Err(refusal(
            Code::Envelope,
            "the envelope is past its deadline, or dated in the future",
            "an envelope is issued before it is received, and received before its deadline",
            "ask again; if it happens again, compare the clocks of both nodes",
            bundle,
        ));
    }
    Ok(())
}

/// Checks project, requester and purpose for non-public tables. Returns the agreement that covers them; `None` for the
/// owner's own researchers, who need none.
pub(super) fn non_public(
    request: &Request<'_>,
    tables: &[Arc<CatalogTable>],
    bundle: &NodeBundle,
    now: Timestamp,
) -> Result<Option<GrantedAgreement>, Refusal> {
    let envelope = request.envelope;
    let project = project(envelope, bundle)?;
    let purpose = purpose(envelope, project, bundle)?;
    if envelope.from == bundle.jurisdiction {
        return Ok(None);
    }
    let agreement = agreement(envelope, bundle)?;
    in_force(agreement, now, bundle)?;
    if !agreement.purposes.contains(purpose) {
        return Err(refusal(
            Code::Purpose,
            "the agreement does not allow this purpose",
            &format!("agreement {} allows {}", agreement.name, listed(&agreement.purposes)),
            "ask for a purpose that both the agreement and the project allow",
            bundle,
        )
        .with_subject(purpose.to_string()));
    }
    if !project.agreements.contains(&agreement.name) {
        return Err(refusal(
            Code::Requester,
            "the project does not rest on this agreement",
            &format!("project {} rests on {}", project.name, listed(&project.agreements)),
            "have the agreement added to the project",
            bundle,
        )
        .with_subject(agreement.name.to_string()));
    }
    covered(agreement, tables, bundle)?;
    Ok(Some(GrantedAgreement { name: agreement.name.clone(), digest: agreement.digest.clone() }))
}

/// Checks that the home can have authenticated the requester. A home is believed when it names a researcher of its own issuers, and
/// never when it names another home's.
fn requester(envelope: &Envelope, bundle: &NodeBundle) -> Result<(), Refusal> {
    let (home, requester) = (&envelope.from, &envelope.requester);
    // A node fetches public tables in its own name.
    if *requester == node_itself(home) || bundle.is_issuer_of(home, &requester.issuer) {
        return Ok(());
    }
    let issuers: Vec<&str> = bundle.issuers_of(home).map(|issuer| issuer.issuer.as_str()).collect();
    let rule = format!(
        "a home asks for researchers of its own issuers; those of {home} are known here as {}",
        listed(&issuers)
    );
    Err(refusal(
        Code::Requester,
        &format!("the requester's issuer is none of {home}"),
        &rule,
        &format!(
            "ask at the home whose issuer it is, or have it added to the issuers of {home}'s Jurisdiction at the owner"
        ),
        bundle,
    )
    .with_subject(requester.issuer.clone()))
}

fn listed<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "nothing".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn project<'a>(envelope: &Envelope, bundle: &'a NodeBundle) -> Result<&'a Project, Refusal> {
    let Some(name) = &envelope.project else {
        return Err(refusal(
            Code::Requester,
            "no project is named",
            "non-public data is read within a research project",
            "name a project with --project",
            bundle,
        ));
    };
    let project = bundle.projects.iter().find(|project| project.name == *name);
    let member = project.is_some_and(|project| bundle.takes_part(project, &envelope.from, &envelope.requester));
    match project {
        Some(project) if member => Ok(project),
        // One refusal for both: nobody outside a project learns that there is one.
        _ => Err(refusal(
            Code::Requester,
            "no project of this name lists the requester here",
            &format!(
                "non-public data is read by the subjects of a project that the owner knows, each from their own home: this is {} \
                 of {} from {}",
                envelope.requester.subject, envelope.requester.issuer, envelope.from
            ),
            "have yourself added to the project's subjects, with this home, at the owner too",
            bundle,
        )
        .with_subject(name.to_string())),
    }
}

fn purpose<'a>(envelope: &'a Envelope, project: &Project, bundle: &NodeBundle) -> Result<&'a Purpose, Refusal> {
    let rule = || format!("project {} is for {}", project.name, listed(&project.purposes));
    let remedy = "name one of the project's purposes with --purpose";
    match &envelope.purpose {
        None => Err(refusal(Code::Purpose, "no purpose is named", &rule(), remedy, bundle)),
        Some(purpose) if !project.purposes.contains(purpose) => {
            Err(refusal(Code::Purpose, "the project is not for this purpose", &rule(), remedy, bundle)
                .with_subject(purpose.to_string()))
        }
        Some(purpose) => Ok(purpose),
    }
}

/// Returns the agreement that the envelope names: from this jurisdiction to the one that asks, with the same content
/// here.
fn agreement<'a>(envelope: &Envelope, bundle: &'a NodeBundle) -> Result<&'a Agreement, Refusal> {
    let (owner, asks) = (&bundle.jurisdiction, &envelope.from);
    let from_to = |a: &&Agreement, from: &JurisdictionId, to: &JurisdictionId| a.from == *from && a.to == *to;
    let mut ours = bundle.agreements.iter().filter(|a| from_to(a, owner, asks)).peekable();
    let rule = format!("an agreement from {owner} to {asks} permits it, and both ends hold the same text of it");
    let none = ours.peek().is_none();
    let reversed = bundle.agreements.iter().any(|a| from_to(&a, asks, owner));
    let found = envelope.agreement.as_ref().and_then(|digest| ours.find(|a| a.digest == *digest));
    let message = match (&envelope.agreement, found) {
        (_, Some(agreement)) => return Ok(agreement),
        (_, None) if none && reversed => "the agreement between the two permits the other direction only",
        (_, None) if none => "there is no agreement between the two",
        (None, None) => "the envelope names no agreement",
        (Some(_), None) => "the owner does not hold the agreement that the envelope names",
    };
    Err(refusal(
        Code::NoAgreement,
        message,
        &rule,
        "have both ends agree on a DataSharingAgreement in this direction, and hold the same one",
        bundle,
    )
    .with_subject(format!("{owner} to {asks}")))
}

fn in_force(agreement: &Agreement, now: Timestamp, bundle: &NodeBundle) -> Result<(), Refusal> {
    let (message, remedy) = match agreement.state {
        AgreementState::Active if now < agreement.not_before => {
            ("the agreement does not hold yet", "ask again once it holds")
        }
        AgreementState::Active if now >= agreement.expires => {
            ("the agreement has expired", "have both ends agree on a new one")
        }
        AgreementState::Active => return Ok(()),
        AgreementState::Requested => {
            ("the agreement is requested, and the other end has not agreed to it", "ask the other end to agree to it")
        }
        AgreementState::Agreed => ("the agreement is not in force yet", "have both ends make it active"),
        AgreementState::Suspended => ("the agreement is suspended", "ask its parties when it will be active again"),
        AgreementState::Terminated => ("the agreement has ended", "have both ends agree on a new one"),
    };
    let rule = format!("agreement {} must be active, and within its dates", agreement.name);
    Err(refusal(Code::NoAgreement, message, &rule, remedy, bundle).with_subject(agreement.name.to_string()))
}

/// Checks that every non-public table is covered, by its own name or by the common table's that the fragment used.
fn covered(agreement: &Agreement, tables: &[Arc<CatalogTable>], bundle: &NodeBundle) -> Result<(), Refusal> {
    for slice in tables.iter().flat_map(|table| &table.slices).filter(|slice| !slice.is_public()) {
        if !names_of(slice, bundle).any(|name| agreement.tables.contains(name)) {
            return Err(refusal(
                Code::NoAgreement,
                "the agreement does not cover this table",
                &format!("agreement {} covers {}", agreement.name, listed(&agreement.tables)),
                "leave the table out, or have the agreement extended",
                bundle,
            )
            .with_subject(slice.table.to_string()));
        }
    }
    Ok(())
}

/// Returns the name that the fragment used, and the dataset's own.
fn names_of<'a>(slice: &'a Slice, bundle: &'a NodeBundle) -> impl Iterator<Item = &'a TableRef> {
    let own = bundle
        .slices
        .iter()
        .filter(|s| s.dataset == slice.dataset && s.jurisdiction == slice.jurisdiction && !s.table.is_common());
    std::iter::once(&slice.table).chain(own.map(|s| &s.table))
}
