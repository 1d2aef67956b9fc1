//! Labels and annotations of the objects that the operator makes.

use std::collections::BTreeMap;

use kube::{Resource, ResourceExt};
use wanqu_model::names::JurisdictionId;

/// The field manager of all writes, and the reporter of all events.
pub const MANAGER: &str = "wanqu-operator";
/// A label: the manager of an object that the operator made.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// A label: the name of the federation, for people. Nothing is selected by it, since a Federation may get another name. It is not
/// `app.kubernetes.io/instance`, by which others find what belongs to a release of theirs, and may remove it.
pub const FEDERATION: &str = "wanqu.dev/federation";
/// A label: the program.
pub const NAME: &str = "app.kubernetes.io/name";
/// A label: the id of the jurisdiction.
pub const JURISDICTION: &str = "wanqu.dev/jurisdiction";
/// A label: the namespace of the federation's resources. By it two federations of one name are told apart, whose nodes run in one
/// namespace.
pub const FEDERATION_NAMESPACE: &str = "wanqu.dev/federation-namespace";
/// A label of pods that may connect to gateways.
pub const GATEWAY_CLIENT: &str = "wanqu.dev/gateway-client";
/// A label of pods that may read the nodes' metrics.
pub const METRICS_CLIENT: &str = "wanqu.dev/metrics-client";

/// An annotation: the resource that an object was made for, `namespace/name`. Owner references do not cross namespaces.
pub const MADE_FOR: &str = "wanqu.dev/made-for";
/// An annotation: a hash of which fields the operator set, so that one that it no longer sets is noticed.
pub const SHAPE: &str = "wanqu.dev/shape";
/// An annotation: the SHA-256 of the bundle in a `ConfigMap`, and of the one that was announced to a pod.
pub const BUNDLE_DIGEST: &str = "wanqu.dev/bundle-digest";
/// An annotation of a Jurisdiction: `authority` if its certificate authority is to go with it when it is deleted.
pub const FORGET: &str = "wanqu.dev/forget";
/// An annotation of a Jurisdiction: the namespaces of this cluster in which something was made for its node, with commas between. By
/// it a node is found that is in a namespace which cannot be read any more.
pub const PLACED_IN: &str = "wanqu.dev/placed-in";
/// An annotation: the trust domain of the certificates that a `ConfigMap` with trusted certificates is about.
pub const TRUST_DOMAIN: &str = "wanqu.dev/trust-domain";
/// An annotation of a Jurisdiction: the user's request for a new authority. Each new value is another request.
pub const ROLL: &str = "wanqu.dev/roll-authority";

/// Returns the selector of everything that the operator made, in any cluster.
#[must_use]
pub fn managed() -> String {
    format!("{MANAGED_BY}={MANAGER}")
}

/// Returns the labels of the objects of a jurisdiction's node. `home` is the namespace of its resource.
#[must_use]
pub fn node(home: &str, federation: &str, jurisdiction: &JurisdictionId) -> BTreeMap<String, String> {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    BTreeMap::from([
        label(NAME, "wanqu-node"),
        label(FEDERATION, federation),
        label(MANAGED_BY, MANAGER),
        label(FEDERATION_NAMESPACE, home),
        label(JURISDICTION, jurisdiction.as_str()),
    ])
}

/// Returns the labels by which the pods of a jurisdiction's node are selected. They stay the same as long as there is this node: a
/// Jurisdiction stays in its namespace, and keeps its id.
#[must_use]
pub fn node_pods(home: &str, jurisdiction: &JurisdictionId) -> BTreeMap<String, String> {
    let mut labels = node_of(home);
    labels.insert(JURISDICTION.to_owned(), jurisdiction.as_str().to_owned());
    labels
}

/// Returns the labels by which the pods of all nodes of a federation are selected.
#[must_use]
pub fn node_of(home: &str) -> BTreeMap<String, String> {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    BTreeMap::from([label(NAME, "wanqu-node"), label(FEDERATION_NAMESPACE, home)])
}

/// Returns the labels of objects that belong to a federation as a whole.
#[must_use]
pub fn federation(federation: &str) -> BTreeMap<String, String> {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    BTreeMap::from([label(NAME, "wanqu"), label(FEDERATION, federation), label(MANAGED_BY, MANAGER)])
}

/// Returns the namespace and name of the resource that an object was made for.
#[must_use]
pub fn made_for<K: Resource>(object: &K) -> Option<(String, String)> {
    let (namespace, name) = object.annotations().get(MADE_FOR)?.split_once('/')?;
    Some((namespace.to_owned(), name.to_owned()))
}

/// Returns true if an object was made for the resource of this namespace and name.
#[must_use]
pub fn is_made_for<K: Resource>(object: &K, namespace: &str, name: &str) -> bool {
    made_for(object).is_some_and(|found| (found.0.as_str(), found.1.as_str()) == (namespace, name))
}
