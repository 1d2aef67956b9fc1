//! Exposure of a node's exchange to other members.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Service of a node's exchange, NAME-exchange, port 7443. Clients are authenticated by mutual TLS, whatever its type.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "self.serviceType != 'ClusterIP' || !(has(self.nodePort) || has(self.externalTrafficPolicy))"
).message("nodePort and externalTrafficPolicy apply to a Service that is reached from outside: set serviceType to NodePort or LoadBalancer"))]
pub struct NodeExchange {
    /// Type of the Service: ClusterIP if all members run in this cluster, NodePort or LoadBalancer if some connect from
    /// outside. Default: ClusterIP.
    #[serde(default)]
    pub service_type: ServiceType,
    /// Port on every machine of the cluster, for NodePort and LoadBalancer. Default: the cluster picks one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub node_port: Option<u16>,
    /// Routing of traffic from outside, as in a Service. Local keeps the client's address, which network policies then see, and
    /// accepts only on machines that run a replica; Cluster accepts on every machine and may hide the client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<ExternalTraffic>,
    /// Annotations of the Service, for example those that the load balancer's provider reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub annotations: BTreeMap<String, String>,
}

/// Reach of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// Within its cluster.
    #[default]
    ClusterIP,
    /// On a port of every machine of its cluster.
    NodePort,
    /// At an external address from the cluster's provider.
    LoadBalancer,
}

/// Treatment of traffic that arrives at a machine without a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExternalTraffic {
    /// Forwarded to another machine.
    Cluster,
    /// Dropped.
    Local,
}

impl ServiceType {
    /// Returns the value as Kubernetes writes it.
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
    /// Returns the value as Kubernetes writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Local => "Local",
        }
    }
}
