//! The one way in which the operator writes objects: server-side apply, under one field manager, and only where the
//! object that lives says something else.
//!
//! The store of the watch decides that nothing is to be done; that something is, only the API server itself decides,
//! since a store may lag behind what the operator wrote a moment ago. So a settled cluster costs no call at all.

use std::fmt::Debug;
use std::marker::PhantomData;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::{Error, Result};
use super::labels::{MADE_FOR, MANAGER, SHAPE};
use super::matches::{says_all, shape};
use super::watched::Children;

/// Objects as they are built, before the API server knows of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {}

/// Objects as the API server holds them: only [`Applier`] makes these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {}

/// An object in one of the two states.
#[derive(Debug, Clone, PartialEq)]
pub struct Built<K, State> {
    object: K,
    state: PhantomData<State>,
}

impl<K> Built<K, Prepared> {
    /// An object that is to be.
    pub fn new(object: K) -> Self {
        Self { object, state: PhantomData }
    }
}

impl<K, State> Built<K, State> {
    /// The object.
    pub fn get(&self) -> &K {
        &self.object
    }
}

/// What can be applied: a namespaced object of a kind known at compile time.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug
{
}

/// Writes the objects that were made for one resource, into one cluster.
pub struct Applier<'a> {
    client: Client,
    /// What is seen of this cluster; nothing of another one, which is asked instead.
    seen: Option<&'a Children>,
    made_for: String,
}

impl<'a> Applier<'a> {
    /// For the resource `owner`, into the operator's own cluster.
    pub fn here<K: Resource>(client: &Client, seen: &'a Children, owner: &K) -> Self {
        Self { client: client.clone(), seen: Some(seen), made_for: key(owner) }
    }

    /// For the resource `owner`, into the cluster that `client` speaks to.
    pub fn there<K: Resource>(client: Client, owner: &K) -> Self {
        Self { client, seen: None, made_for: key(owner) }
    }

    /// Makes an object be as it is to be, and returns it as it is.
    ///
    /// # Errors
    /// When the API server refuses, or an object of this name is not the operator's own for this resource.
    pub async fn apply<K: Object>(&self, built: Built<K, Prepared>) -> Result<Built<K, Applied>> {
        let object = built.object;
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let desired = self.marked(&object)?;
        if let Some(children) = self.seen
            && let Some(seen) = children.get(&K::kind(&()), &namespace, &name)
            && let Ok(seen) = serde_json::to_value(&*seen)
            && says_all(&seen, &desired)
        {
            return applied(seen, &called::<K>(&namespace, &name));
        }
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        let doing = |verb: &str| format!("{verb} {}", called::<K>(&namespace, &name));
        if let Some(live) = api.get_opt(&name).await.map_err(|error| Error::api(doing("get"), error))? {
            self.check_ours(&live)?;
            let live = to_value(&live, &name)?;
            if says_all(&live, &desired) {
                return applied(live, &called::<K>(&namespace, &name));
            }
        }
        let params = PatchParams::apply(MANAGER).force();
        let object = api
            .patch(&name, &params, &Patch::Apply(&desired))
            .await
            .map_err(|error| Error::api(doing("apply"), error))?;
        tracing::info!(object = called::<K>(&namespace, &name), "applied");
        Ok(Built { object, state: PhantomData })
    }

    /// An object as it is now, if it is there.
    ///
    /// # Errors
    /// When the API server cannot be asked, or the object is not the operator's own for this resource.
    pub async fn get<K: Object>(&self, namespace: &str, name: &str) -> Result<Option<K>> {
        if let Some(children) = self.seen
            && let Some(seen) = children.get(&K::kind(&()), namespace, name)
            && let Ok(object) = serde_json::to_value(&*seen).and_then(serde_json::from_value::<K>)
        {
            self.check_ours(&object)?;
            return Ok(Some(object));
        }
        self.live(namespace, name).await
    }

    /// An object as the API server has it at this moment, whatever the store has seen.
    ///
    /// # Errors
    /// When the API server cannot be asked, or the object is not the operator's own for this resource.
    pub async fn live<K: Object>(&self, namespace: &str, name: &str) -> Result<Option<K>> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let doing = format!("get {}", called::<K>(namespace, name));
        let object = api.get_opt(name).await.map_err(|error| Error::api(doing, error))?;
        object.as_ref().map_or(Ok(()), |object| self.check_ours(object))?;
        Ok(object)
    }

    /// Removes an object that was made for this resource, if it is there.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn remove<K: Object>(&self, namespace: &str, name: &str) -> Result<()> {
        let Some(object) = self.get::<K>(namespace, name).await? else { return Ok(()) };
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: object.uid(), resource_version: None }),
            ..DeleteParams::background()
        };
        match api.delete(name, &params).await {
            Ok(_) => {
                tracing::info!(object = called::<K>(namespace, name), "removed");
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(Error::api(format!("remove {}", called::<K>(namespace, name)), error)),
        }
    }

    /// The object with the marks by which it is known again.
    fn marked<K: Object>(&self, object: &K) -> Result<Value> {
        let mut desired = to_value(object, &object.name_any())?;
        let shape = shape(&desired);
        let metadata = &mut desired["metadata"];
        if !metadata["annotations"].is_object() {
            metadata["annotations"] = json!({});
        }
        metadata["annotations"][MADE_FOR] = json!(self.made_for);
        metadata["annotations"][SHAPE] = json!(shape);
        Ok(desired)
    }

    fn check_ours<K: Object>(&self, live: &K) -> Result<()> {
        let owner = match live.annotations().get(MADE_FOR) {
            Some(owner) if *owner == self.made_for => return Ok(()),
            Some(owner) => owner.clone(),
            None => "somebody else".to_owned(),
        };
        Err(Error::Taken { object: called::<K>(&live.namespace().unwrap_or_default(), &live.name_any()), owner })
    }
}

/// `namespace/name` of a resource.
#[must_use]
pub fn key<K: Resource>(resource: &K) -> String {
    format!("{}/{}", resource.namespace().unwrap_or_default(), resource.name_any())
}

/// How messages call an object: `Service gba/hongkong-node`.
#[must_use]
pub fn called<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> String {
    format!("{} {namespace}/{name}", K::kind(&()))
}

fn to_value<K: Object>(object: &K, name: &str) -> Result<Value> {
    serde_json::to_value(object).map_err(|error| unreadable(format!("{} {name}", K::kind(&())), &error))
}

fn applied<K: Object>(value: Value, called: &str) -> Result<Built<K, Applied>> {
    let object = serde_json::from_value(value).map_err(|error| unreadable(called.to_owned(), &error))?;
    Ok(Built { object, state: PhantomData })
}

fn unreadable(object: String, error: &serde_json::Error) -> Error {
    // The error of a Secret could quote it: only its kind is told.
    Error::Unreadable { object, problem: format!("{:?} error", error.classify()) }
}
