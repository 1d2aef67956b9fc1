//! Names, labels and annotations of what the operator makes.

use std::collections::BTreeMap;

use kube::{Resource, ResourceExt};
use wanqu_model::names::JurisdictionId;

/// The one field manager of everything that the operator writes, and the name of its events' reporter.
pub const MANAGER: &str = "wanqu-operator";
/// Marks what the operator made.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Names the federation.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Names the program.
pub const NAME: &str = "app.kubernetes.io/name";
/// Names the jurisdiction by its id.
pub const JURISDICTION: &str = "wanqu.dev/jurisdiction";
/// On pods that may speak to gateways.
pub const GATEWAY_CLIENT: &str = "wanqu.dev/gateway-client";
/// On pods that may read the nodes' metrics.
pub const METRICS_CLIENT: &str = "wanqu.dev/metrics-client";

/// An annotation: the resource that an object was made for, `namespace/name`. Owner references do not cross namespaces.
pub const MADE_FOR: &str = "wanqu.dev/made-for";
/// An annotation: which fields the operator set, so that one it no longer sets is noticed.
pub const SHAPE: &str = "wanqu.dev/shape";
/// An annotation: the SHA-256 of the bundle that lies in a `ConfigMap`, and that a pod was told of.
pub const BUNDLE_DIGEST: &str = "wanqu.dev/bundle-digest";
/// An annotation of a Jurisdiction: the user's wish for a new authority. Each new value is one.
pub const ROLL: &str = "wanqu.dev/roll-authority";

/// What selects everything that the operator made, in any cluster.
#[must_use]
pub fn managed() -> String {
    format!("{MANAGED_BY}={MANAGER}")
}

/// The labels of everything of one jurisdiction's node.
#[must_use]
pub fn node(federation: &str, jurisdiction: &JurisdictionId) -> BTreeMap<String, String> {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    BTreeMap::from([
        label(NAME, "wanqu-node"),
        label(INSTANCE, federation),
        label(MANAGED_BY, MANAGER),
        label(JURISDICTION, jurisdiction.as_str()),
    ])
}

/// The labels of what belongs to a federation as a whole.
#[must_use]
pub fn federation(federation: &str) -> BTreeMap<String, String> {
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    BTreeMap::from([label(NAME, "wanqu"), label(INSTANCE, federation), label(MANAGED_BY, MANAGER)])
}

/// The resource that an object was made for: its namespace and name.
#[must_use]
pub fn made_for<K: Resource>(object: &K) -> Option<(String, String)> {
    let (namespace, name) = object.annotations().get(MADE_FOR)?.split_once('/')?;
    Some((namespace.to_owned(), name.to_owned()))
}
