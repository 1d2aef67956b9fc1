//! Step 5: the conditions of a federation.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;
use wanqu_crds::kinds::Federation;
use wanqu_model::names::JurisdictionId;

use super::dereference::{Inputs, Member, StoredBundle};
use crate::compilation::{Compilation, ObjectState, Verdict};
use crate::framework::Guarded;
use crate::framework::conditions::{Claim, Reason, Type, holds};
use crate::framework::findings::message;

/// The most problems of other resources that a federation's own condition names.
const NAMED: usize = 8;

/// Returns the members whose `ConfigMap`, where it is watched, holds the latest bundle.
pub(super) async fn current(members: &[Member], compilation: Option<&Arc<Compilation>>) -> BTreeSet<JurisdictionId> {
    let mut current = BTreeSet::new();
    for member in members {
        let fits = match (&member.bundle, compilation) {
            (StoredBundle::NotWatched, _) => true,
            (StoredBundle::Digest(digest), Some(compilation)) => {
                compilation.bundle_aside(&member.id).await.is_some_and(|made| made.digest == *digest)
            }
            (StoredBundle::Missing, _) | (StoredBundle::Digest(_), None) => false,
        };
        if fits {
            current.insert(member.id.clone());
        }
    }
    current
}

/// Returns the conditions of a Federation.
pub(super) fn claims(
    object: &Guarded<Federation>,
    inputs: &Inputs,
    compilation: Option<&Compilation>,
    current: &BTreeSet<JurisdictionId>,
) -> Vec<Claim> {
    let Some(compilation) = compilation else {
        let message = "it has not been compiled yet";
        return vec![Claim::unknown(Type::Ready, Reason::Waiting, message)];
    };
    if compilation.federation != object.name_any() {
        let message = match compilation.verdict(&ObjectState::of(object)) {
            Verdict::Invalid(findings) => message(&findings),
            Verdict::Valid | Verdict::NotCompiled => format!(
                "Federation {} is older, and a namespace has one Federation; delete one of them",
                compilation.federation
            ),
        };
        let no = |of| Claim::no(of, Reason::Invalid, message.clone());
        return vec![no(Type::Valid), no(Type::Ready)];
    }
    let valid = valid(inputs, compilation);
    let bundles = bundles(&inputs.members, compilation, current);
    let unready: Vec<&Member> =
        inputs.members.iter().filter(|m| !holds(&m.status.conditions, Type::Ready, m.generation)).collect();
    let ready = if valid.holds != Some(true) {
        Claim { of: Type::Ready, ..valid.clone() }
    } else if let Some(member) = unready.first() {
        let more = if unready.len() > 1 { format!(" (and {} more)", unready.len() - 1) } else { String::new() };
        let message = format!("Jurisdiction {} ({}) is not ready{more}: {}", member.name, member.id, why(member));
        Claim::no(Type::Ready, Reason::MemberNotReady, message)
    } else if bundles.holds != Some(true) {
        Claim { of: Type::Ready, ..bundles.clone() }
    } else {
        let message = format!("{} members are ready and run the latest bundle", inputs.members.len());
        Claim::yes(Type::Ready, Reason::AsDeclared, message)
    };
    vec![valid, bundles, ready]
}

fn valid(inputs: &Inputs, compilation: &Compilation) -> Claim {
    if compilation.is_current() {
        let message = format!("{} resources compile", inputs.states.len());
        return Claim::yes(Type::Valid, Reason::Compiled, message);
    }
    let mut lines: Vec<String> = compilation.findings.iter().take(NAMED).map(ToString::to_string).collect();
    if compilation.findings.len() > NAMED {
        lines.push(format!("and {} more", compilation.findings.len() - NAMED));
    }
    Claim::no(Type::Valid, Reason::Invalid, lines.join("\n"))
}

fn bundles(members: &[Member], compilation: &Compilation, current: &BTreeSet<JurisdictionId>) -> Claim {
    if !compilation.is_current() {
        let message = if compilation.compiled().is_some() {
            "the federation does not compile; the nodes run what compiled last"
        } else {
            "the federation does not compile; nodes that run keep the bundle that they have"
        };
        return Claim::no(Type::BundleCurrent, Reason::Invalid, message);
    }
    let behind = |member: &&Member| {
        !current.contains(&member.id) || !holds(&member.status.conditions, Type::BundleCurrent, member.generation)
    };
    match members.iter().find(behind) {
        Some(member) => {
            let message = format!("the node of Jurisdiction {} does not have its bundle yet", member.name);
            Claim::no(Type::BundleCurrent, Reason::MemberNotReady, message)
        }
        None => Claim::yes(Type::BundleCurrent, Reason::AsDeclared, "every node has the latest bundle"),
    }
}

/// Returns why a member is not ready, as its own condition says it.
fn why(member: &Member) -> String {
    let ready = member.status.conditions.iter().find(|condition| condition.type_ == Type::Ready.as_str());
    ready.filter(|c| c.observed_generation == member.generation).map_or_else(
        || "it has not been reconciled yet".to_owned(),
        |condition| condition.message.lines().next().unwrap_or_default().to_owned(),
    )
}
