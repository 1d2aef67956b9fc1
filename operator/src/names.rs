//! Names of the operator's objects. The chart, the command line and the tests know them.

/// The operator as an issuer of tokens, for queries that come as resources.
pub const TOKEN_ISSUER: &str = "kubernetes";
/// The Secret of that issuer's key, in the federation's namespace.
pub const TOKEN_ISSUER_SECRET: &str = "wanqu-token-issuer";
/// The key's entry in it.
pub const TOKEN_ISSUER_KEY: &str = "issuer.key";

/// Returns the name of the `StatefulSet`, its headless Service, its account and its disruption budget.
#[must_use]
pub fn node(jurisdiction: &str) -> String {
    format!("{jurisdiction}-node")
}

/// The name of the volume with the audit log and kept answers.
pub const DISK: &str = "state";

/// Returns the name of the claim of a copy's disk, as the controller of `StatefulSets` makes it.
#[must_use]
pub fn disk(jurisdiction: &str, copy: u32) -> String {
    format!("{DISK}-{}-{copy}", node(jurisdiction))
}

/// Returns the name of the Service of the exchange.
#[must_use]
pub fn exchange(jurisdiction: &str) -> String {
    format!("{jurisdiction}-exchange")
}

/// Returns the name of the Service of the gateway.
#[must_use]
pub fn gateway(jurisdiction: &str) -> String {
    format!("{jurisdiction}-gateway")
}

/// Returns the name of the `ConfigMap` with the bundle.
#[must_use]
pub fn bundle(jurisdiction: &str) -> String {
    format!("{jurisdiction}-bundle")
}

/// Returns the name of the `ConfigMap`, in the namespace of a jurisdiction's resource, with the certificates that are
/// trusted to sign for its node.
#[must_use]
pub fn trust(jurisdiction: &str) -> String {
    format!("{jurisdiction}-trust")
}

/// Returns the name of the Secret with the authority.
#[must_use]
pub fn authority(jurisdiction: &str) -> String {
    format!("{jurisdiction}-ca")
}

/// Returns the name of the Secret with the certificates.
#[must_use]
pub fn identity(jurisdiction: &str) -> String {
    format!("{jurisdiction}-identity")
}

/// Returns the names of all Services.
#[must_use]
pub fn services(jurisdiction: &str) -> [String; 3] {
    [node(jurisdiction), exchange(jurisdiction), gateway(jurisdiction)]
}

/// Returns the names of all network policies.
#[must_use]
pub fn policies(jurisdiction: &str) -> [String; 5] {
    ["deny", "exchange", "gateway", "observe", "egress"].map(|what| format!("{jurisdiction}-node-{what}"))
}
