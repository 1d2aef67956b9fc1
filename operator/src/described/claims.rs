//! Conditions of a resource that describes.

use crate::compilation::Verdict;
use crate::framework::conditions::{Claim, Reason, Type};
use crate::framework::findings::message as message_of;

/// Returns the conditions of a resource in a namespace without a federation.
pub(super) fn without_federation(namespace: &str) -> Vec<Claim> {
    let message = format!("there is no Federation in namespace {namespace}; add one with its trustDomain and members");
    vec![
        Claim::unknown(Type::Valid, Reason::NoFederation, message.clone()),
        Claim::no(Type::Ready, Reason::NoFederation, message),
    ]
}

/// Returns the conditions of a resource that has been compiled: it is ready if it is valid and its own conditions are
/// true.
pub(super) fn claims(verdict: &Verdict, own_conditions: Vec<Claim>) -> Vec<Claim> {
    if let Verdict::Invalid(findings) = verdict {
        let message = message_of(findings);
        return vec![
            Claim::no(Type::Valid, Reason::Invalid, message.clone()),
            Claim::no(Type::Ready, Reason::Invalid, message),
        ];
    }
    let (valid, in_order) = match verdict {
        Verdict::LeftOut(why) => {
            let message = "it is valid by itself, and something that it rests on is not: its condition Ready says what";
            (message, Claim::no(Type::Ready, Reason::LeftOut, message_of(why)))
        }
        _ => (
            "it is valid, and so is everything that it refers to",
            // A node of which this is not so yet says so in the condition BundleCurrent of its Jurisdiction.
            Claim::yes(Type::Ready, Reason::AsDeclared, "it is valid, and in the latest bundles"),
        ),
    };
    let lacking =
        own_conditions.iter().find(|claim| claim.holds != Some(true)).filter(|_| in_order.holds == Some(true));
    let ready = lacking.map_or(in_order, |claim| Claim { of: Type::Ready, ..claim.clone() });
    let mut claims = vec![Claim::yes(Type::Valid, Reason::Compiled, valid)];
    claims.extend(own_conditions);
    claims.push(ready);
    claims
}

#[cfg(test)]
mod tests {
    use wanqu_crds::Finding;

    use super::*;

    fn finding(path: &str, remedy: &str) -> Finding {
        Finding {
            origin: None,
            kind: "Dataset".to_owned(),
            name: "visits".to_owned(),
            path: path.to_owned(),
            problem: "column age is measure".to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    #[test]
    fn a_fault_names_field_problem_and_remedy() {
        let found = vec![finding("spec.privacyUnit", "class it as identifier"), finding("", "")];
        let claims = claims(&Verdict::Invalid(found), Vec::new());
        assert_eq!(
            claims[0].message,
            "spec.privacyUnit: column age is measure; class it as identifier\ncolumn age is measure"
        );
        assert!(claims.iter().all(|claim| claim.holds == Some(false) && claim.reason == Reason::Invalid));
    }

    #[test]
    fn what_another_object_takes_from_one_is_told_with_its_name() {
        let lost = Finding { problem: "DisclosurePolicy strict is left out".to_owned(), ..finding("spec", "mend it") };
        let claims = claims(&Verdict::LeftOut(vec![lost]), Vec::new());
        let told: Vec<_> = claims.iter().map(|claim| (claim.of, claim.holds, claim.reason)).collect();
        assert_eq!(told, [(Type::Valid, Some(true), Reason::Compiled), (Type::Ready, Some(false), Reason::LeftOut)]);
        assert_eq!(claims[1].message, "spec: DisclosurePolicy strict is left out; mend it");
    }

    #[test]
    fn a_valid_resource_is_ready_unless_a_condition_of_its_own_does_not_hold() {
        let types = |claims: &[Claim]| claims.iter().map(|c| (c.of, c.holds, c.reason)).collect::<Vec<_>>();
        let expired = Claim::no(Type::InForce, Reason::Expired, "it is over");
        assert_eq!(
            types(&claims(&Verdict::Valid, vec![expired])),
            [
                (Type::Valid, Some(true), Reason::Compiled),
                (Type::InForce, Some(false), Reason::Expired),
                (Type::Ready, Some(false), Reason::Expired),
            ]
        );
        assert_eq!(
            types(&claims(&Verdict::Valid, Vec::new())),
            [(Type::Valid, Some(true), Reason::Compiled), (Type::Ready, Some(true), Reason::AsDeclared)]
        );
    }
}
