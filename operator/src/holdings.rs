//! Agreements that the nodes of this operator hold, by their own reports: what a node was told last is not what it runs until its
//! copies say so.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use wanqu_model::bundle::Agreement;
use wanqu_model::names::JurisdictionId;

/// Agreements of one node.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Held {
    /// Agreements in the bundle that all of its ready copies ran when they last agreed.
    pub agreements: Vec<Agreement>,
    /// The reason for which it is not known to run the latest bundle; `None` if it runs that.
    pub lacking: Option<String>,
}

impl Held {
    /// Returns true if the node holds an agreement as it was compiled last, or lacks it where it is no part of that.
    #[must_use]
    pub fn holds(&self, name: &str, compiled: Option<&Agreement>) -> bool {
        self.agreements.iter().find(|agreement| agreement.name.as_str() == name) == compiled
    }
}

/// Holdings of all nodes, by the namespace of their federation and their member. Copies of it are the same store.
#[derive(Clone, Default)]
pub struct Holdings(Arc<RwLock<HashMap<(String, JurisdictionId), Held>>>);

impl Holdings {
    /// Returns the holdings of a member's node; `None` before its first report.
    #[must_use]
    pub fn of(&self, namespace: &str, member: &JurisdictionId) -> Option<Held> {
        self.0.read().get(&(namespace.to_owned(), member.clone())).cloned()
    }

    /// Notes that a node runs a bundle with these agreements. Returns true if that is new.
    #[must_use]
    pub fn run(&self, namespace: &str, member: &JurisdictionId, agreements: Vec<Agreement>) -> bool {
        self.note(namespace, member, |held| *held = Held { agreements, lacking: None })
    }

    /// Notes that a node is not known to run the latest bundle. Returns true if that is new.
    #[must_use]
    pub fn lack(&self, namespace: &str, member: &JurisdictionId, why: &str) -> bool {
        self.note(namespace, member, |held| held.lacking = Some(why.to_owned()))
    }

    /// Forgets a node that is removed.
    pub fn forget(&self, namespace: &str, member: &JurisdictionId) {
        self.0.write().remove(&(namespace.to_owned(), member.clone()));
    }

    fn note(&self, namespace: &str, member: &JurisdictionId, change: impl FnOnce(&mut Held)) -> bool {
        let mut all = self.0.write();
        let key = (namespace.to_owned(), member.clone());
        let before = all.get(&key).cloned();
        let held = all.entry(key).or_default();
        change(held);
        before.as_ref() != Some(held)
    }
}

#[cfg(test)]
mod tests {
    use wanqu_crds::{Placements, manifests, partial};

    use super::*;

    /// The agreements of a bundle that says this of the state of one of them.
    fn agreements(state: &str) -> Vec<Agreement> {
        let text = format!(
            "
apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {{name: gba}}
spec: {{trustDomain: gba.example, members: [HK, MO]}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: hongkong}}
spec: {{id: HK, sqlName: hongkong}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {{name: macau}}
spec: {{id: MO, sqlName: macau}}
---
apiVersion: wanqu.dev/v1alpha1
kind: Dataset
metadata: {{name: visits}}
spec:
  jurisdiction: HK
  custodian: Hospital Authority
  table: health.visits
  source: {{files: {{path: visits.csv, format: csv}}}}
  columns: [{{name: code, type: string, class: public}}]
---
apiVersion: wanqu.dev/v1alpha1
kind: DataSharingAgreement
metadata: {{name: hk-to-mo}}
spec:
  from: HK
  to: MO
  datasets: [visits]
  purposes: [health-planning]
  filingReference: F-1
  notBefore: 2026-01-01T00:00:00Z
  expires: 2027-01-01T00:00:00Z
  state: {state}
  agreedBy: [HK, MO]
"
        );
        let partial = partial(&manifests::parse(&text, "x.yaml").unwrap(), &Placements::default());
        assert!(partial.findings.is_empty(), "{:?}", partial.findings);
        partial.compiled.unwrap().agreements().to_vec()
    }

    #[test]
    fn a_node_holds_what_it_ran_when_it_last_said_so() {
        let (holdings, hk) = (Holdings::default(), "HK".parse().unwrap());
        let (active, suspended) = (agreements("Active"), agreements("Suspended"));
        assert_eq!(holdings.of("gba", &hk), None);
        assert!(holdings.run("gba", &hk, active.clone()) && !holdings.run("gba", &hk, active.clone()));
        assert!(holdings.lack("gba", &hk, "hongkong-node-0 runs another bundle still"));
        let held = holdings.of("gba", &hk).unwrap();
        assert!(held.holds("hk-to-mo", active.first()) && !held.holds("hk-to-mo", suspended.first()));
        assert!(!held.holds("hk-to-mo", None), "it was withdrawn, and the node has it still");
        assert!(held.holds("other", None));
        let _ = holdings.run("gba", &hk, suspended.clone());
        assert!(holdings.of("gba", &hk).unwrap().holds("hk-to-mo", suspended.first()));
        holdings.forget("gba", &hk);
        assert_eq!(holdings.of("gba", &hk), None);
    }
}
