//! What the objects of a node are called. The chart, the console and the tests know these names.

/// The `StatefulSet`, its headless Service, its account and its disruption budget.
pub(in super::super) fn node(jurisdiction: &str) -> String {
    format!("{jurisdiction}-node")
}

/// The Service of the exchange.
pub(in super::super) fn exchange(jurisdiction: &str) -> String {
    format!("{jurisdiction}-exchange")
}

/// The Service of the gateway.
pub(in super::super) fn gateway(jurisdiction: &str) -> String {
    format!("{jurisdiction}-gateway")
}

/// The `ConfigMap` with the bundle.
pub(crate) fn bundle(jurisdiction: &str) -> String {
    format!("{jurisdiction}-bundle")
}

/// The Secret with the authority.
pub(in super::super) fn authority(jurisdiction: &str) -> String {
    format!("{jurisdiction}-ca")
}

/// The Secret with the certificates.
pub(in super::super) fn identity(jurisdiction: &str) -> String {
    format!("{jurisdiction}-identity")
}

/// All Services.
pub(in super::super) fn services(jurisdiction: &str) -> [String; 3] {
    [node(jurisdiction), exchange(jurisdiction), gateway(jurisdiction)]
}

/// All network policies.
pub(in super::super) fn policies(jurisdiction: &str) -> [String; 5] {
    ["deny", "exchange", "gateway", "observe", "egress"].map(|what| format!("{jurisdiction}-node-{what}"))
}
