//! Conditions of a resource that describes.

use crate::compilation::Verdict;
use crate::framework::conditions::{Claim, Reason, Type};
use crate::framework::findings::message;

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
        let message = message(findings);
        return vec![
            Claim::no(Type::Valid, Reason::Invalid, message.clone()),
            Claim::no(Type::Ready, Reason::Invalid, message),
        ];
    }
    let ready = own_conditions.iter().find(|claim| claim.holds != Some(true)).map_or_else(
        || Claim::yes(Type::Ready, Reason::AsDeclared, "it is valid, and in the nodes' bundles"),
        |claim| Claim { of: Type::Ready, ..claim.clone() },
    );
    let mut claims =
        vec![Claim::yes(Type::Valid, Reason::Compiled, "it is valid, and so is everything that it refers to")];
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
