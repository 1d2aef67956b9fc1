//! Agreements that members elsewhere hold with members here, as their nodes told the nodes here.
//!
//! An operator cannot look into another operator's cluster, but nodes ask each other and report the answers at their
//! port of observation. In federations with a member elsewhere those reports are polled, and agreements are queued when
//! one changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;
use parking_lot::RwLock;
use wanqu_crds::kinds::Jurisdiction;
use wanqu_model::names::JurisdictionId;

use crate::framework::Context;
use crate::framework::watched::in_namespace;
use crate::host::{self, Host};
use crate::node_reports::{self, PeerAnswer};

/// Period of the polls.
const PERIOD: Duration = Duration::from_secs(5);

/// Answers in one namespace: by the member here that asked, and by the member elsewhere that answered.
type Answers = BTreeMap<JurisdictionId, BTreeMap<JurisdictionId, PeerAnswer>>;

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
    fn store(&self, namespace: &str, answers: Answers) -> bool {
        let mut all = self.0.write();
        if all.get(namespace).is_some_and(|before| *before == answers) {
            return false;
        }
        all.insert(namespace.to_owned(), answers);
        true
    }

    /// Forgets all namespaces but these.
    fn retain_namespaces(&self, namespaces: &[String]) {
        self.0.write().retain(|namespace, _| namespaces.contains(namespace));
    }
}

/// Polls the nodes. Never returns.
pub async fn follow(context: Arc<Context>) {
    loop {
        poll(&context).await;
        tokio::time::sleep(PERIOD).await;
    }
}

async fn poll(context: &Context) {
    let shared = shared_namespaces(context);
    context.peers.retain_namespaces(&shared);
    for namespace in shared {
        let Some(federation) = context.catalogue.federation(&namespace) else { continue };
        let members = in_namespace(&context.catalogue.jurisdictions, &namespace);
        let members = members.iter().filter_map(|member| member.read()).filter(|member| Host::of(member).is_here());
        // All at once, so that silent nodes are waited for only once.
        let asked = members.map(async |member| {
            let home = host::namespace(member, &namespace)?;
            let pods = context.children.pods_of(&home, &federation.name_any(), &member.spec.id);
            let answers = node_reports::peers(&context.http, pods.iter().map(Arc::as_ref)).await?;
            Some((member.spec.id.clone(), answers))
        });
        let answers: Answers = join_all(asked).await.into_iter().flatten().collect();
        if context.peers.store(&namespace, answers) {
            context.queues.agreements.push_all(&context.catalogue.agreements, &namespace);
        }
    }
}

/// Returns the namespaces whose federation has a member that another operator runs.
fn shared_namespaces(context: &Context) -> Vec<String> {
    let elsewhere = |j: &Jurisdiction| matches!(Host::of(j), Host::External(_));
    let all = context.catalogue.jurisdictions.state();
    let found = all.iter().filter(|j| j.read().is_some_and(elsewhere)).filter_map(|j| j.namespace());
    let mut namespaces: Vec<String> = found.collect();
    namespaces.sort();
    namespaces.dedup();
    namespaces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_answers_that_differ_are_reported_as_new() {
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
