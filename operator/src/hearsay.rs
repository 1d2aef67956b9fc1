//! What members that other operators run hold of the agreements with members that run here, as the nodes here were told.
//!
//! An operator cannot look into another's cluster; nodes speak to each other, and say at their port of observation what they
//! heard. So they are asked, in federations that have a member elsewhere, and whatever is new has its agreements looked at.

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
use crate::observed::{self, Told};
use crate::placed::{self, Placed};

/// How often nodes are asked.
const PERIOD: Duration = Duration::from_secs(5);

/// What the nodes of one namespace's federation heard: who heard it, and of whom.
type Heard = BTreeMap<JurisdictionId, BTreeMap<JurisdictionId, Told>>;

/// What was heard last, by the namespace of the federation.
#[derive(Clone, Default)]
pub struct Hearsay(Arc<RwLock<HashMap<String, Heard>>>);

impl Hearsay {
    /// What `here`, whose node runs here, was told by the node of `there`.
    #[must_use]
    pub fn told(&self, namespace: &str, here: &JurisdictionId, there: &JurisdictionId) -> Option<Told> {
        self.0.read().get(namespace)?.get(here)?.get(there).cloned()
    }

    /// Notes what was heard. Whether it is something new.
    fn note(&self, namespace: &str, heard: Heard) -> bool {
        let mut all = self.0.write();
        if all.get(namespace).is_some_and(|before| *before == heard) {
            return false;
        }
        all.insert(namespace.to_owned(), heard);
        true
    }

    /// Forgets federations that have nobody elsewhere any more.
    fn keep(&self, namespaces: &[String]) {
        self.0.write().retain(|namespace, _| namespaces.contains(namespace));
    }
}

/// Asks again and again, for ever.
pub async fn follow(context: Arc<Context>) {
    loop {
        look(&context).await;
        tokio::time::sleep(PERIOD).await;
    }
}

async fn look(context: &Context) {
    let shared = shared_with_others(context);
    context.hearsay.keep(&shared);
    for namespace in shared {
        let Some(federation) = context.catalogue.federation(&namespace) else { continue };
        let members = in_namespace(&context.catalogue.jurisdictions, &namespace);
        let members = members.iter().filter_map(|member| member.read()).filter(|member| Placed::of(member).is_here());
        // All at once: each that is silent takes its time to be.
        let asked = members.map(async |member| {
            let place = placed::namespace(member, &namespace)?;
            let pods = context.children.pods_of(&place, &federation.name_any(), &member.spec.id);
            let told = observed::peers(pods.iter().map(Arc::as_ref)).await?;
            Some((member.spec.id.clone(), told))
        });
        let heard: Heard = join_all(asked).await.into_iter().flatten().collect();
        if context.hearsay.note(&namespace, heard) {
            context.queues.agreements.push_all(&context.catalogue.agreements, &namespace);
        }
    }
}

/// The namespaces whose federation has a member that another operator runs.
fn shared_with_others(context: &Context) -> Vec<String> {
    let elsewhere = |j: &Jurisdiction| matches!(Placed::of(j), Placed::Elsewhere(_));
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
    fn only_what_is_new_is_news() {
        let (hk, mo): (JurisdictionId, JurisdictionId) = ("HK".parse().unwrap(), "MO".parse().unwrap());
        let heard =
            |code: &str| Heard::from([(hk.clone(), BTreeMap::from([(mo.clone(), Told::Problem(code.to_owned()))]))]);
        let hearsay = Hearsay::default();
        assert!(hearsay.note("gba", heard("limit")));
        assert!(!hearsay.note("gba", heard("limit")));
        assert!(hearsay.note("gba", heard("identity")));
        assert_eq!(hearsay.told("gba", &hk, &mo), Some(Told::Problem("identity".to_owned())));
        assert_eq!(hearsay.told("gba", &mo, &hk), None, "Macau's node is not asked here");
        hearsay.keep(&[]);
        assert_eq!(hearsay.told("gba", &hk, &mo), None);
    }
}
