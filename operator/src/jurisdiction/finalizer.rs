//! Removal of a node when its jurisdiction is deleted, or placed elsewhere.
//!
//! A finalizer holds the resource until its node is gone. The garbage collector alone would not do: owner references do not cross
//! namespaces, nor clusters, and it takes network policies away while the pods that they close still drain. Here the policies go
//! last, once no pod is left. The volumes with the audit log stay in any case, and the authority unless it is to be forgotten: a
//! Jurisdiction that is made again has both.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use wanqu_crds::kinds::Jurisdiction;

use super::dereference::Target;
use super::{home, remote};
use crate::context::Context;
use crate::framework::apply::Applier;
use crate::framework::labels::{self, FORGET, MANAGER, PLACED_IN, is_made_for};
use crate::framework::{Error, Guarded, Result};
use crate::host::Host;
use crate::names;

/// The finalizer that holds a resource until its node is gone.
pub(super) const FINALIZER: &str = "wanqu.dev/node";
/// The same of versions that held only nodes in another namespace or cluster.
const FORMER: &str = "wanqu.dev/placed-elsewhere";

/// Adds the finalizer to a jurisdiction whose node this operator runs, and notes where, before anything is made there.
pub(super) async fn ensure(context: &Context, jurisdiction: &Jurisdiction, target: &Target) -> Result<()> {
    let here = if let Target::Here { namespace } = target { Some(namespace.clone()) } else { None };
    let made = namespaces(context, jurisdiction);
    let may_be = |namespace: &String| made.contains(namespace) || !context.children.are_read(namespace);
    let noted: BTreeSet<String> = placed_in(jurisdiction).into_iter().filter(may_be).chain(here).collect();
    set(context, jurisdiction, Some(noted)).await
}

/// Returns the first namespace that cannot be read in which something was made for a node that is placed elsewhere by now.
pub(super) fn out_of_sight<K: Resource>(context: &Context, jurisdiction: &K, target: &Target) -> Option<String> {
    let is_former = |former: &String| !matches!(target, Target::Here { namespace } if namespace == former);
    placed_in(jurisdiction).into_iter().filter(is_former).find(|namespace| !context.children.are_read(namespace))
}

/// Returns the namespaces of this cluster in which something was made for a jurisdiction, by its own note.
pub(super) fn placed_in<K: Resource>(jurisdiction: &K) -> BTreeSet<String> {
    let noted = jurisdiction.annotations().get(PLACED_IN).map(String::as_str).unwrap_or_default();
    noted.split(',').filter(|namespace| !namespace.is_empty()).map(str::to_owned).collect()
}

/// Removes a node that another operator runs from now on.
pub(super) async fn leave(context: &Context, jurisdiction: &Jurisdiction) -> Result<()> {
    match sweep(context, jurisdiction, Swept { keep: None, authority: fate(jurisdiction) }).await? {
        Left::Nothing => set(context, jurisdiction, None).await,
        Left::Pods => Ok(()),
    }
}

/// Adds the finalizer, with the namespaces that are noted, or removes it. It is removed whoever put it there, since it may have come
/// with a copy of another object.
async fn set<K: Resource<DynamicType = ()>>(
    context: &Context,
    jurisdiction: &K,
    wanted: Option<BTreeSet<String>>,
) -> Result<()> {
    let noted = wanted.map(|namespaces| namespaces.into_iter().collect::<Vec<_>>().join(","));
    let held = jurisdiction.finalizers();
    let ours = |name: &&String| *name == FINALIZER || *name == FORMER;
    let mut finalizers: Vec<&str> = held.iter().filter(|name| !ours(name)).map(String::as_str).collect();
    if noted.is_some() {
        finalizers.push(FINALIZER);
    }
    let is_held = finalizers.len() == held.len() && finalizers.iter().all(|name| held.iter().any(|one| one == name));
    let is_noted = jurisdiction.annotations().get(PLACED_IN) == noted.as_ref().filter(|noted| !noted.is_empty());
    if is_held && is_noted {
        return Ok(());
    }
    let (namespace, name) = (home(jurisdiction), jurisdiction.name_any());
    let api: Api<Jurisdiction> = Api::namespaced(context.client.clone(), &namespace);
    let patch = json!({"metadata": {
        "uid": jurisdiction.uid(), "resourceVersion": jurisdiction.resource_version(), "finalizers": finalizers,
        "annotations": {PLACED_IN: noted.filter(|noted| !noted.is_empty())},
    }});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch_metadata(&name, &params, &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api(format!("set the finalizer of Jurisdiction {namespace}/{name}"), error)),
    }
}

/// Removes the node of a jurisdiction that is being deleted, and then the finalizer. Of one that cannot be read, its
/// metadata tells what was made for it in this cluster. While pods of it run, there is something left to do.
pub(super) async fn undo(context: &Context, jurisdiction: &Guarded<Jurisdiction>) -> Result<Left> {
    if !jurisdiction.finalizers().iter().any(|held| held == FINALIZER || held == FORMER) {
        return Ok(Left::Nothing);
    }
    let fields = jurisdiction.read_fields(&["spec.placement"]);
    let placed = fields.map(Host::of);
    let target = fields.filter(|_| matches!(placed, Some(Host::Here)));
    let target = target.and_then(|fields| fields.spec.placement.namespace.clone());
    if let Some(unread) = target.into_iter().chain(placed_in(jurisdiction)).find(|one| !context.children.are_read(one))
    {
        // Objects that were made there are not known, so that they could not be removed.
        return Err(Error::NamespaceUnreadable(unread));
    }
    let mut left = sweep(context, jurisdiction, Swept { keep: None, authority: fate(jurisdiction) }).await?;
    let left_behind = match placed {
        Some(Host::Remote(secret)) => match remote::client(context, &home(jurisdiction), secret).await? {
            Ok(client) => {
                let remover = Remover::there(client, jurisdiction);
                left = left.and(remover.all(&secret.namespace, false).await?);
                None
            }
            // The way there is lost for good: to wait for it would hold the resource, and its namespace, for ever.
            Err(problem) => Some(format!("its node in the other cluster is left behind: {}", problem.message())),
        },
        Some(Host::Here | Host::External(_)) => None,
        None => Some("a node in another cluster would be left behind: spec.placement cannot be read".to_owned()),
    };
    if left == Left::Pods {
        return Ok(left);
    }
    if let Some(note) = left_behind {
        context.events.warning(jurisdiction, "Remove", "LeftBehind", note).await;
    }
    set(context, jurisdiction, None).await?;
    Ok(left)
}

/// What is left of a node after its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// Pods that drain, and the policies that close them.
    Pods,
}

impl Left {
    fn and(self, other: Self) -> Self {
        if self == Self::Nothing { other } else { self }
    }
}

/// Exceptions of a sweep.
#[derive(Clone, Copy)]
pub(super) struct Swept<'a> {
    /// This namespace, in which the node is placed.
    pub(super) keep: Option<&'a str>,
    /// What becomes of the authority.
    pub(super) authority: Authority,
}

/// What becomes of an authority in a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authority {
    /// It stays wherever it is.
    Stays,
    /// It stays in the namespace of the resource: that of a node in another cluster is kept there.
    StaysAtHome,
    /// It goes.
    Goes,
}

/// Returns what becomes of the authority of a jurisdiction that goes, or is run by another operator.
fn fate<K: Resource>(jurisdiction: &K) -> Authority {
    let forget = jurisdiction.annotations().get(FORGET).is_some_and(|what| what == "authority");
    if forget { Authority::Goes } else { Authority::Stays }
}

/// Removes what was made for a jurisdiction in namespaces of this cluster in which it is no longer placed.
pub(super) async fn sweep<K: Resource<DynamicType = ()>>(
    context: &Context,
    jurisdiction: &K,
    swept: Swept<'_>,
) -> Result<Left> {
    let home = home(jurisdiction);
    let remover = Remover::here(context, jurisdiction);
    let mut left = Left::Nothing;
    for namespace in namespaces(context, jurisdiction) {
        if swept.keep == Some(namespace.as_str()) {
            continue;
        }
        let goes = match swept.authority {
            Authority::Stays => false,
            Authority::StaysAtHome => namespace != home,
            Authority::Goes => true,
        };
        left = left.and(remover.all(&namespace, goes).await?);
    }
    if swept.authority == Authority::Goes && swept.keep != Some(home.as_str()) {
        // Of a node in another cluster, the authority alone was kept at home.
        remover.applier.remove::<Secret>(&home, &names::authority(&remover.name)).await?;
    }
    Ok(left)
}

/// Closes a node in the namespaces of this cluster that no longer consent to it: removes what it runs by. Its authority and its
/// volumes stay, so that it is the same node with the same audit log once there is consent again; and so does its account, by which
/// [`sweep`] finds the authority.
pub(super) async fn close<K: Resource<DynamicType = ()>>(
    context: &Context,
    jurisdiction: &K,
    stays: impl Fn(&str) -> bool,
) -> Result<()> {
    let remover = Remover::here(context, jurisdiction);
    for namespace in namespaces(context, jurisdiction) {
        if !stays(&namespace) {
            remover.node(&namespace).await?;
        }
    }
    Ok(())
}

/// Returns the namespaces of this cluster in which something was made for a jurisdiction's node.
fn namespaces<K: Resource>(context: &Context, jurisdiction: &K) -> BTreeSet<String> {
    let (home, name) = (home(jurisdiction), jurisdiction.name_any());
    // An account is made first and removed last: while there is one, there may be Secrets, which no watch reports.
    let kinds = ["ServiceAccount", "StatefulSet", "Service", "NetworkPolicy"];
    let found = kinds.into_iter().flat_map(|kind| context.children.all(kind));
    found.filter(|object| is_made_for(&**object, &home, &name)).filter_map(|object| object.namespace()).collect()
}

/// Removes what was made for one jurisdiction, in one cluster.
struct Remover<'a> {
    applier: Applier<'a>,
    client: Client,
    home: String,
    name: String,
}

impl<'a> Remover<'a> {
    fn here<K: Resource>(context: &'a Context, jurisdiction: &K) -> Self {
        let applier = Applier::here(&context.client, &context.children, jurisdiction);
        Self { applier, client: context.client.clone(), home: home(jurisdiction), name: jurisdiction.name_any() }
    }

    fn there<K: Resource>(client: Client, jurisdiction: &K) -> Self {
        let applier = Applier::there(client.clone(), jurisdiction);
        Self { applier, client, home: home(jurisdiction), name: jurisdiction.name_any() }
    }

    /// Removes everything in a namespace, its account last.
    async fn all(&self, namespace: &str, authority: bool) -> Result<Left> {
        let left = self.node(namespace).await?;
        if authority {
            self.applier.remove::<Secret>(namespace, &names::authority(&self.name)).await?;
        }
        if left == Left::Nothing {
            self.applier.remove::<ServiceAccount>(namespace, &names::node(&self.name)).await?;
        }
        Ok(left)
    }

    /// Removes everything that a node runs by, but for its account; its policies once no pod is left that they close.
    async fn node(&self, namespace: &str) -> Result<Left> {
        let (applier, of) = (&self.applier, self.name.as_str());
        applier.remove::<StatefulSet>(namespace, &names::node(of)).await?;
        applier.remove::<PodDisruptionBudget>(namespace, &names::node(of)).await?;
        for service in names::services(of) {
            applier.remove::<Service>(namespace, &service).await?;
        }
        applier.remove::<ConfigMap>(namespace, &names::bundle(of)).await?;
        applier.remove::<Secret>(namespace, &names::identity(of)).await?;
        if self.has_pods(namespace).await? {
            return Ok(Left::Pods);
        }
        for policy in names::policies(of) {
            applier.remove::<NetworkPolicy>(namespace, &policy).await?;
        }
        Ok(Left::Nothing)
    }

    /// Returns true if pods of the node are left, by the API server and no store: that could lag behind.
    async fn has_pods(&self, namespace: &str) -> Result<bool> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let found = api.list_metadata(&ListParams::default().labels(&labels::managed())).await;
        let found = found.map_err(|error| Error::api(format!("list the pods of {namespace}"), error))?;
        Ok(found.items.iter().any(|pod| is_made_for(pod, &self.home, &self.name)))
    }
}
