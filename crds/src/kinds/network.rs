//! What a Jurisdiction says of addresses: network policies know these and no names.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::names::Cidr;

/// What may flow to and from a node beyond its federation's own namespaces. Nothing is open that is not said here.
#[derive(Debug, Clone, Default, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(
    "[has(self.cidrs) ? self.cidrs : [], has(self.gatewayCidrs) ? self.gatewayCidrs : [], has(self.dnsCidrs) ? self.dnsCidrs : []].all(l, l.all(c, isCIDR(c)))"
).message("cidrs, gatewayCidrs and dnsCidrs hold an address and a length each: 203.0.113.0/24"))]
pub struct NodeNetwork {
    /// Where its node comes from, and is reached, as members in other clusters see it: 203.0.113.0/24. They open their
    /// exchanges to these addresses and to no others. Of no use between members in one cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub cidrs: Vec<Cidr>,
    /// Namespaces, beside its node's own, whose pods with the label wanqu.dev/gateway-client: "true" may reach its gateway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")))]
    pub gateway_namespaces: Vec<String>,
    /// Addresses from which its gateway may be reached, as its pods see them: those of researchers, or of a load balancer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub gateway_cidrs: Vec<Cidr>,
    /// Addresses where its cluster resolves names, beside those that the operator knows of: kube-dns in kube-system, and
    /// where the operator itself resolves names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub dns_cidrs: Vec<Cidr>,
}
