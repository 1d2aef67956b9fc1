//! Datasets that their nodes cannot read: a file is missing, or does not have the declared columns. The nodes run and answer
//! about all others; they report these at their port of observation, which is polled, and Datasets are queued when a report
//! changes.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;

use crate::context::Context;
use crate::node_reports;
use crate::source_reports::Unavailable;

/// Period of the polls: that in which nodes look at their sources.
const PERIOD: Duration = Duration::from_secs(30);

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
        let Some(members) = context.pods_here(&namespace) else { continue };
        // All at once, so that silent nodes are waited for only once.
        let asked = members.into_iter().map(async |(member, pods)| {
            let told = node_reports::unavailable(&context.http, pods.iter().map(Arc::as_ref)).await?;
            Some((member, told))
        });
        let reports: Unavailable = join_all(asked).await.into_iter().flatten().collect();
        if context.sources.store(&namespace, reports) {
            context.queues.datasets.push_all(&context.catalogue.datasets, &namespace);
        }
    }
}
