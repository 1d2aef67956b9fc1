//! Step 5: write the objects of a node that differ.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DynamicObject, ListParams, ObjectMeta, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use wanqu_crds::kinds::Jurisdiction;

use super::build::{self, Resources};
use super::dereference::{Inputs, Target};
use super::finalizer::Authority;
use super::workload::{self, Workload};
use super::{finalizer, home, identity};
use crate::context::Context;
use crate::framework::apply::Built;
use crate::framework::labels::{self, BUNDLE_DIGEST, FEDERATION_NAMESPACE, MANAGER};
use crate::framework::{Error, Result};
use crate::names;
use crate::node_reports::{self, Copies};

/// The largest bundle that fits into a `ConfigMap` beside its metadata, in bytes.
const MAX_BUNDLE: usize = 1_000_000;

/// Outcome of writing the bundle of a node.
pub(super) enum Bundled {
    /// It was written, or there was no new one; the copies stand so to the latest.
    Told(Copies),
    /// The node has none, so it cannot start.
    Nothing,
    /// It is too large: its size in bytes. The node keeps the one before, if it has one.
    TooLarge(usize),
}

impl Bundled {
    /// Returns true if copies are about to load the latest bundle, which no watch reports.
    pub(super) fn is_underway(&self) -> bool {
        matches!(self, Self::Told(copies) if !copies.behind.is_empty())
    }
}

/// Writes the account of a node in this cluster before any Secret. By it [`finalizer::sweep`] finds the namespaces in which
/// there may be Secrets.
pub(super) async fn account(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<()> {
    if !matches!(inputs.target, Target::Here { .. }) {
        return Ok(());
    }
    let account = build::account(&build::Node::new(jurisdiction, inputs, &context.settings));
    let _placing = context.placing.lock().await;
    identity::applier(context, jurisdiction, &inputs.target).apply(Built::new(account)).await?;
    Ok(())
}

/// Writes the bundle, and tells the pods of it. It comes before everything else that may fail: what others withdraw is in it.
pub(super) async fn bundle(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<Bundled> {
    let applier = identity::applier(context, jurisdiction, &inputs.target);
    let size = inputs.bundle.as_ref().map_or(0, |file| file.gzip.len());
    if size > MAX_BUNDLE {
        return Ok(Bundled::TooLarge(size));
    }
    if let Some(bundle) = build::bundle_alone(&build::Node::new(jurisdiction, inputs, &context.settings)) {
        applier.apply(bundle).await?;
    } else {
        // A bundle from before is good enough to run with; without any, pods could only wait for one.
        let name = names::bundle(&jurisdiction.name_any());
        if applier.get::<ConfigMap>(inputs.target.namespace(), &name).await?.is_none() {
            return Ok(Bundled::Nothing);
        }
    }
    Ok(Bundled::Told(told(context, jurisdiction, inputs).await?))
}

/// Writes the other objects that differ. Without a bundle (`bundled` is false) there is no workload yet.
pub(super) async fn apply(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
    (resources, bundled): (Resources, bool),
) -> Result<Option<Workload>> {
    let applier = identity::applier(context, jurisdiction, &inputs.target);
    let Resources { account, policies, services, disruption, stateful_set } = resources;
    let keep = if let Target::Here { namespace } = &inputs.target { Some(namespace.as_str()) } else { None };
    // It has moved with the node.
    let remote = matches!(inputs.target, Target::Remote { .. });
    let authority = if remote { Authority::StaysAtHome } else { Authority::Goes };
    finalizer::sweep(context, jurisdiction, finalizer::Swept { keep, authority }).await?;
    label_pods(context, jurisdiction, inputs).await?;
    applier.apply(account).await?;
    for policy in policies {
        applier.apply(policy).await?;
    }
    for service in services {
        applier.apply(service).await?;
    }
    applier.apply(disruption).await?;
    if !bundled {
        return Ok(None);
    }
    Ok(Some(Box::pin(workload::ensure(context, jurisdiction, inputs, &applier, stateful_set)).await?))
}

/// Returns true if there is a workload of this jurisdiction already.
pub(super) async fn runs(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<bool> {
    let applier = identity::applier(context, jurisdiction, &inputs.target);
    let name = names::node(&jurisdiction.name_any());
    match applier.get::<StatefulSet>(inputs.target.namespace(), &name).await {
        // A workload of this name that was made for another resource is none of this one.
        Err(Error::Taken { .. }) => Ok(false),
        found => Ok(found?.is_some()),
    }
}

/// Tells the pods of the latest bundle, and returns how they stand to it.
async fn told(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<Copies> {
    let Some(file) = &inputs.bundle else { return Ok(Copies::default()) };
    tell_pods(context, jurisdiction, inputs, &file.digest).await?;
    let pods = own_pods(context, jurisdiction, inputs);
    Ok(node_reports::copies(&context.http, pods.iter().map(Arc::as_ref), &file.digest).await)
}

/// Returns the workload of an invalid jurisdiction, which is left as it is.
pub(super) async fn as_it_runs(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
) -> Result<Option<Workload>> {
    let applier = identity::applier(context, jurisdiction, &inputs.target);
    let name = names::node(&jurisdiction.name_any());
    let found = applier.get::<StatefulSet>(inputs.target.namespace(), &name).await?;
    Ok(found.map(|running| Workload::Is(Box::new(running))))
}

/// Announces a new bundle to the pods. A kubelet reads a mounted `ConfigMap` about once a minute, but at once when its
/// pod changes: so the pod gets an annotation, which restarts nothing.
async fn tell_pods(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs, digest: &str) -> Result<()> {
    let untold = |pod: &ObjectMeta| {
        let told = pod.annotations.as_ref().and_then(|annotations| annotations.get(BUNDLE_DIGEST));
        told.is_none_or(|told| told != digest)
    };
    patch_pods(context, jurisdiction, inputs, untold, &json!({"annotations": {BUNDLE_DIGEST: digest}})).await
}

/// Labels pods that an earlier version of the operator had made, before Services and network policies select by this label: else
/// these would pass the pods over until the last of them has been replaced.
async fn label_pods(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<()> {
    let home = home(jurisdiction);
    let unlabelled = |pod: &ObjectMeta| {
        let label = pod.labels.as_ref().and_then(|labels| labels.get(FEDERATION_NAMESPACE));
        label.is_none_or(|label| *label != home)
    };
    patch_pods(context, jurisdiction, inputs, unlabelled, &json!({"labels": {FEDERATION_NAMESPACE: home}})).await
}

/// Changes the metadata of those pods of a node that need it.
async fn patch_pods(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
    needs: impl Fn(&ObjectMeta) -> bool,
    metadata: &Value,
) -> Result<()> {
    let namespace = inputs.target.namespace();
    let Some(client) = inputs.target.client(context) else { return Ok(()) };
    for pod in pods(context, jurisdiction, inputs, &client).await? {
        if !needs(&pod) || pod.deletion_timestamp.is_some() {
            continue;
        }
        // A merge and no apply: a pod that is gone meanwhile must not be created.
        let mut patch = json!({"metadata": metadata});
        patch["metadata"]["uid"] = json!(pod.uid);
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let name = pod.name.unwrap_or_default();
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match api.patch_metadata(&name, &params, &Patch::Merge(&patch)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(error) => return Err(Error::api(format!("change the metadata of Pod {namespace}/{name}"), error)),
        }
    }
    Ok(())
}

/// Returns the pods of a node: from the store, or from the other cluster.
async fn pods(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
    client: &Client,
) -> Result<Vec<ObjectMeta>> {
    let namespace = inputs.target.namespace();
    if matches!(inputs.target, Target::Here { .. }) {
        return Ok(own_pods(context, jurisdiction, inputs).iter().map(|pod| pod.metadata.clone()).collect());
    }
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let found = api.list_metadata(&ListParams::default().labels(&labels::managed())).await;
    let found = found.map_err(|error| Error::api(format!("list the pods of {namespace}"), error))?;
    let (home, name) = (home(jurisdiction), jurisdiction.name_any());
    let own = found.items.into_iter().filter(|pod| labels::is_made_for(pod, &home, &name));
    Ok(own.map(|pod: PartialObjectMeta<Pod>| pod.metadata).collect())
}

/// Returns the pods of a node in this cluster.
fn own_pods(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Vec<Arc<DynamicObject>> {
    let Target::Here { namespace } = &inputs.target else { return Vec::new() };
    context.children.pods_of(namespace, &home(jurisdiction), &jurisdiction.name_any())
}
