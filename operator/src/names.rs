//! What the operator's objects are called. The chart, the console and the tests know these names.

/// The issuer that the operator itself is, for queries that come as resources.
pub const TOKEN_ISSUER: &str = "kubernetes";
/// The Secret with its key, in the federation's namespace.
pub const TOKEN_ISSUER_SECRET: &str = "wanqu-token-issuer";
/// Where the key lies in it.
pub const TOKEN_ISSUER_KEY: &str = "issuer.key";

/// The `StatefulSet`, its headless Service, its account and its disruption budget.
#[must_use]
pub fn node(jurisdiction: &str) -> String {
    format!("{jurisdiction}-node")
}

/// The Service of the exchange.
#[must_use]
pub fn exchange(jurisdiction: &str) -> String {
    format!("{jurisdiction}-exchange")
}

/// The Service of the gateway.
#[must_use]
pub fn gateway(jurisdiction: &str) -> String {
    format!("{jurisdiction}-gateway")
}

/// The `ConfigMap` with the bundle.
#[must_use]
pub fn bundle(jurisdiction: &str) -> String {
    format!("{jurisdiction}-bundle")
}

/// The `ConfigMap`, in the namespace of a jurisdiction's resource, with the certificates that may vouch for its node.
#[must_use]
pub fn trust(jurisdiction: &str) -> String {
    format!("{jurisdiction}-trust")
}

/// The Secret with the authority.
#[must_use]
pub fn authority(jurisdiction: &str) -> String {
    format!("{jurisdiction}-ca")
}

/// The Secret with the certificates.
#[must_use]
pub fn identity(jurisdiction: &str) -> String {
    format!("{jurisdiction}-identity")
}

/// All Services.
#[must_use]
pub fn services(jurisdiction: &str) -> [String; 3] {
    [node(jurisdiction), exchange(jurisdiction), gateway(jurisdiction)]
}

/// All network policies.
#[must_use]
pub fn policies(jurisdiction: &str) -> [String; 5] {
    ["deny", "exchange", "gateway", "observe", "egress"].map(|what| format!("{jurisdiction}-node-{what}"))
}
