//! Step 5: the objects of a node, written where they differ.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DynamicObject, ListParams, ObjectMeta, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use wanqu_crds::kinds::Jurisdiction;

use super::build::Resources;
use super::dereference::{Inputs, Place};
use super::{finalizer, identity};
use crate::framework::apply::{Applied, Prepared};
use crate::framework::labels::{self, BUNDLE_DIGEST, MANAGER};
use crate::framework::{Context, Error, Result};
use crate::{names, observed};

/// The most that a `ConfigMap` may hold, in bytes, with room for its metadata.
const MAX_BUNDLE: usize = 1_000_000;

/// What became of the objects of a node.
pub(super) enum Outcome {
    /// All are as they are to be, but that these copies run another bundle.
    Applied(Box<Resources<Applied>>, Vec<String>),
    /// Nothing was written: this is how it runs.
    Running(Box<StatefulSet>),
    /// The node has no bundle, and so cannot start.
    NoBundle,
    /// The bundle is too large, in bytes.
    TooLarge(usize),
}

impl Outcome {
    /// Whether copies are on their way to the latest bundle, which no watch sees.
    pub(super) fn is_underway(&self) -> bool {
        matches!(self, Self::Applied(_, behind) if !behind.is_empty())
    }
}

/// Writes what differs.
pub(super) async fn apply(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
    resources: Resources<Prepared>,
) -> Result<Outcome> {
    let applier = identity::applier(context, jurisdiction, &inputs.place);
    let Resources { account, services, policies, disruption, bundle, stateful_set } = resources;
    let keep = if let Place::Here { namespace } = &inputs.place { Some(namespace.as_str()) } else { None };
    finalizer::sweep(context, jurisdiction, keep).await?;
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
    // A bundle that lies there from before is good enough to run; without any the pods could only wait for one.
    let name = names::bundle(&jurisdiction.name_any());
    if bundle.is_none() && applier.get::<ConfigMap>(inputs.place.namespace(), &name).await?.is_none() {
        return Ok(Outcome::NoBundle);
    }
    let stateful_set = applier.apply(stateful_set).await?;
    let mut behind = Vec::new();
    if let Some(file) = &inputs.bundle {
        tell_pods(context, jurisdiction, inputs, &file.digest).await?;
        let pods = own_pods(context, jurisdiction, inputs);
        behind = observed::behind(pods.iter().map(Arc::as_ref), &file.digest).await;
    }
    let (services, policies) = applied;
    let resources = Resources { account, services, policies, disruption, bundle, stateful_set };
    Ok(Outcome::Applied(Box::new(resources), behind))
}

/// Whether there is a workload of this jurisdiction already.
pub(super) async fn runs(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<bool> {
    let applier = identity::applier(context, jurisdiction, &inputs.place);
    let name = names::node(&jurisdiction.name_any());
    match applier.get::<StatefulSet>(inputs.place.namespace(), &name).await {
        // One of this name is somebody else's: then none is this jurisdiction's.
        Err(Error::Taken { .. }) => Ok(false),
        found => Ok(found?.is_some()),
    }
}

/// How the workload of a jurisdiction that is not in order runs on.
pub(super) async fn as_it_runs(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Result<Outcome> {
    let applier = identity::applier(context, jurisdiction, &inputs.place);
    let name = names::node(&jurisdiction.name_any());
    let found = applier.get::<StatefulSet>(inputs.place.namespace(), &name).await?;
    Ok(found.map_or(Outcome::NoBundle, |running| Outcome::Running(Box::new(running))))
}

/// Tells the pods that run of a new bundle. A kubelet looks at a mounted `ConfigMap` about once a minute, but at once when
/// its pod changes: so the pod gets an annotation, which restarts nothing.
async fn tell_pods(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs, digest: &str) -> Result<()> {
    let namespace = inputs.place.namespace();
    let client = match &inputs.place {
        Place::There { client: Some(client), .. } => client.clone(),
        Place::There { client: None, .. } | Place::Elsewhere => return Ok(()),
        Place::Here { .. } => context.client.clone(),
    };
    for pod in pods(context, jurisdiction, inputs, &client).await? {
        let told = pod.annotations.as_ref().and_then(|annotations| annotations.get(BUNDLE_DIGEST));
        if told.is_some_and(|told| told == digest) || pod.deletion_timestamp.is_some() {
            continue;
        }
        // Not applied, but merged: a pod that is gone meanwhile must not be made.
        let patch = json!({"metadata": {"uid": pod.uid, "annotations": {BUNDLE_DIGEST: digest}}});
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let name = pod.name.unwrap_or_default();
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        match api.patch_metadata(&name, &params, &Patch::Merge(&patch)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => {}
            Err(error) => return Err(Error::api(format!("tell Pod {namespace}/{name} of its bundle"), error)),
        }
    }
    Ok(())
}

/// The pods of a node, as they are seen, or as another cluster says.
async fn pods(
    context: &Context,
    jurisdiction: &Jurisdiction,
    inputs: &Inputs,
    client: &Client,
) -> Result<Vec<ObjectMeta>> {
    let namespace = inputs.place.namespace();
    if matches!(inputs.place, Place::Here { .. }) {
        return Ok(own_pods(context, jurisdiction, inputs).iter().map(|pod| pod.metadata.clone()).collect());
    }
    let wanted = labels::node(&inputs.federation.name, &jurisdiction.spec.id);
    let selector: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let found = api.list_metadata(&ListParams::default().labels(&selector.join(","))).await;
    let found = found.map_err(|error| Error::api(format!("list the pods of {namespace}"), error))?;
    Ok(found.items.into_iter().map(|pod: PartialObjectMeta<Pod>| pod.metadata).collect())
}

/// The pods of a node in this cluster, as they are seen. Those of another one are not reached from here.
fn own_pods(context: &Context, jurisdiction: &Jurisdiction, inputs: &Inputs) -> Vec<Arc<DynamicObject>> {
    let Place::Here { namespace } = &inputs.place else { return Vec::new() };
    context.children.pods_of(namespace, &inputs.federation.name, &jurisdiction.spec.id)
}
