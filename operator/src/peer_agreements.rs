//! Latest agreements that members elsewhere hold with members here, as their nodes told the nodes here.

use std::collections::BTreeMap;

use wanqu_model::names::JurisdictionId;

use crate::latest::Latest;
use crate::node_reports::PeerAnswer;

/// Answers in one namespace: by the member here that asked, and by the member elsewhere that answered.
pub type Answers = BTreeMap<JurisdictionId, BTreeMap<JurisdictionId, PeerAnswer>>;

/// Latest answers, by the namespace of the federation.
pub type PeerAgreements = Latest<Answers>;

impl PeerAgreements {
    /// Returns what the node of `there` told the node of `here`, which runs in this cluster.
    #[must_use]
    pub fn answer(&self, namespace: &str, here: &JurisdictionId, there: &JurisdictionId) -> Option<PeerAnswer> {
        self.find(namespace, |answers| answers.get(here)?.get(there).cloned())
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
