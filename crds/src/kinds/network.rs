//! Addresses and namespaces that network policies allow, since they know no names.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::names::Cidr;

/// Traffic that is allowed to and from a node beyond the namespaces of its federation. All other traffic is denied.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.cidrs) ? self.cidrs : [], has(self.gatewayCidrs) ? self.gatewayCidrs : [], has(self.dnsCidrs) ? self.dnsCidrs : []].all(l, l.all(c, isCIDR(c)))"
).message("cidrs, gatewayCidrs and dnsCidrs hold an address and a length each: 203.0.113.0/24"))]
pub struct NodeNetwork {
    /// Addresses that the node connects from and is reached at, as members in other clusters see them: 203.0.113.0/24. They
    /// open their exchanges to these addresses only. Not needed between members in one cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub cidrs: Vec<Cidr>,
    /// Namespaces, besides the node's own, whose pods may reach the gateway if they carry the label
    /// wanqu.dev/gateway-client: "true".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")))]
    pub gateway_namespaces: Vec<String>,
    /// Addresses that may reach the gateway, as its pods see them: those of researchers, or of a load balancer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub gateway_cidrs: Vec<Cidr>,
    /// Addresses of the cluster's name servers, besides those that the operator knows: kube-dns in kube-system, and the
    /// operator's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub dns_cidrs: Vec<Cidr>,
}
