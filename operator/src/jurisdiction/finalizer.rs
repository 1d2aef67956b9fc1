//! What must be undone by hand when a jurisdiction goes.
//!
//! Inside one namespace owner references do it. They do not cross namespaces, nor clusters: there, and only there, a
//! finalizer holds the resource until its node is gone. The volumes with the audit log stay in any case.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;
use wanqu_crds::kinds::Jurisdiction;

use super::dereference::Place;
use super::{home, remote};
use crate::framework::apply::{Applier, key};
use crate::framework::labels::{MANAGER, made_for};
use crate::framework::{Context, Error, Result};
use crate::names;
use crate::placed::Placed;

/// Holds a resource until its node in another namespace or cluster is gone.
pub(super) const FINALIZER: &str = "wanqu.dev/placed-elsewhere";

/// Puts the finalizer on, or takes it off, as the placement asks for.
pub(super) async fn ensure(context: &Context, jurisdiction: &Jurisdiction, place: &Place) -> Result<()> {
    let wanted = match place {
        Place::Here { namespace } => *namespace != home(jurisdiction),
        Place::There { .. } => true,
        Place::Elsewhere => false,
    };
    set(context, jurisdiction, wanted).await
}

/// Removes a node that somebody else runs from now on.
pub(super) async fn leave(context: &Context, jurisdiction: &Jurisdiction) -> Result<()> {
    sweep(context, jurisdiction, None).await?;
    set(context, jurisdiction, false).await
}

async fn set(context: &Context, jurisdiction: &Jurisdiction, wanted: bool) -> Result<()> {
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

/// Removes the node of a jurisdiction that is going, and lets it go.
pub(super) async fn undo(context: &Context, jurisdiction: &Jurisdiction) -> Result<()> {
    if !jurisdiction.finalizers().iter().any(|held| held == FINALIZER) {
        return Ok(());
    }
    sweep(context, jurisdiction, None).await?;
    if let Placed::There(secret) = Placed::of(jurisdiction) {
        match remote::client(context, &home(jurisdiction), secret).await? {
            Ok(client) => {
                remove_all(&Applier::there(client, jurisdiction), jurisdiction, &secret.namespace, true).await?;
            }
            // The way there is lost for good: to wait for it would hold the resource, and its namespace, for ever.
            Err(problem) => {
                let note = format!("its node in the other cluster is left behind: {}", problem.told());
                context.events.warning(jurisdiction, "Remove", "LeftBehind", note).await;
            }
        }
    }
    set(context, jurisdiction, false).await
}

/// Removes what was made for a jurisdiction in namespaces of this cluster in which it is no longer placed.
pub(super) async fn sweep(context: &Context, jurisdiction: &Jurisdiction, keep: Option<&str>) -> Result<()> {
    let own = key(jurisdiction);
    let home = home(jurisdiction);
    let authority = names::authority(&jurisdiction.name_any());
    let remote = matches!(Placed::of(jurisdiction), Placed::There(_));
    let mut namespaces: Vec<String> = context
        .children
        .all("StatefulSet")
        .into_iter()
        .chain(context.children.all("Secret"))
        .chain(context.children.all("Service"))
        .filter(|object| made_for(&**object).is_some_and(|(ns, name)| format!("{ns}/{name}") == own))
        // The authority of a node in another cluster is kept at home.
        .filter(|object| !(remote && object.name_any() == authority))
        .filter_map(|object| object.namespace())
        .filter(|namespace| keep != Some(namespace.as_str()))
        .collect();
    namespaces.sort();
    namespaces.dedup();
    let applier = Applier::here(&context.client, &context.children, jurisdiction);
    for namespace in namespaces {
        remove_all(&applier, jurisdiction, &namespace, namespace != home || !remote).await?;
    }
    Ok(())
}

async fn remove_all(
    applier: &Applier<'_>,
    jurisdiction: &Jurisdiction,
    namespace: &str,
    authority: bool,
) -> Result<()> {
    let of = jurisdiction.name_any();
    applier.remove::<StatefulSet>(namespace, &names::node(&of)).await?;
    applier.remove::<PodDisruptionBudget>(namespace, &names::node(&of)).await?;
    for service in names::services(&of) {
        applier.remove::<Service>(namespace, &service).await?;
    }
    for policy in names::policies(&of) {
        applier.remove::<NetworkPolicy>(namespace, &policy).await?;
    }
    applier.remove::<ConfigMap>(namespace, &names::bundle(&of)).await?;
    applier.remove::<Secret>(namespace, &names::identity(&of)).await?;
    if authority {
        applier.remove::<Secret>(namespace, &names::authority(&of)).await?;
    }
    applier.remove::<ServiceAccount>(namespace, &names::node(&of)).await
}
