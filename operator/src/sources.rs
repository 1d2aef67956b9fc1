//! Datasets that their nodes cannot read: a file is missing, or does not have the declared columns. The nodes run and answer
//! about all others; they report these at their port of observation, which is polled, and Datasets are queued when a report
//! changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;
use parking_lot::RwLock;
use wanqu_model::names::JurisdictionId;

use crate::context::Context;
use crate::framework::watched::in_namespace;
use crate::host::{self, Host};
use crate::node_reports;

/// Period of the polls: that in which nodes look at their sources.
const PERIOD: Duration = Duration::from_secs(30);

/// Datasets that cannot be read, by name, and why; by the member whose node says so.
type Unavailable = BTreeMap<JurisdictionId, BTreeMap<String, String>>;

/// Latest reports, by the namespace of the federation.
#[derive(Clone, Default)]
pub struct SourceReports(Arc<RwLock<HashMap<String, Unavailable>>>);

impl SourceReports {
    /// Returns whether the node of a member can read a dataset of this name, and why not; `None` if it does not say.
    #[must_use]
    pub fn of(&self, namespace: &str, member: &JurisdictionId, dataset: &str) -> Option<Result<(), String>> {
        let reports = self.0.read();
        let unavailable = reports.get(namespace)?.get(member)?;
        Some(unavailable.get(dataset).map_or(Ok(()), |reason| Err(reason.clone())))
    }

    /// Stores the reports of a namespace and returns true if they differ from those before.
    fn store(&self, namespace: &str, reports: Unavailable) -> bool {
        let mut all = self.0.write();
        if all.get(namespace).is_some_and(|before| *before == reports) {
            return false;
        }
        all.insert(namespace.to_owned(), reports);
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
    let mut namespaces: Vec<String> =
        context.catalogue.datasets.state().iter().filter_map(|dataset| dataset.namespace()).collect();
    namespaces.sort();
    namespaces.dedup();
    context.sources.retain_namespaces(&namespaces);
    for namespace in namespaces {
        let Some(federation) = context.catalogue.federation(&namespace) else { continue };
        let members = in_namespace(&context.catalogue.jurisdictions, &namespace);
        let members = members.iter().filter_map(|member| member.read()).filter(|member| Host::of(member).is_here());
        let asked = members.map(async |member| {
            let home = host::namespace(member, &namespace)?;
            let pods = context.children.pods_of(&home, &federation.name_any(), &member.spec.id);
            let unavailable = node_reports::unavailable(&context.http, pods.iter().map(Arc::as_ref)).await?;
            Some((member.spec.id.clone(), unavailable))
        });
        let reports: Unavailable = join_all(asked).await.into_iter().flatten().collect();
        if context.sources.store(&namespace, reports) {
            context.queues.datasets.push_all(&context.catalogue.datasets, &namespace);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_is_readable_if_its_node_says_so_and_unknown_if_it_says_nothing() {
        let (hk, mo): (JurisdictionId, JurisdictionId) = ("HK".parse().unwrap(), "MO".parse().unwrap());
        let report = |datasets: &[(&str, &str)]| {
            let unavailable = datasets.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect();
            Unavailable::from([(hk.clone(), unavailable)])
        };
        let reports = SourceReports::default();
        assert!(reports.store("gba", report(&[("hours", "no file is there")])));
        assert!(!reports.store("gba", report(&[("hours", "no file is there")])));
        assert_eq!(reports.of("gba", &hk, "hours"), Some(Err("no file is there".to_owned())));
        assert_eq!(reports.of("gba", &hk, "visits"), Some(Ok(())));
        assert_eq!(reports.of("gba", &mo, "hours"), None);
        assert!(reports.store("gba", report(&[])));
        assert_eq!(reports.of("gba", &hk, "hours"), Some(Ok(())));
        reports.retain_namespaces(&[]);
        assert_eq!(reports.of("gba", &hk, "hours"), None);
    }
}
