//! Writes of objects: server-side apply, under one field manager, and only where the object in the cluster differs from
//! what is desired.
//!
//! The store of the watch can decide that nothing is to be written; that something is, only the API server decides,
//! since a store may lag behind what the operator wrote a moment ago. So a settled cluster costs no call at all.

use std::fmt::Debug;
use std::marker::PhantomData;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::error::{Error, Result};
use super::labels::{MADE_FOR, MANAGER, SHAPE};
use super::matches::{has_all, shape};
use super::watched::Children;

/// State of an object that is built and not yet written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {}

/// State of an object as the API server holds it: only [`Applier`] makes these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {}

/// An object in one of the two states.
#[derive(Debug, Clone, PartialEq)]
pub struct Built<K, State> {
    object: K,
    state: PhantomData<State>,
}

impl<K> Built<K, Prepared> {
    /// An object that is to be written.
    pub fn new(object: K) -> Self {
        Self { object, state: PhantomData }
    }
}

impl<K, State> Built<K, State> {
    /// Returns the object.
    pub fn get(&self) -> &K {
        &self.object
    }
}

/// A namespaced kind that is known at compile time.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug
{
}

/// Writer of the objects that are made for one resource, in one cluster.
pub struct Applier<'a> {
    client: Client,
    /// The stores of this cluster; none for another cluster, which is asked instead.
    seen: Option<&'a Children>,
    made_for: String,
}

impl<'a> Applier<'a> {
    /// A writer for the resource `owner`, in the operator's own cluster.
    pub fn here<K: Resource>(client: &Client, seen: &'a Children, owner: &K) -> Self {
        Self { client: client.clone(), seen: Some(seen), made_for: key(owner) }
    }

    /// A writer for the resource `owner`, in the cluster of `client`.
    pub fn there<K: Resource>(client: Client, owner: &K) -> Self {
        Self { client, seen: None, made_for: key(owner) }
    }

    /// Writes an object if it differs from the one in the cluster, and returns that as it is then.
    ///
    /// # Errors
    /// If the API server refuses, or an object of this name was not made for this resource.
    pub async fn apply<K: Object>(&self, built: Built<K, Prepared>) -> Result<Built<K, Applied>> {
        let object = built.object;
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let desired = self.marked(&object)?;
        if let Some(children) = self.seen
            && let Some(seen) = children.get(&K::kind(&()), &namespace, &name)
            && let Ok(seen) = serde_json::to_value(&*seen)
            && has_all(&seen, &desired)
        {
            return applied(seen, &display_name::<K>(&namespace, &name));
        }
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        let doing = |verb: &str| format!("{verb} {}", display_name::<K>(&namespace, &name));
        if let Some(live) = api.get_opt(&name).await.map_err(|error| Error::api(doing("get"), error))? {
            self.check_ours(&live)?;
            self.remember(&live)?;
            let live = to_value(&live, &name)?;
            if has_all(&live, &desired) {
                return applied(live, &display_name::<K>(&namespace, &name));
            }
        }
        let params = PatchParams::apply(MANAGER).force();
        let object = api
            .patch(&name, &params, &Patch::Apply(&desired))
            .await
            .map_err(|error| Error::api(doing("apply"), error))?;
        self.remember(&object)?;
        tracing::info!(object = display_name::<K>(&namespace, &name), "applied");
        Ok(Built { object, state: PhantomData })
    }

    /// Returns true if the pods of a workload would be others: something that is desired of their template is not so yet.
    #[must_use]
    pub fn restarts(&self, live: &StatefulSet, desired: &StatefulSet) -> bool {
        let template = |set: &StatefulSet| set.spec.as_ref().map(|spec| serde_json::to_value(&spec.template));
        let (Some(Ok(live_pods)), Some(Ok(pods))) = (template(live), template(desired)) else { return true };
        let marks = |set: &StatefulSet| set.annotations().get(SHAPE).cloned();
        // A field that is to go is seen by the shape alone.
        let shape = to_value(desired, &desired.name_any()).ok().map(|desired| shape(&desired));
        !has_all(&live_pods, &pods) || marks(live) != shape
    }

    /// Returns an object, from the store if it is there, or as it is remembered.
    ///
    /// # Errors
    /// If the API server cannot be asked, or the object was not made for this resource.
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

    /// Returns an object as the API server has it now, whatever the store holds.
    ///
    /// # Errors
    /// If the API server cannot be asked, or the object was not made for this resource.
    pub async fn live<K: Object>(&self, namespace: &str, name: &str) -> Result<Option<K>> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let doing = format!("get {}", display_name::<K>(namespace, name));
        let object = api.get_opt(name).await.map_err(|error| Error::api(doing, error))?;
        self.forget::<K>(namespace, name);
        let Some(object) = object else { return Ok(None) };
        self.check_ours(&object)?;
        self.remember(&object)?;
        Ok(Some(object))
    }

    /// Remembers an object as it is now, if its kind is not watched.
    fn remember<K: Object>(&self, object: &K) -> Result<()> {
        let memory = self.seen.and_then(|children| children.memory_of(&K::kind(&())));
        let Some(memory) = memory else { return Ok(()) };
        let name = object.name_any();
        let object = serde_json::from_value(to_value(object, &name)?);
        memory.set(object.map_err(|error| unreadable(format!("{} {name}", K::kind(&())), &error))?);
        Ok(())
    }

    fn forget<K: Object>(&self, namespace: &str, name: &str) {
        if let Some(memory) = self.seen.and_then(|children| children.memory_of(&K::kind(&()))) {
            memory.forget(namespace, name);
        }
    }

    /// Removes an object that was made for this resource, if it is there. One of this name that was made for another stays.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn remove<K: Object>(&self, namespace: &str, name: &str) -> Result<()> {
        let found = match self.get::<K>(namespace, name).await {
            Err(Error::Taken { .. }) => None,
            found => found?,
        };
        let Some(object) = found else { return Ok(()) };
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: object.uid(), resource_version: None }),
            ..DeleteParams::background()
        };
        self.forget::<K>(namespace, name);
        match api.delete(name, &params).await {
            Ok(_) => {
                tracing::info!(object = display_name::<K>(namespace, name), "removed");
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(Error::api(format!("remove {}", display_name::<K>(namespace, name)), error)),
        }
    }

    /// Deletes an object and leaves what it owns to itself: the next one of its name may take that over.
    ///
    /// # Errors
    /// If the API server refuses, or the object is another one by now.
    pub async fn orphan<K: Object>(&self, live: &K) -> Result<()> {
        self.check_ours(live)?;
        let (namespace, name) = (live.namespace().unwrap_or_default(), live.name_any());
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: live.uid(), resource_version: None }),
            ..DeleteParams::orphan()
        };
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        match api.delete(&name, &params).await {
            Ok(_) => {
                tracing::info!(object = display_name::<K>(&namespace, &name), "removed, and what it owns is kept");
                Ok(())
            }
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(Error::api(format!("make {} anew", display_name::<K>(&namespace, &name)), error)),
        }
    }

    /// Returns the object with the annotations by which it is recognised.
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
        Err(Error::Taken { object: display_name::<K>(&live.namespace().unwrap_or_default(), &live.name_any()), owner })
    }
}

/// Returns `namespace/name` of a resource.
#[must_use]
pub fn key<K: Resource>(resource: &K) -> String {
    format!("{}/{}", resource.namespace().unwrap_or_default(), resource.name_any())
}

/// Returns the name of an object for messages: `Service gba/hongkong-node`.
#[must_use]
pub fn display_name<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> String {
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
    // The text of the error could quote a Secret: only its category is told.
    Error::Unreadable { object, problem: format!("{:?} error", error.classify()) }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;

    use axum::http::{Method, Request, Response};
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    use kube::api::ObjectMeta;
    use kube::client::Body;
    use parking_lot::Mutex;

    use super::*;
    use crate::framework::health::Health;
    use crate::framework::metrics::Metrics;
    use crate::framework::tasks::Tasks;
    use crate::framework::watched::Watches;

    /// An API server that keeps one object, and notes what it was asked.
    #[derive(Clone, Default)]
    struct Server {
        object: Arc<Mutex<Option<Value>>>,
        calls: Arc<Mutex<Vec<Method>>>,
    }

    impl Server {
        fn client(&self) -> Client {
            let server = self.clone();
            let service = tower::service_fn(move |request: Request<Body>| {
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.answer(request).await) }
            });
            Client::new(service, "default")
        }

        async fn answer(&self, request: Request<Body>) -> Response<Body> {
            let method = request.method().clone();
            let bytes = request.into_body().collect_bytes().await.unwrap();
            self.calls.lock().push(method.clone());
            let mut object = self.object.lock();
            match method {
                Method::PATCH => {
                    let mut given: Value = serde_json::from_slice(&bytes).unwrap();
                    given["metadata"]["uid"] = json!("u");
                    *object = Some(given);
                }
                Method::DELETE => *object = None,
                _ => {}
            }
            let gone = json!({
                "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404,
                "message": "gone",
            });
            let status = if object.is_some() || method == Method::DELETE { 200 } else { 404 };
            let text = serde_json::to_vec(object.as_ref().unwrap_or(&gone)).unwrap();
            Response::builder().status(status).body(Body::from(text)).unwrap()
        }

        fn calls(&self) -> String {
            let calls: Vec<String> = self.calls.lock().drain(..).map(|method| method.to_string()).collect();
            calls.join(" ")
        }
    }

    fn children(client: &Client) -> Children {
        let (health, mut tasks) = (Health::new(Metrics::new()), Tasks::default());
        let mut watches = Watches { client, health: &health, tasks: &mut tasks };
        Children::start(&[], |_| {}, &mut watches)
    }

    fn metadata() -> ObjectMeta {
        ObjectMeta { name: Some("a".to_owned()), namespace: Some("gba".to_owned()), ..ObjectMeta::default() }
    }

    #[tokio::test]
    async fn a_secret_is_asked_for_once_and_not_for_each_reconciliation() {
        let server = Server::default();
        let client = server.client();
        let children = children(&client);
        let owner = ConfigMap { metadata: metadata(), ..ConfigMap::default() };
        let applier = Applier::here(&client, &children, &owner);
        let secret = || Built::new(Secret { metadata: metadata(), ..Secret::default() });
        assert!(applier.get::<Secret>("gba", "a").await.unwrap().is_none());
        assert_eq!(server.calls(), "GET", "what is not there is not remembered");
        applier.apply(secret()).await.unwrap();
        assert_eq!(server.calls(), "GET PATCH");
        applier.apply(secret()).await.unwrap();
        assert!(applier.get::<Secret>("gba", "a").await.unwrap().is_some());
        assert_eq!(server.calls(), "");

        // Another operator that comes after it.
        let later = self::children(&client);
        let applier = Applier::here(&client, &later, &owner);
        applier.apply(secret()).await.unwrap();
        applier.apply(secret()).await.unwrap();
        assert_eq!(server.calls(), "GET", "it is as it should be");
        assert!(applier.live::<Secret>("gba", "a").await.unwrap().is_some());
        assert_eq!(server.calls(), "GET", "whatever is remembered");
        applier.remove::<Secret>("gba", "a").await.unwrap();
        assert!(applier.get::<Secret>("gba", "a").await.unwrap().is_none());
        assert_eq!(server.calls(), "DELETE GET");
    }

    #[tokio::test]
    async fn a_secret_of_somebody_else_is_neither_taken_nor_remembered() {
        let server = Server::default();
        let theirs = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "gba"}});
        *server.object.lock() = Some(theirs);
        let client = server.client();
        let children = children(&client);
        let owner = ConfigMap { metadata: metadata(), ..ConfigMap::default() };
        let applier = Applier::here(&client, &children, &owner);
        for _ in 0..2 {
            assert!(matches!(applier.get::<Secret>("gba", "a").await, Err(Error::Taken { .. })));
            assert_eq!(server.calls(), "GET");
            applier.remove::<Secret>("gba", "a").await.unwrap();
            assert_eq!(server.calls(), "GET", "nor removed, and what is the resource's own beside it can be");
        }
    }
}
