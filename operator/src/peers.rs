//! Agreements that members elsewhere hold with members here, as their nodes told the nodes here.
//!
//! An operator cannot look into another operator's cluster, but nodes ask each other and report the answers at their
//! port of observation. In federations with a member elsewhere those reports are polled, and agreements are queued when
//! one changes.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;
use wanqu_crds::kinds::Jurisdiction;

use crate::context::Context;
use crate::host::Host;
use crate::node_reports;
use crate::peer_agreements::Answers;

/// Period of the polls.
const PERIOD: Duration = Duration::from_secs(5);

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
        let Some(members) = context.pods_here(&namespace) else { continue };
        // All at once, so that silent nodes are waited for only once.
        let asked = members.into_iter().map(async |(member, pods)| {
            let told = node_reports::peers(&context.http, pods.iter().map(Arc::as_ref)).await?;
            Some((member, told))
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
