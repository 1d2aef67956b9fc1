//! Writes of statuses: server-side apply of the status alone, and only where it differs.

use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::object::HasStatus;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use wanqu_crds::kinds::Status;

use super::conditions::{Claim, Type, conditions};
use super::error::{Error, Result};
use super::guarded::Guarded;
use super::labels::MANAGER;

/// A resource of this project with a status.
pub trait Reported:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus + DeserializeOwned + Clone + Debug
{
}

impl<K> Reported for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + HasStatus + DeserializeOwned + Clone + Debug
{
}

/// Writes the status that `decide` makes of the present one. As in [`apply`](super::apply), the object in the store can
/// decide that nothing is to be written; that something is, only the API server decides.
///
/// # Errors
/// If the API server refuses. An object that is gone is no error.
pub async fn write<K, S>(client: &Client, seen: &K, decide: impl Fn(Option<&S>) -> S) -> Result<()>
where
    K: Reported + HasStatus<Status = S>,
    S: Serialize + PartialEq,
{
    if seen.status() == Some(&decide(seen.status())) {
        return Ok(());
    }
    let (namespace, name) = (seen.namespace().unwrap_or_default(), seen.name_any());
    let api: Api<K> = Api::namespaced(client.clone(), &namespace);
    let doing = |verb: &str| format!("{verb} the status of {} {namespace}/{name}", K::kind(&()));
    let live = api.get_opt(&name).await.map_err(|error| Error::api(doing("get"), error))?;
    let Some(live) = live.filter(|live| live.uid() == seen.uid()) else { return Ok(()) };
    let status = decide(live.status());
    if live.status() == Some(&status) {
        return Ok(());
    }
    let patch = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name, "uid": live.uid()},
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    match api.patch_status(&name, &params, &Patch::Apply(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api(doing("write"), error)),
    }
}

/// Like [`claim`], for an object that may be one that cannot be read: that gets its conditions too.
///
/// # Errors
/// If the API server refuses.
pub async fn report<K>(client: &Client, seen: &Guarded<K>, claims: &[Claim], now: Timestamp) -> Result<()>
where
    K: Reported + HasStatus<Status = Status>,
{
    match &seen.0 {
        Ok(object) => claim(client, object, claims, now).await,
        Err(malformed) => claim_of_malformed::<K>(client, &malformed.metadata, claims, now).await,
    }
}

/// Writes the conditions of an object that cannot be read. The store has no status of it, so the API server is asked
/// each time; there are few of them. The rest of its status stays: a query must not forget that it was asked.
pub(crate) async fn claim_of_malformed<K>(
    client: &Client,
    seen: &ObjectMeta,
    claims: &[Claim],
    now: Timestamp,
) -> Result<()>
where
    K: Reported,
{
    let (namespace, name) = (seen.namespace.clone().unwrap_or_default(), seen.name.clone().unwrap_or_default());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &ApiResource::erase::<K>(&()));
    let doing = |verb: &str| format!("{verb} the status of {} {namespace}/{name}", K::kind(&()));
    let live = api.get_opt(&name).await.map_err(|error| Error::api(doing("get"), error))?;
    let Some(live) = live.filter(|live| live.metadata.uid == seen.uid) else { return Ok(()) };
    let before: Status = serde_json::from_value(live.data["status"].clone()).unwrap_or_default();
    let conditions = conditions(&before.conditions, claims, seen.generation, now);
    let status = Status { observed_generation: seen.generation, conditions };
    if status == before {
        return Ok(());
    }
    let mut whole = live.data["status"].as_object().cloned().unwrap_or_default();
    whole.insert("observedGeneration".to_owned(), json!(status.observed_generation));
    whole.insert("conditions".to_owned(), json!(status.conditions));
    let patch = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name, "uid": seen.uid},
        "status": whole,
    });
    let params = PatchParams::apply(MANAGER).force();
    api.patch_status(&name, &params, &Patch::Apply(&patch))
        .await
        .map(drop)
        .map_err(|error| Error::api(doing("write"), error))
}

/// Passes on how a reconciliation ended. If it failed, the condition `Ready` says why before it is tried again; all other conditions
/// stay.
///
/// # Errors
/// The error that it failed with.
pub async fn telling<K, T>(client: &Client, seen: &Guarded<K>, result: Result<T>, now: Timestamp) -> Result<T>
where
    K: Reported,
{
    let Err(error) = &result else { return result };
    if !error.is_nobodys_fault() {
        let claim = Claim::no(Type::Ready, error.reason(), error.to_string());
        if let Err(unwritten) = tell::<K>(client, seen.meta(), &claim, now).await {
            tracing::warn!(%unwritten, "a failure could not be told in a status");
        }
    }
    result
}

/// Writes one condition, and leaves the rest of a status as it is.
async fn tell<K: Reported>(client: &Client, seen: &ObjectMeta, claim: &Claim, now: Timestamp) -> Result<()> {
    let (namespace, name) = (seen.namespace.clone().unwrap_or_default(), seen.name.clone().unwrap_or_default());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &ApiResource::erase::<K>(&()));
    let doing = |verb: &str| format!("{verb} the status of {} {namespace}/{name}", K::kind(&()));
    let live = api.get_opt(&name).await.map_err(|error| Error::api(doing("get"), error))?;
    let Some(live) = live.filter(|live| live.metadata.uid == seen.uid) else { return Ok(()) };
    let mut status = live.data["status"].as_object().cloned().unwrap_or_default();
    let before: Status = serde_json::from_value(live.data["status"].clone()).unwrap_or_default();
    let made = conditions(&before.conditions, std::slice::from_ref(claim), seen.generation, now);
    let mut all: Vec<_> = before.conditions.iter().filter(|c| c.type_ != claim.of.as_str()).cloned().collect();
    all.extend(made);
    if all.len() == before.conditions.len() && all.iter().all(|condition| before.conditions.contains(condition)) {
        return Ok(());
    }
    status.insert("conditions".to_owned(), json!(all));
    let patch = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()),
        "metadata": {"name": name, "uid": seen.uid, "resourceVersion": live.metadata.resource_version},
        "status": status,
    });
    let written = api.patch_status(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&patch)).await;
    written.map(drop).map_err(|error| Error::api(doing("write"), error))
}

/// Like [`write`], for kinds whose status holds conditions and nothing else.
///
/// # Errors
/// If the API server refuses.
pub async fn claim<K>(client: &Client, seen: &K, claims: &[Claim], now: Timestamp) -> Result<()>
where
    K: Reported + HasStatus<Status = Status>,
{
    let generation = seen.meta().generation;
    write(client, seen, |before: Option<&Status>| {
        let previous = before.map(|status| status.conditions.as_slice()).unwrap_or_default();
        Status { observed_generation: generation, conditions: conditions(previous, claims, generation, now) }
    })
    .await
}
