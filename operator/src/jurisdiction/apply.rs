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
use super::{finalizer, home, identity};
use crate::context::Context;
use crate::framework::apply::{Applied, Built, Prepared};
use crate::framework::labels::{self, BUNDLE_DIGEST, FEDERATION_NAMESPACE, MANAGER};
use crate::framework::{Error, Result};
use crate::names;
use crate::node_reports::{self, Copies};

/// The largest bundle that fits into a `ConfigMap` beside its metadata, in bytes.
const MAX_BUNDLE: usize = 1_000_000;

/// Outcome of writing the objects of a node.
pub(super) enum Outcome {
    /// All objects are as desired; the copies stand so to the latest bundle.
    Applied(Box<Resources<Applied>>, Copies),
    /// Only the bundle was written: the workload as it is, and how its copies stand to the bundle.
    Running(Box<StatefulSet>, Copies),
    /// The node has no bundle, so it cannot start.
    NoBundle,
    /// The bundle is too large: its size in bytes.
    TooLarge(usize),
}

impl Outcome {
    /// Returns true if copies are about to load the latest bundle, which no watch reports.
    pub(super) fn is_underway(&self) -> bool {
        self.copies().is_some_and(|copies| !copies.behind.is_empty())
    }

    /// Returns how the copies stand to the latest bundle, if that was written.
    pub(super) fn copies(&self) -> Option<&Copies> {
        match self {
            Self::Applied(_, copies) | Self::Running(_, copies) => Some(copies),
            Self::NoBundle | Self::TooLarge(_) => None,
        }
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

/// Writes the objects that differ.
pub(super) async fn apply(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
    resources: Resources<Prepared>,
) -> Result<Outcome> {
    let applier = identity::applier(context, jurisdiction, &inputs.target);
    let Resources { account, services, policies, disruption, bundle, stateful_set } = resources;
    let keep = if let Target::Here { namespace } = &inputs.target { Some(namespace.as_str()) } else { None };
    let authority_stays = matches!(inputs.target, Target::Remote { .. });
    finalizer::sweep(context, jurisdiction, finalizer::Swept { keep, authority_stays }).await?;
    label_pods(context, jurisdiction, inputs).await?;
    let account = applier.apply(account).await?;
    let mut applied = (Vec::new(), Vec::new());
    for service in services {
        applied.0.push(applier.apply(service).await?);
    }
    for policy in policies {
        applied.1.push(applier.apply(policy).await?);
    }
    let disruption = applier.apply(disruption).await?;
    let size = inputs.bundle.as_ref().map_or(0, |file| file.gzip.len());
    if size > MAX_BUNDLE {
        return Ok(Outcome::TooLarge(size));
    }
    let bundle = match bundle {
        Some(bundle) => Some(applier.apply(bundle).await?),
        None => None,
    };
    // A bundle from before is good enough to run with; without any, pods could only wait for one.
    let name = names::bundle(&jurisdiction.name_any());
    if bundle.is_none() && applier.get::<ConfigMap>(inputs.target.namespace(), &name).await?.is_none() {
        return Ok(Outcome::NoBundle);
    }
    let stateful_set = applier.apply(stateful_set).await?;
    let copies = told(context, jurisdiction, inputs).await?;
    let (services, policies) = applied;
    let resources = Resources { account, services, policies, disruption, bundle, stateful_set };
    Ok(Outcome::Applied(Box::new(resources), copies))
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

/// Leaves the workload of an invalid jurisdiction as it is, and writes its bundle: that has nothing of what is wrong, and what
/// others withdraw.
pub(super) async fn as_it_runs(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<Outcome> {
    let applier = identity::applier(context, jurisdiction, &inputs.target);
    let name = names::node(&jurisdiction.name_any());
    let found = applier.get::<StatefulSet>(inputs.target.namespace(), &name).await?;
    let Some(running) = found else { return Ok(Outcome::NoBundle) };
    let size = inputs.bundle.as_ref().map_or(0, |file| file.gzip.len());
    if size > MAX_BUNDLE {
        return Ok(Outcome::TooLarge(size));
    }
    if let Some(bundle) = build::bundle_alone(&build::Node::new(jurisdiction, inputs, &context.settings)) {
        applier.apply(bundle).await?;
    }
    let copies = told(context, jurisdiction, inputs).await?;
    Ok(Outcome::Running(Box::new(running), copies))
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
    let client = match &inputs.target {
        Target::Remote { client: Some(client), .. } => client.clone(),
        Target::Remote { client: None, .. } | Target::External => return Ok(()),
        Target::Here { .. } => context.client.clone(),
    };
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
