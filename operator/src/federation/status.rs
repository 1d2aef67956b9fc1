//! Step 5: the conditions of a federation.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;
use wanqu_crds::kinds::Federation;
use wanqu_model::names::JurisdictionId;

use super::dereference::{Inputs, Member, StoredBundle};
use crate::compilation::Compilation;
use crate::framework::conditions::{Claim, Reason, Type, holds};
use crate::framework::{Error, Guarded};

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
    issuing: Option<Claim>,
) -> Vec<Claim> {
    let Some(compilation) = compilation else {
        let message = "it has not been compiled yet";
        return vec![Claim::unknown(Type::Ready, Reason::Waiting, message)];
    };
    if compilation.federation != object.name_any() {
        return of_another(&compilation.federation);
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
    } else if let Some(fault) = issuing.as_ref().filter(|claim| claim.holds != Some(true)) {
        Claim { of: Type::Ready, ..fault.clone() }
    } else {
        let message = format!("{} members are ready and run the latest bundle", inputs.members.len());
        Claim::yes(Type::Ready, Reason::AsDeclared, message)
    };
    [valid, bundles].into_iter().chain(issuing).chain([ready]).collect()
}

/// Returns the condition of the operator's own key as an issuer of tokens; `None` if no member takes its tokens.
pub(super) fn issuing(has_key: bool, fault: Option<&Error>) -> Option<Claim> {
    match fault {
        Some(error) => {
            let message = format!("{error}; FederatedQueries wait until the operator has its key again");
            Some(Claim::no(Type::TokenIssuerReady, error.reason(), message))
        }
        None => has_key.then(|| {
            Claim::yes(Type::TokenIssuerReady, Reason::Issued, "the operator issues tokens for FederatedQueries")
        }),
    }
}

/// Returns the conditions of a Federation in the namespace of an older one. They do not depend on the compilation, which
/// may or may not have seen this one yet: the message would be another one from pass to pass.
fn of_another(older: &str) -> Vec<Claim> {
    let message = format!("Federation {older} is older, and a namespace has one Federation; delete one of them");
    let no = |of| Claim::no(of, Reason::Invalid, message.clone());
    vec![no(Type::Valid), no(Type::Ready)]
}

fn valid(inputs: &Inputs, compilation: &Compilation) -> Claim {
    if compilation.findings.is_empty() {
        let message = format!("{} resources compile", inputs.states.len());
        return Claim::yes(Type::Valid, Reason::Compiled, message);
    }
    let mut lines: Vec<String> = compilation.findings.iter().take(NAMED).map(ToString::to_string).collect();
    if compilation.findings.len() > NAMED {
        lines.push(format!("and {} more", compilation.findings.len() - NAMED));
    }
    let lacking: BTreeSet<_> = compilation.left_out.iter().map(|finding| (&finding.kind, &finding.name)).collect();
    lines.push(match lacking.len() {
        0 => "nodes run everything else".to_owned(),
        some => format!(
            "nodes run everything else; {some} objects lose something by it, and their condition Ready says what"
        ),
    });
    Claim::no(Type::Valid, Reason::Invalid, lines.join("\n"))
}

fn bundles(members: &[Member], compilation: &Compilation, current: &BTreeSet<JurisdictionId>) -> Claim {
    if !compilation.is_current() {
        // Nodes keep their bundle also where an operator that was started since does not know it.
        let message = "nothing can be compiled, and its condition Valid says why; nodes run what compiled last";
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Instant;

    use serde_json::json;
    use wanqu_crds::{Placements, Resources, manifests, partial};

    use super::*;
    use crate::compilation::ObjectState;

    const FEDERATION: &str = "
apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {name: gba}
spec: {trustDomain: gba.example, members: [HK]}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {name: hongkong}
spec: {id: HK, sqlName: hongkong}
";

    fn inputs() -> Inputs {
        Inputs { placements: Placements::default(), states: HashSet::new(), members: Vec::new() }
    }

    fn compilation(text: &str, states: HashSet<ObjectState>) -> Compilation {
        let outcome = partial(&manifests::parse(text, "x.yaml").unwrap(), &Placements::default());
        Compilation::new("gba", states, String::new(), outcome, None, Instant::now())
    }

    fn federation(name: &str) -> Guarded<Federation> {
        let object = json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "Federation", "metadata": {"name": name},
            "spec": {"trustDomain": "gba.example", "members": ["HK"]},
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_second_federation_has_the_same_message_before_and_after_a_compilation_has_seen_it() {
        let rival = federation("rival");
        let both = format!("{FEDERATION}---{}", FEDERATION.replace("name: gba", "name: rival"));
        let before = compilation(FEDERATION, HashSet::new());
        let after = compilation(&both, HashSet::from([ObjectState::of(&rival)]));
        assert!(after.findings.iter().any(|finding| finding.name == "rival"), "{:?}", after.findings);
        for compilation in [before, after] {
            let claims = claims(&rival, &inputs(), Some(&compilation), &BTreeSet::new(), None);
            let message = "Federation gba is older, and a namespace has one Federation; delete one of them";
            assert_eq!(claims, [Type::Valid, Type::Ready].map(|of| Claim::no(of, Reason::Invalid, message.to_owned())));
        }
    }

    #[test]
    fn a_federation_that_does_not_compile_says_the_same_of_its_bundles_after_a_restart_of_the_operator() {
        let gba = federation("gba");
        let outcome = || partial(&Resources::default(), &Placements::default());
        let good = compilation(FEDERATION, HashSet::new());
        let later = Compilation::new("gba", HashSet::new(), String::new(), outcome(), Some(&good), Instant::now());
        let restarted = Compilation::new("gba", HashSet::new(), String::new(), outcome(), None, Instant::now());
        assert!(later.compiled().is_some() && restarted.compiled().is_none());
        let said = [later, restarted].map(|c| claims(&gba, &inputs(), Some(&c), &BTreeSet::new(), None));
        assert_eq!(said[0], said[1]);
    }

    #[test]
    fn a_fault_is_told_and_says_nothing_of_bundles_that_are_current() {
        let (gba, broken) = (federation("gba"), FEDERATION.replace("[HK]", "[HK, MO]"));
        let claims = claims(&gba, &inputs(), Some(&compilation(&broken, HashSet::new())), &BTreeSet::new(), None);
        let told: Vec<_> = claims.iter().map(|claim| (claim.of, claim.holds, claim.reason)).collect();
        let expected = [
            (Type::Valid, Some(false), Reason::Invalid),
            (Type::BundleCurrent, Some(true), Reason::AsDeclared),
            (Type::Ready, Some(false), Reason::Invalid),
        ];
        assert_eq!(told, expected);
        assert!(claims[0].message.contains("there is no Jurisdiction with the id MO"), "{}", claims[0].message);
        assert!(claims[0].message.ends_with("nodes run everything else"), "{}", claims[0].message);
    }
}
