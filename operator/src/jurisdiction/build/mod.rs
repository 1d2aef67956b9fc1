//! Step 4: every object of a node. Pure: the same inputs give the same objects.

mod bundle;
mod disruption;
mod network;
mod services;
mod stateful_set;

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::{Jurisdiction, JurisdictionSpec};
use wanqu_model::names::JurisdictionId;

use super::dereference::{FederationRef, Inputs, Place};
use super::neighbours::Neighbours;
use crate::framework::apply::{Built, Prepared};
use crate::framework::labels;
use crate::names;
use crate::observed::OBSERVATION;
use crate::realm::BundleFile;
use crate::settings::Settings;

/// The exchange, where other nodes come in.
pub(super) const EXCHANGE: i32 = 7443;
/// The gateway, where researchers come in.
pub(super) const GATEWAY: i32 = 8443;

/// Everything that the objects of a node are made of.
pub(super) struct Node<'a> {
    name: String,
    home: String,
    namespace: &'a str,
    federation: &'a FederationRef,
    spec: &'a JurisdictionSpec,
    owner: Option<OwnerReference>,
    bundle: Option<Arc<BundleFile>>,
    neighbours: &'a Neighbours,
    /// Whether it is in the cluster that the operator is in.
    here: bool,
    settings: &'a Settings,
}

/// The objects of a node, in the order in which they are needed.
pub(super) struct Resources<State> {
    pub(super) account: Built<ServiceAccount, State>,
    pub(super) services: Vec<Built<Service, State>>,
    pub(super) policies: Vec<Built<NetworkPolicy, State>>,
    pub(super) disruption: Built<PodDisruptionBudget, State>,
    /// Nothing while nothing has compiled.
    pub(super) bundle: Option<Built<ConfigMap, State>>,
    pub(super) stateful_set: Built<StatefulSet, State>,
}

/// Builds every object of a node.
pub(super) fn build(node: &Node<'_>) -> Resources<Prepared> {
    Resources {
        account: Built::new(account(node)),
        services: services::services(node).into_iter().map(Built::new).collect(),
        policies: network::policies(node).into_iter().map(Built::new).collect(),
        disruption: Built::new(disruption::budget(node)),
        bundle: node.bundle.as_deref().map(|file| Built::new(bundle::config_map(node, file))),
        stateful_set: Built::new(stateful_set::stateful_set(node)),
    }
}

impl<'a> Node<'a> {
    /// Takes from everything what a node is built of.
    pub(super) fn new(jurisdiction: &'a Jurisdiction, inputs: &'a Inputs, settings: &'a Settings) -> Self {
        let namespace = inputs.place.namespace();
        // An owner must be in the same namespace of the same cluster, or the garbage collector removes what it owns.
        let here = matches!(inputs.place, Place::Here { .. });
        let near = here && jurisdiction.metadata.namespace.as_deref() == Some(namespace);
        Self {
            name: jurisdiction.name_any(),
            home: super::home(jurisdiction),
            namespace,
            federation: &inputs.federation,
            spec: &jurisdiction.spec,
            owner: near.then(|| jurisdiction.controller_owner_ref(&())).flatten(),
            bundle: inputs.bundle.clone(),
            neighbours: &inputs.neighbours,
            here,
            settings,
        }
    }

    fn id(&self) -> &JurisdictionId {
        &self.spec.id
    }

    fn metadata(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.to_owned()),
            labels: Some(labels::node(&self.federation.name, self.id())),
            owner_references: self.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }

    /// What selects the pods of this node.
    fn pods(&self) -> LabelSelector {
        let mut labels = labels::node(&self.federation.name, self.id());
        // Who manages a pod is no part of who it is.
        labels.remove(labels::MANAGED_BY);
        LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
    }
}

/// An account without a token: a node knows nothing of Kubernetes.
fn account(node: &Node<'_>) -> ServiceAccount {
    ServiceAccount {
        metadata: node.metadata(names::node(&node.name)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

#[cfg(test)]
mod tests;
