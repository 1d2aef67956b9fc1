//! Removal of a node when its jurisdiction is deleted.
//!
//! Inside one namespace owner references do that. They do not cross namespaces, nor clusters: there, and only there, a
//! finalizer holds the resource until its node is gone. The volumes with the audit log stay in any case.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;
use wanqu_crds::kinds::Jurisdiction;

use super::dereference::Target;
use super::{home, remote};
use crate::context::Context;
use crate::framework::apply::Applier;
use crate::framework::labels::{MANAGER, is_made_for};
use crate::framework::{Error, Guarded, Result};
use crate::host::Host;
use crate::names;

/// The finalizer that holds a resource until its node in another namespace or cluster is gone.
pub(super) const FINALIZER: &str = "wanqu.dev/placed-elsewhere";

/// Adds the finalizer, or removes it, as the placement asks for.
pub(super) async fn ensure(context: &Context, jurisdiction: &Jurisdiction, target: &Target) -> Result<()> {
    let wanted = match target {
        Target::Here { namespace } => *namespace != home(jurisdiction),
        Target::Remote { .. } => true,
        Target::External => false,
    };
    set(context, jurisdiction, wanted).await
}

/// Removes a node that another operator runs from now on.
pub(super) async fn leave(context: &Context, jurisdiction: &Jurisdiction) -> Result<()> {
    sweep(context, jurisdiction, Swept { keep: None, authority_stays: false }).await?;
    set(context, jurisdiction, false).await
}

async fn set<K: Resource<DynamicType = ()>>(context: &Context, jurisdiction: &K, wanted: bool) -> Result<()> {
    if jurisdiction.finalizers().iter().any(|held| held == FINALIZER) == wanted {
        return Ok(());
    }
    let (namespace, name) = (home(jurisdiction), jurisdiction.name_any());
    let api: Api<Jurisdiction> = Api::namespaced(context.client.clone(), &namespace);
    let finalizers = if wanted { vec![FINALIZER] } else { Vec::new() };
    let patch = json!({
        "apiVersion": Jurisdiction::api_version(&()), "kind": Jurisdiction::kind(&()),
        "metadata": {"name": name, "uid": jurisdiction.uid(), "finalizers": finalizers},
    });
    match api.patch_metadata(&name, &PatchParams::apply(MANAGER).force(), &Patch::Apply(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api(format!("set the finalizer of Jurisdiction {namespace}/{name}"), error)),
    }
}

/// Removes the node of a jurisdiction that is being deleted, and then the finalizer. Of one that cannot be read, its
/// metadata tells what was made for it in this cluster.
pub(super) async fn undo(context: &Context, jurisdiction: &Guarded<Jurisdiction>) -> Result<()> {
    if !jurisdiction.finalizers().iter().any(|held| held == FINALIZER) {
        return Ok(());
    }
    let fields = jurisdiction.read_fields(&["spec.placement"]);
    let placed = fields.map(Host::of);
    let target = fields.filter(|_| matches!(placed, Some(Host::Here)));
    if let Some(target) = target.and_then(|fields| fields.spec.placement.namespace.as_deref())
        && !context.children.are_read(target)
    {
        // Objects that were made there are not known, so that they could not be removed.
        return Err(Error::NamespaceUnreadable(target.to_owned()));
    }
    let authority_stays = !matches!(placed, Some(Host::Here | Host::External(_)));
    sweep(context, jurisdiction, Swept { keep: None, authority_stays }).await?;
    let left_behind = match placed {
        Some(Host::Remote(secret)) => match remote::client(context, &home(jurisdiction), secret).await? {
            Ok(client) => {
                let applier = Applier::there(client, jurisdiction);
                remove_all(&applier, &jurisdiction.name_any(), &secret.namespace, true).await?;
                None
            }
            // The way there is lost for good: to wait for it would hold the resource, and its namespace, for ever.
            Err(problem) => Some(format!("its node in the other cluster is left behind: {}", problem.message())),
        },
        Some(Host::Here | Host::External(_)) => None,
        None => Some("a node in another cluster would be left behind: spec.placement cannot be read".to_owned()),
    };
    if let Some(note) = left_behind {
        context.events.warning(jurisdiction, "Remove", "LeftBehind", note).await;
    }
    set(context, jurisdiction, false).await
}

/// Exceptions of a sweep.
#[derive(Clone, Copy)]
pub(super) struct Swept<'a> {
    /// This namespace, in which the node is placed.
    pub(super) keep: Option<&'a str>,
    /// The authority in the namespace of the resource: that of a node in another cluster is kept there.
    pub(super) authority_stays: bool,
}

/// Removes what was made for a jurisdiction in namespaces of this cluster in which it is no longer placed.
pub(super) async fn sweep<K: Resource<DynamicType = ()>>(
    context: &Context,
    jurisdiction: &K,
    swept: Swept<'_>,
) -> Result<()> {
    let (home, name) = (home(jurisdiction), jurisdiction.name_any());
    let applier = Applier::here(&context.client, &context.children, jurisdiction);
    for namespace in namespaces(context, jurisdiction) {
        if swept.keep == Some(namespace.as_str()) {
            continue;
        }
        remove_all(&applier, &name, &namespace, namespace != home || !swept.authority_stays).await?;
    }
    if swept.authority_stays || swept.keep == Some(home.as_str()) {
        return Ok(());
    }
    // Of a node in another cluster, the authority alone was kept at home.
    applier.remove::<Secret>(&home, &names::authority(&name)).await
}

/// Closes a node in the namespaces of this cluster that no longer consent to it: removes what it runs by. Its authority and its
/// volumes stay, so that it is the same node with the same audit log once there is consent again; and so does its account, by which
/// [`sweep`] finds the authority.
pub(super) async fn close<K: Resource<DynamicType = ()>>(
    context: &Context,
    jurisdiction: &K,
    stays: impl Fn(&str) -> bool,
) -> Result<()> {
    let applier = Applier::here(&context.client, &context.children, jurisdiction);
    for namespace in namespaces(context, jurisdiction) {
        if !stays(&namespace) {
            remove_node(&applier, &jurisdiction.name_any(), &namespace).await?;
        }
    }
    Ok(())
}

/// Returns the namespaces of this cluster in which something was made for a jurisdiction's node.
fn namespaces<K: Resource>(context: &Context, jurisdiction: &K) -> BTreeSet<String> {
    let (home, name) = (home(jurisdiction), jurisdiction.name_any());
    let children = &context.children;
    let found = children.all("StatefulSet").into_iter();
    // Made first and removed last: while there is one, there may be Secrets, which no watch reports.
    let found = found.chain(children.all("ServiceAccount")).chain(children.all("Service"));
    found.filter(|object| is_made_for(&**object, &home, &name)).filter_map(|object| object.namespace()).collect()
}

async fn remove_all(applier: &Applier<'_>, of: &str, namespace: &str, authority: bool) -> Result<()> {
    remove_node(applier, of, namespace).await?;
    if authority {
        applier.remove::<Secret>(namespace, &names::authority(of)).await?;
    }
    applier.remove::<ServiceAccount>(namespace, &names::node(of)).await
}

/// Removes everything that a node runs by, but for its account.
async fn remove_node(applier: &Applier<'_>, of: &str, namespace: &str) -> Result<()> {
    applier.remove::<StatefulSet>(namespace, &names::node(of)).await?;
    applier.remove::<PodDisruptionBudget>(namespace, &names::node(of)).await?;
    for service in names::services(of) {
        applier.remove::<Service>(namespace, &service).await?;
    }
    for policy in names::policies(of) {
        applier.remove::<NetworkPolicy>(namespace, &policy).await?;
    }
    applier.remove::<ConfigMap>(namespace, &names::bundle(of)).await?;
    applier.remove::<Secret>(namespace, &names::identity(of)).await
}
