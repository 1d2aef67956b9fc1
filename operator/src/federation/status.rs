//! Step 5: how the federation stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;
use wanqu_crds::kinds::Federation;
use wanqu_model::names::JurisdictionId;

use super::dereference::{Inputs, Lying, Member};
use crate::framework::Guarded;
use crate::framework::conditions::{Claim, Reason, Type, holds};
use crate::framework::findings::told;
use crate::realm::{Realm, Seen, Verdict};

/// How many problems of other resources a federation's own condition names.
const NAMED: usize = 8;

/// The members for whom, where it can be seen, what was compiled last lies in the cluster.
pub(super) async fn current(members: &[Member], realm: Option<&Arc<Realm>>) -> BTreeSet<JurisdictionId> {
    let mut current = BTreeSet::new();
    for member in members {
        let fits = match (&member.bundle, realm) {
            (Lying::Unseen, _) => true,
            (Lying::Digest(digest), Some(realm)) => {
                realm.bundle_aside(&member.id).await.is_some_and(|made| made.digest == *digest)
            }
            (Lying::Nothing, _) | (Lying::Digest(_), None) => false,
        };
        if fits {
            current.insert(member.id.clone());
        }
    }
    current
}

/// What the conditions of a Federation say.
pub(super) fn claims(
    object: &Guarded<Federation>,
    inputs: &Inputs,
    realm: Option<&Realm>,
    current: &BTreeSet<JurisdictionId>,
) -> Vec<Claim> {
    let Some(realm) = realm else {
        let message = "it has not been compiled yet";
        return vec![Claim::unknown(Type::Ready, Reason::Waiting, message)];
    };
    if realm.federation != object.name_any() {
        let message = match realm.verdict(&Seen::of(object)) {
            Verdict::Faulty(findings) => told(&findings),
            Verdict::InOrder | Verdict::Unseen => format!("Federation {} is older", realm.federation),
        };
        let no = |of| Claim::no(of, Reason::Invalid, message.clone());
        return vec![no(Type::Valid), no(Type::Ready)];
    }
    let valid = valid(inputs, realm);
    let bundles = bundles(&inputs.members, realm, current);
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
        let message = format!("{} members are ready and run what is declared", inputs.members.len());
        Claim::yes(Type::Ready, Reason::AsDeclared, message)
    };
    vec![valid, bundles, ready]
}

fn valid(inputs: &Inputs, realm: &Realm) -> Claim {
    if realm.is_current() {
        let message = format!("{} resources compile", inputs.seen.len());
        return Claim::yes(Type::Valid, Reason::Compiled, message);
    }
    let mut lines: Vec<String> = realm.findings.iter().take(NAMED).map(ToString::to_string).collect();
    if realm.findings.len() > NAMED {
        lines.push(format!("and {} more", realm.findings.len() - NAMED));
    }
    Claim::no(Type::Valid, Reason::Invalid, lines.join("\n"))
}

fn bundles(members: &[Member], realm: &Realm, current: &BTreeSet<JurisdictionId>) -> Claim {
    if !realm.is_current() {
        let message = if realm.compiled().is_some() {
            "what is declared does not compile; the nodes run what compiled last"
        } else {
            "what is declared does not compile; nodes that run keep the bundle that they have"
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
        None => Claim::yes(Type::BundleCurrent, Reason::AsDeclared, "every node has what was compiled last"),
    }
}

/// Why a member is not ready, in its own words.
fn why(member: &Member) -> String {
    let ready = member.status.conditions.iter().find(|condition| condition.type_ == Type::Ready.as_str());
    ready.filter(|c| c.observed_generation == member.generation).map_or_else(
        || "its controller has not looked at it yet".to_owned(),
        |condition| condition.message.lines().next().unwrap_or_default().to_owned(),
    )
}
