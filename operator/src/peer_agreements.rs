//! Latest agreements that members elsewhere hold with members here, as their nodes told the nodes here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::RwLock;
use wanqu_model::names::JurisdictionId;

use crate::node_reports::PeerAnswer;

/// Answers in one namespace: by the member here that asked, and by the member elsewhere that answered.
pub(crate) type Answers = BTreeMap<JurisdictionId, BTreeMap<JurisdictionId, PeerAnswer>>;

/// Latest answers, by the namespace of the federation.
#[derive(Clone, Default)]
pub struct PeerAgreements(Arc<RwLock<HashMap<String, Answers>>>);

impl PeerAgreements {
    /// Returns what the node of `there` told the node of `here`, which runs in this cluster.
    #[must_use]
    pub fn answer(&self, namespace: &str, here: &JurisdictionId, there: &JurisdictionId) -> Option<PeerAnswer> {
        self.0.read().get(namespace)?.get(here)?.get(there).cloned()
    }

    /// Stores the answers of a namespace and returns true if they differ from those before.
    pub(crate) fn store(&self, namespace: &str, answers: Answers) -> bool {
        let mut all = self.0.write();
        if all.get(namespace).is_some_and(|before| *before == answers) {
            return false;
        }
        all.insert(namespace.to_owned(), answers);
        true
    }

    /// Forgets all namespaces but these.
    pub(crate) fn retain_namespaces(&self, namespaces: &[String]) {
        self.0.write().retain(|namespace, _| namespaces.contains(namespace));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_of_peers_that_differ_are_reported_as_new() {
        let (hk, mo): (JurisdictionId, JurisdictionId) = ("HK".parse().unwrap(), "MO".parse().unwrap());
        let answers = |code: &str| {
            Answers::from([(hk.clone(), BTreeMap::from([(mo.clone(), PeerAnswer::Problem(code.to_owned()))]))])
        };
        let peers = PeerAgreements::default();
        assert!(peers.store("gba", answers("limit")));
        assert!(!peers.store("gba", answers("limit")));
        assert!(peers.store("gba", answers("identity")));
        assert_eq!(peers.answer("gba", &hk, &mo), Some(PeerAnswer::Problem("identity".to_owned())));
        assert_eq!(peers.answer("gba", &mo, &hk), None, "Macau's node is not asked here");
        peers.retain_namespaces(&[]);
        assert_eq!(peers.answer("gba", &hk, &mo), None);
    }
}
