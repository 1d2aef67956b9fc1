//! What a Jurisdiction says of the door by which other members come in.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Service of a node's exchange: NAME-exchange, port 7443. Who comes in is proven by mutual TLS, whatever its type.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(
    "self.serviceType != 'ClusterIP' || !(has(self.nodePort) || has(self.externalTrafficPolicy))"
).message("nodePort and externalTrafficPolicy speak of a way in from outside: let serviceType be NodePort or LoadBalancer"))]
pub struct NodeExchange {
    /// ClusterIP if all members run in this cluster, NodePort or LoadBalancer if some come from outside.
    #[serde(default)]
    pub service_type: ServiceType,
    /// The port of every machine of the cluster at which it answers; the cluster picks one if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub node_port: Option<u16>,
    /// Local keeps the address of who comes in, which network policies then see, and answers only where a copy of the
    /// node runs; Cluster answers on every machine, and may show the machine's address instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<ExternalTraffic>,
    /// Annotations of the Service, as providers of load balancers read them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: BTreeMap<String, String>,
}

/// Where a Service can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// In its cluster.
    #[default]
    ClusterIP,
    /// On a port of every machine of its cluster.
    NodePort,
    /// At an address of its own, which the cluster's provider gives.
    LoadBalancer,
}

/// What becomes of who comes in by a machine on which no copy runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExternalTraffic {
    /// It is sent on to another machine.
    Cluster,
    /// It is not answered.
    Local,
}

impl ServiceType {
    /// As Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl ExternalTraffic {
    /// As Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Local => "Local",
        }
    }
}
