//! Network policies of a node. Traffic that none of them allows is refused.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wanqu_crds::kinds::TracesSpec;
use wanqu_model::names::Cidr;

use super::{EXCHANGE, GATEWAY, Node, OBSERVATION, names};
use crate::framework::labels;
use crate::jurisdiction::neighbours::Outside;
use crate::resolvers::{block, cluster_dns};

/// Returns the policies of a node's pods.
pub(super) fn policies(node: &Node<'_>) -> Vec<NetworkPolicy> {
    let [deny, exchange, gateway, observe, egress] = names::policies(&node.name);
    vec![
        policy(node, deny, NetworkPolicySpec { policy_types: Some(types(&["Ingress", "Egress"])), ..<_>::default() }),
        policy(node, exchange, ingress(EXCHANGE, exchange_peers(node))),
        policy(node, gateway, ingress(GATEWAY, gateway_peers(node))),
        policy(node, observe, ingress(OBSERVATION, observers(node))),
        policy(node, egress, egress_spec(node)),
    ]
}

/// Returns the peers of the exchange: nodes of the federation, in this cluster by namespace and labels, in others by
/// address.
fn exchange_peers(node: &Node<'_>) -> Vec<NetworkPolicyPeer> {
    let mut peers = vec![nodes(node)];
    peers.extend(node.neighbours.outside.iter().flat_map(|other| &other.cidrs).map(block));
    peers
}

/// Returns the peers of the gateway: the operator, labelled pods where the Jurisdiction allows them, and addresses.
fn gateway_peers(node: &Node<'_>) -> Vec<NetworkPolicyPeer> {
    let network = &node.spec.network;
    let namespaces = network.gateway_namespaces.iter().map(String::as_str).chain([node.namespace]);
    let mut peers: Vec<_> = operator(node).into_iter().collect();
    peers.push(client(namespaces, labels::GATEWAY_CLIENT));
    peers.extend(network.gateway_cidrs.iter().map(block));
    peers
}

/// Returns the peers of health and metrics. The operator's settings are about its own cluster and no other.
fn observers(node: &Node<'_>) -> Vec<NetworkPolicyPeer> {
    let mut peers: Vec<_> = operator(node).into_iter().collect();
    if let Some(said) = node.settings.metrics_from.as_ref().filter(|_| node.here) {
        peers.extend(said.0.clone());
    } else {
        let own = [node.settings.operator_namespace.as_str()].into_iter().filter(|_| node.here);
        peers.push(client(own.chain([node.namespace]), labels::METRICS_CLIENT));
    }
    peers
}

fn egress_spec(node: &Node<'_>) -> NetworkPolicySpec {
    let names =
        NetworkPolicyEgressRule { to: Some(resolvers(node)), ports: Some(vec![port("UDP", 53), port("TCP", 53)]) };
    let exchanges = NetworkPolicyEgressRule { to: Some(vec![nodes(node)]), ports: Some(vec![port("TCP", EXCHANGE)]) };
    let mut rules = vec![names, exchanges];
    rules.extend(node.neighbours.outside.iter().filter_map(outside));
    rules.extend(node.spec.traces.as_ref().map(collector));
    NetworkPolicySpec {
        pod_selector: Some(node.pods()),
        policy_types: Some(types(&["Egress"])),
        egress: Some(rules),
        ..<_>::default()
    }
}

/// Returns the peers that resolve names. The operator's settings are about its own cluster and no other.
fn resolvers(node: &Node<'_>) -> Vec<NetworkPolicyPeer> {
    let mut peers = if let Some(said) = node.settings.dns_to.as_ref().filter(|_| node.here) {
        said.0.clone()
    } else {
        let seen = node.settings.name_servers.iter().filter(|_| node.here).map(|&address| block(&address.into()));
        [cluster_dns()].into_iter().chain(seen).collect()
    };
    peers.extend(node.spec.network.dns_cidrs.iter().map(block));
    peers
}

/// Returns the rule for a member in another cluster; none if no address of it is known, since policies know no names.
fn outside(other: &Outside) -> Option<NetworkPolicyEgressRule> {
    let to: Vec<_> = other.address.iter().chain(&other.cidrs).map(block).collect();
    let ports = Some(vec![port("TCP", other.port.into())]);
    (!to.is_empty()).then_some(NetworkPolicyEgressRule { to: Some(to), ports })
}

/// Returns the rule for a collector of traces: its pods' namespace, or its addresses.
fn collector(traces: &TracesSpec) -> NetworkPolicyEgressRule {
    let pods = traces.namespace.as_deref().map(|namespace| NetworkPolicyPeer {
        namespace_selector: Some(within([namespace].into_iter())),
        ..NetworkPolicyPeer::default()
    });
    let address = traces.address().map(Cidr::from);
    let to = address.iter().chain(&traces.cidrs).map(block).chain(pods).collect();
    NetworkPolicyEgressRule { to: Some(to), ports: Some(vec![port("TCP", traces.port().into())]) }
}

/// Returns the nodes of the federation in this cluster, this one's own copies included. Namespaces are named beside
/// labels, since anybody may write labels on pods of their own.
fn nodes(node: &Node<'_>) -> NetworkPolicyPeer {
    peer(within(node.neighbours.namespaces.iter().map(String::as_str)), labels::node_of(&node.home))
}

/// Returns the operator, which asks federated queries; none in another cluster, where its namespace is somebody else's.
fn operator(node: &Node<'_>) -> Option<NetworkPolicyPeer> {
    let namespace = within([node.settings.operator_namespace.as_str()].into_iter());
    node.here.then(|| peer(namespace, [(labels::NAME.to_owned(), labels::MANAGER.to_owned())].into()))
}

/// Returns pods with a label in these namespaces. Everybody who may create pods there may set it.
fn client<'a>(namespaces: impl Iterator<Item = &'a str>, label: &str) -> NetworkPolicyPeer {
    peer(within(namespaces), [(label.to_owned(), "true".to_owned())].into())
}

/// Selects namespaces by name, which the API server itself writes into their labels.
fn within<'a>(namespaces: impl Iterator<Item = &'a str>) -> LabelSelector {
    let mut names: Vec<String> = namespaces.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    let is_one = LabelSelectorRequirement {
        key: "kubernetes.io/metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(names),
    };
    LabelSelector { match_expressions: Some(vec![is_one]), ..LabelSelector::default() }
}

fn peer(namespaces: LabelSelector, pods: BTreeMap<String, String>) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(namespaces),
        pod_selector: Some(LabelSelector { match_labels: Some(pods), ..LabelSelector::default() }),
        ip_block: None,
    }
}

fn ingress(number: i32, from: Vec<NetworkPolicyPeer>) -> NetworkPolicySpec {
    let rule = NetworkPolicyIngressRule { from: Some(from), ports: Some(vec![port("TCP", number)]) };
    NetworkPolicySpec { policy_types: Some(types(&["Ingress"])), ingress: Some(vec![rule]), ..<_>::default() }
}

fn policy(node: &Node<'_>, name: String, spec: NetworkPolicySpec) -> NetworkPolicy {
    let spec = NetworkPolicySpec { pod_selector: Some(node.pods()), ..spec };
    let mut metadata = node.metadata(name);
    // The garbage collector would remove them at once with their owner, while the pods still run.
    metadata.owner_references = None;
    NetworkPolicy { metadata, spec: Some(spec) }
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort { protocol: Some(protocol.to_owned()), port: Some(IntOrString::Int(number)), end_port: None }
}

fn types(types: &[&str]) -> Vec<String> {
    types.iter().map(|&text| text.to_owned()).collect()
}
