//! Consent of namespaces to nodes of Jurisdictions from elsewhere: their `PlacementGrants`.
//!
//! Whoever may write a Jurisdiction decides on the data that its node reads. So a node runs in the namespace of its Jurisdiction,
//! or where somebody with rights in the other namespace has said that it may.

use std::sync::Arc;

use kube::runtime::reflector::store::WriterDropped;
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::{PlacementGrant, PlacementGrantSpec};

use crate::framework::Guarded;
use crate::framework::watched::{Scoped, in_namespace};

/// Stores of the grants.
#[derive(Clone)]
pub struct Grants(Arc<Scoped<Guarded<PlacementGrant>>>);

/// Placement of a node in a namespace of this cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placing<'a> {
    /// The namespace of the Jurisdiction.
    pub home: &'a str,
    /// The name of the Jurisdiction.
    pub name: &'a str,
    /// The namespace of the node.
    pub target: &'a str,
    /// The claim of that namespace which it mounts.
    pub claim: Option<&'a str>,
}

/// Something that a placement lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The problem, for people.
    pub problem: String,
    /// The remedy: the manifest to apply.
    pub remedy: String,
}

impl Grants {
    /// Grants of these stores.
    #[must_use]
    pub fn new(stores: Scoped<Guarded<PlacementGrant>>) -> Self {
        Self(Arc::new(stores))
    }

    /// Waits until every grant that was there at the start is in its store: those of a namespace, or all with `None`.
    ///
    /// # Errors
    /// If a watch ended before.
    pub async fn ready(&self, namespace: Option<&str>) -> Result<(), WriterDropped> {
        self.0.ready(namespace).await
    }

    /// Returns true if the grants of a namespace are known. False as long as the operator has not been able to read them.
    #[must_use]
    pub fn are_read(&self, namespace: &str) -> bool {
        self.0.is_read(namespace)
    }

    /// Returns what a placement lacks; `None` if its namespace consents.
    #[must_use]
    pub fn lack(&self, placing: &Placing<'_>) -> Option<Lack> {
        match self.0.of(placing.target) {
            Some(store) => placing.lack(&in_namespace(store, placing.target)),
            None => (placing.target != placing.home).then(|| placing.unwatched()),
        }
    }
}

impl Placing<'_> {
    /// Returns what it lacks, by all grants of its target; `None` if one of them allows all of it, or if it needs none.
    fn lack(&self, grants: &[Arc<Guarded<PlacementGrant>>]) -> Option<Lack> {
        if self.target == self.home {
            return None;
        }
        let Self { home, name, target, .. } = self;
        let named = || grants.iter().filter_map(|grant| grant.read()).filter(|grant| self.is_named_by(&grant.spec));
        if named().any(|grant| self.claim.is_none_or(|claim| grant.spec.claims.iter().any(|granted| granted == claim)))
        {
            return None;
        }
        let mut problem = match (named().next(), self.claim) {
            (Some(grant), Some(claim)) => format!(
                "PlacementGrant {target}/{} lets the node of Jurisdiction {home}/{name} run there, and does not list the claim \
                 {claim} of spec.dataClaim",
                grant.name_any()
            ),
            _ => format!("namespace {target} has no PlacementGrant for the node of Jurisdiction {home}/{name}"),
        };
        // Nothing of it is quoted: it may be about others.
        if grants.iter().any(|grant| grant.read().is_none()) {
            problem.push_str("; a PlacementGrant there cannot be read by this operator, and allows nothing");
        }
        Some(Lack { problem, remedy: self.remedy() })
    }

    fn is_named_by(&self, grant: &PlacementGrantSpec) -> bool {
        grant.from.iter().filter(|from| from.namespace == self.home).any(|from| match &from.jurisdictions {
            Some(names) => names.iter().any(|name| name == self.name),
            None => true,
        })
    }

    fn remedy(&self) -> String {
        format!(
            "nothing is made there until somebody with rights in namespace {} applies\n{}",
            self.target,
            self.manifest()
        )
    }

    /// Returns the grant that allows it, and nothing else. Names are quoted: YAML would read `no` or `1` as something else.
    fn manifest(&self) -> String {
        let Self { home, name, target, claim } = self;
        let claims = claim.map(|claim| format!("\n  claims: [\"{claim}\"]")).unwrap_or_default();
        let (version, kind) = (PlacementGrant::api_version(&()), PlacementGrant::kind(&()));
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: \"{home}-{name}\"\n  namespace: \"{target}\"\nspec:\n  \
             from:\n    - namespace: \"{home}\"\n      jurisdictions: [\"{name}\"]{claims}"
        )
    }

    fn unwatched(&self) -> Lack {
        Lack {
            problem: format!("this operator does not watch namespace {}", self.target),
            remedy: "add it to the chart's watchNamespaces, or place the node in a namespace that is among them"
                .to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn grant(name: &str, spec: &Value) -> Arc<Guarded<PlacementGrant>> {
        let object = json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "PlacementGrant",
            "metadata": {"name": name, "namespace": "victim"}, "spec": spec,
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn placing<'a>(home: &'a str, target: &'a str, claim: Option<&'a str>) -> Placing<'a> {
        Placing { home, name: "hongkong", target, claim }
    }

    #[test]
    fn a_node_runs_elsewhere_only_where_a_grant_names_its_jurisdiction_and_its_claim() {
        let gba =
            json!({"from": [{"namespace": "gba", "jurisdictions": ["macau", "hongkong"]}], "claims": ["records"]});
        let all = json!({"from": [{"namespace": "other"}, {"namespace": "gba"}]});
        let others = json!({"from": [{"namespace": "gba", "jurisdictions": ["macau"]}], "claims": ["records"]});
        let claim = Some("records");
        for (grants, home, claim, allowed) in [
            (vec![], "gba", None, false),
            (vec![&gba], "gba", None, true),
            (vec![&gba], "gba", claim, true),
            (vec![&gba], "gba", Some("secrets"), false),
            (vec![&gba], "evil", None, false),
            (vec![&all], "gba", None, true),
            (vec![&all], "gba", claim, false),
            (vec![&others], "gba", None, false),
            // The claim is given to Macau, and the place to everybody: neither grant gives the claim to Hong Kong.
            (vec![&others, &all], "gba", claim, false),
            (vec![&others, &gba], "gba", claim, true),
        ] {
            let objects: Vec<_> = grants.iter().map(|spec| grant("g", spec)).collect();
            let lack = placing(home, "victim", claim).lack(&objects);
            assert_eq!(lack.is_none(), allowed, "{grants:?} {home} {claim:?}");
        }
        assert_eq!(placing("victim", "victim", claim).lack(&[]), None, "its own namespace");
    }

    #[test]
    fn what_lacks_is_told_with_the_grant_that_ends_it() {
        for claim in [None, Some("records")] {
            let placing = placing("gba", "victim", claim);
            let lack = placing.lack(&[]).unwrap();
            assert_eq!(
                lack.problem,
                "namespace victim has no PlacementGrant for the node of Jurisdiction gba/hongkong"
            );
            let (said, manifest) = lack.remedy.split_once('\n').unwrap();
            assert_eq!(said, "nothing is made there until somebody with rights in namespace victim applies");
            let read = wanqu_crds::manifests::parse(manifest, "grant.yaml").unwrap();
            let told = &read.grants[0].resource;
            assert_eq!(told.namespace().as_deref(), Some("victim"));
            assert_eq!(placing.lack(&[Arc::new(Guarded(Ok(told.clone())))]), None);
        }
    }

    #[test]
    fn a_grant_without_the_claim_and_one_that_cannot_be_read_are_told() {
        let place = grant("place", &json!({"from": [{"namespace": "gba"}]}));
        let newer = grant("newer", &json!({"from": "gba"}));
        let lack = placing("gba", "victim", Some("records")).lack(&[place, newer]).unwrap();
        assert!(
            lack.problem.starts_with(
                "PlacementGrant victim/place lets the node of Jurisdiction gba/hongkong run there, and does not list the claim \
                 records of spec.dataClaim; a PlacementGrant there cannot be read by this operator"
            ),
            "{}",
            lack.problem
        );
    }

    #[test]
    fn where_the_operator_sees_no_grants_nothing_is_placed() {
        let lack = Grants::new(Scoped::new(Vec::new())).lack(&placing("gba", "victim", None)).unwrap();
        assert!(lack.remedy.contains("watchNamespaces"), "{lack:?}");
        assert_eq!(Grants::new(Scoped::new(Vec::new())).lack(&placing("gba", "gba", None)), None);
    }
}
