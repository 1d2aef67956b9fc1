//! Step 4: all objects of a node. Pure: the same inputs give the same objects.

mod bundle;
mod disruption;
mod network;
mod services;
mod stateful_set;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use wanqu_crds::kinds::{Jurisdiction, JurisdictionSpec, NodePods};
use wanqu_model::names::JurisdictionId;

use super::dereference::{FederationRef, Inputs, Target};
use super::neighbours::Neighbours;
use crate::compilation::BundleFile;
use crate::framework::apply::{Built, Prepared};
use crate::framework::labels;
use crate::names;
use crate::node_reports::OBSERVATION;
use crate::settings::Settings;

/// The port of the exchange, for other nodes.
pub(super) const EXCHANGE: i32 = 7443;
/// The port of the gateway, for researchers.
pub(super) const GATEWAY: i32 = 8443;

/// Inputs of the objects of a node.
pub(super) struct Node<'a> {
    name: String,
    home: String,
    namespace: &'a str,
    federation: &'a FederationRef,
    spec: &'a JurisdictionSpec,
    /// What is declared of its pods, as far as it holds where they run.
    template: NodePods,
    owner: Option<OwnerReference>,
    bundle: Option<Arc<BundleFile>>,
    neighbours: &'a Neighbours,
    /// True if it runs in the operator's own cluster.
    here: bool,
    settings: &'a Settings,
}

/// The objects of a node, in the order in which they are needed.
pub(super) struct Resources {
    pub(super) account: Built<ServiceAccount, Prepared>,
    /// Before anything that they protect.
    pub(super) policies: Vec<Built<NetworkPolicy, Prepared>>,
    pub(super) services: Vec<Built<Service, Prepared>>,
    pub(super) disruption: Built<PodDisruptionBudget, Prepared>,
    pub(super) stateful_set: StatefulSet,
}

/// Builds all objects of a node.
pub(super) fn build(node: &Node<'_>) -> Resources {
    Resources {
        account: Built::new(account(node)),
        policies: network::policies(node).into_iter().map(Built::new).collect(),
        services: services::services(node).into_iter().map(Built::new).collect(),
        disruption: Built::new(disruption::budget(node)),
        stateful_set: stateful_set::stateful_set(node),
    }
}

/// Builds the `ConfigMap` with the bundle alone; none without a bundle.
pub(super) fn bundle_alone(node: &Node<'_>) -> Option<Built<ConfigMap, Prepared>> {
    node.bundle.as_deref().map(|file| Built::new(bundle::config_map(node, file)))
}

impl<'a> Node<'a> {
    /// Collects the inputs of a node's objects.
    pub(super) fn new(jurisdiction: &'a Jurisdiction, inputs: &'a Inputs, settings: &'a Settings) -> Self {
        let namespace = inputs.target.namespace();
        // An owner must be in the same namespace of the same cluster, or the garbage collector removes what it owns.
        let here = matches!(inputs.target, Target::Here { .. });
        let near = here && jurisdiction.metadata.namespace.as_deref() == Some(namespace);
        Self {
            name: jurisdiction.name_any(),
            home: super::home(jurisdiction),
            namespace,
            federation: &inputs.federation,
            spec: &jurisdiction.spec,
            template: if here && !near { elsewhere(&jurisdiction.spec.pods) } else { jurisdiction.spec.pods.clone() },
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
            labels: Some(self.labels()),
            owner_references: self.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }

    /// Returns the labels of all its objects.
    fn labels(&self) -> BTreeMap<String, String> {
        labels::node(&self.home, &self.federation.name, self.id())
    }

    /// Returns the selector of the node's pods.
    fn pods(&self) -> LabelSelector {
        let labels = labels::node_pods(&self.home, self.id());
        LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
    }
}

/// Returns what a Jurisdiction may declare of pods in a namespace that merely lets its node run there (`PlacementGrant`): not which
/// program runs beside the claims of that namespace, nor which of its Services and policies select it.
fn elsewhere(pods: &NodePods) -> NodePods {
    let (image, image_pull_secrets) = (None, Vec::new());
    NodePods { image, image_pull_secrets, labels: BTreeMap::new(), env: Vec::new(), ..pods.clone() }
}

/// Returns an account without a token: a node knows nothing of Kubernetes.
pub(super) fn account(node: &Node<'_>) -> ServiceAccount {
    ServiceAccount {
        metadata: node.metadata(names::node(&node.name)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

#[cfg(test)]
mod tests;
