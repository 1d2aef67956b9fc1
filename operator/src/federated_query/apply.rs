//! Step 4: all writes for a query.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use wanqu_crds::kinds::{FederatedQuery, FederatedQueryStatus, QueryRun};

use super::plan::Plan;
use crate::context::Context;
use crate::framework::apply::{Applier, Built, display_name};
use crate::framework::labels::{MANAGED_BY, MANAGER};
use crate::framework::{Error, Result};

/// The finalizer of a query with a run: it is not gone before its question is cancelled at the owners.
const FINALIZER: &str = "wanqu.dev/cancel";

/// The longest part of a query's name that the name of a `ConfigMap` begins with.
const STEM: usize = 200;

/// Writes the status, if it differs, and only over the version of the object that it was decided on: what others wrote
/// in between is read first. The finalizer is added before a run begins, and removed when the last run has ended.
pub(super) async fn write(
    client: &Client,
    query: &FederatedQuery,
    plan: &Plan,
    status: &FederatedQueryStatus,
) -> Result<()> {
    let mut version = query.resource_version();
    if plan.begin.is_some()
        && let Some(held) = hold(client, query).await?
    {
        version = held;
    }
    if query.status.as_ref() != Some(status) {
        let patch = json!({
            "apiVersion": FederatedQuery::api_version(&()), "kind": FederatedQuery::kind(&()),
            "metadata": {"name": query.name_any(), "uid": query.uid(), "resourceVersion": version},
            "status": status,
        });
        let params = PatchParams::apply(MANAGER).force();
        let written = api(client, query).patch_status(&query.name_any(), &params, &Patch::Apply(&patch)).await;
        version = written.map_err(|error| Error::api(action("write the status of", query), error))?.resource_version();
    }
    if plan.is_running() { Ok(()) } else { release(client, query, version).await }
}

/// Adds the finalizer. Returns the version of the object with it, if it was not there.
async fn hold(client: &Client, query: &FederatedQuery) -> Result<Option<Option<String>>> {
    if query.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(None);
    }
    let finalizers = query.finalizers().iter().map(String::as_str).chain([FINALIZER]).collect::<Vec<_>>();
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": query.resource_version()}});
    let held = api(client, query).patch(&query.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await;
    Ok(Some(held.map_err(|error| Error::api(action("add the finalizer to", query), error))?.resource_version()))
}

/// Removes the finalizer from this version of the object.
pub(super) async fn release<K: Resource>(client: &Client, query: &K, version: Option<String>) -> Result<()> {
    if !query.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(());
    }
    let finalizers: Vec<&String> = query.finalizers().iter().filter(|name| *name != FINALIZER).collect();
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": version, "uid": query.uid()}});
    let api = api(client, query);
    match api.patch_metadata(&query.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api(action("remove the finalizer of", query), error)),
    }
}

/// Writes the small answers of runs that have ended into `ConfigMaps`, before their status names these. Of an answer that the home
/// node keeps too, the run says why it was not copied; another one is not let go of before it is written.
pub(super) async fn keep_answers(
    context: &Context,
    query: &FederatedQuery,
    runs: &mut [QueryRun],
    ended: &[u32],
) -> Result<()> {
    let uid = query.uid().unwrap_or_default();
    for run in runs.iter_mut().filter(|run| ended.contains(&run.number)) {
        let Some(end) = context.runs.ended(&uid, run.number) else { continue };
        let Some(inline) = end.outcome.as_ref().ok().and_then(|answered| answered.inline.as_ref()) else { continue };
        let name = config_map_name(query, run.number);
        let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: query.namespace(),
                labels: Some(BTreeMap::from([
                    text("app.kubernetes.io/name", "wanqu-result"),
                    text(MANAGED_BY, MANAGER),
                ])),
                owner_references: query.controller_owner_ref(&()).map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([text("rows.csv", &inline.csv), text("account.json", &inline.account)])),
            binary_data: Some(BTreeMap::from([("rows.arrow".to_owned(), ByteString(inline.arrow.clone()))])),
            ..ConfigMap::default()
        };
        match Applier::here(&context.client, &context.children, query).apply(Built::new(map)).await {
            Ok(_) => run.config_map = Some(name),
            Err(error) if run.kept.is_some() && !error.is_passing() => {
                run.message = Some(format!("the answer was not copied into a ConfigMap: {error}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes the `ConfigMaps` of runs that are forgotten.
pub(super) async fn forget_answers(context: &Context, query: &FederatedQuery, names: &[String]) -> Result<()> {
    let applier = Applier::here(&context.client, &context.children, query);
    for name in names {
        applier.remove::<ConfigMap>(&query.namespace().unwrap_or_default(), name).await?;
    }
    Ok(())
}

/// Deletes a query that finished as long ago as its `ttlSecondsAfterFinished`.
pub(super) async fn delete(client: &Client, query: &FederatedQuery) -> Result<()> {
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: query.uid(), resource_version: query.resource_version() }),
        ..DeleteParams::background()
    };
    match api(client, query).delete(&query.name_any(), &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api(action("delete", query), error)),
    }
}

fn config_map_name(query: &FederatedQuery, number: u32) -> String {
    let name = query.name_any();
    if name.len() <= STEM {
        return format!("{name}-result-{number}");
    }
    let uid = query.uid().unwrap_or_default();
    format!(
        "{}-{}-result-{number}",
        name[..STEM].trim_end_matches(['.', '-']),
        uid.split('-').next().unwrap_or_default()
    )
}

fn api<K: Resource>(client: &Client, query: &K) -> Api<FederatedQuery> {
    Api::namespaced(client.clone(), &query.namespace().unwrap_or_default())
}

fn action<K: Resource>(verb: &str, query: &K) -> String {
    format!("{verb} {}", display_name::<FederatedQuery>(&query.namespace().unwrap_or_default(), &query.name_any()))
}
