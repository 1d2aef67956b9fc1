//! What may reach a node, and what a node may reach. Everything that is not said here is refused.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{EXCHANGE, GATEWAY, Node, OBSERVATION, names};
use crate::framework::labels;

/// The policies of a node's pods.
pub(super) fn policies(node: &Node<'_>) -> Vec<NetworkPolicy> {
    let [deny, exchange, gateway, observe, egress] = names::policies(&node.name);
    vec![
        policy(node, deny, NetworkPolicySpec { policy_types: Some(types(&["Ingress", "Egress"])), ..<_>::default() }),
        policy(node, exchange, ingress(EXCHANGE, exchange_peers(node))),
        policy(node, gateway, ingress(GATEWAY, Some(vec![operator(node), anywhere_with(labels::GATEWAY_CLIENT)]))),
        policy(node, observe, ingress(OBSERVATION, Some(vec![operator(node), anywhere_with(labels::METRICS_CLIENT)]))),
        policy(node, egress, egress_spec(node)),
    ]
}

/// Who may come to the exchange: the nodes of the federation, in whatever namespace. A member that runs outside of this
/// cluster comes from an address that its resource does not say (what it says is where it is reached), so if there is
/// one, the door is open to every address, and mutual TLS alone decides who is let in.
fn exchange_peers(node: &Node<'_>) -> Option<Vec<NetworkPolicyPeer>> {
    node.outside.is_empty().then(|| vec![nodes(node)])
}

fn egress_spec(node: &Node<'_>) -> NetworkPolicySpec {
    let names = NetworkPolicyEgressRule {
        // Where a cluster resolves names differs: pods of kube-system, an agent on each machine, or the machine's own.
        to: None,
        ports: Some(vec![port("UDP", 53), port("TCP", 53)]),
    };
    let exchanges = NetworkPolicyEgressRule { to: Some(vec![nodes(node)]), ports: Some(vec![port("TCP", EXCHANGE)]) };
    let mut rules = vec![names, exchanges];
    rules.extend(node.outside.iter().filter_map(|endpoint| outside(endpoint)));
    NetworkPolicySpec {
        pod_selector: Some(node.pods()),
        policy_types: Some(types(&["Egress"])),
        egress: Some(rules),
        ..<_>::default()
    }
}

/// The way to a member outside of this cluster. Policies know addresses and no names: where only a name is known, the
/// port is all that can be said, and mutual TLS sees to the rest.
fn outside(endpoint: &str) -> Option<NetworkPolicyEgressRule> {
    let (host, number) = endpoint.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let block = host.parse::<IpAddr>().ok().map(|address| {
        let length = if address.is_ipv4() { 32 } else { 128 };
        let ip_block = Some(IPBlock { cidr: format!("{address}/{length}"), except: None });
        vec![NetworkPolicyPeer { ip_block, ..NetworkPolicyPeer::default() }]
    });
    Some(NetworkPolicyEgressRule { to: block, ports: Some(vec![port("TCP", number.parse().ok()?)]) })
}

/// The nodes of the federation, this one's own copies included.
fn nodes(node: &Node<'_>) -> NetworkPolicyPeer {
    let mut selected = node.pods().match_labels.unwrap_or_default();
    selected.remove(labels::JURISDICTION);
    peer(LabelSelector::default(), selected)
}

/// The operator, which runs queries that come as resources.
fn operator(node: &Node<'_>) -> NetworkPolicyPeer {
    let namespace = [("kubernetes.io/metadata.name".to_owned(), node.settings.operator_namespace.clone())];
    let namespace = LabelSelector { match_labels: Some(namespace.into()), ..LabelSelector::default() };
    peer(namespace, [(labels::NAME.to_owned(), labels::MANAGER.to_owned())].into())
}

/// Pods of any namespace that carry a label: who may set it is for the cluster's administrators to say.
fn anywhere_with(label: &str) -> NetworkPolicyPeer {
    peer(LabelSelector::default(), [(label.to_owned(), "true".to_owned())].into())
}

fn peer(namespaces: LabelSelector, pods: BTreeMap<String, String>) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(namespaces),
        pod_selector: Some(LabelSelector { match_labels: Some(pods), ..LabelSelector::default() }),
        ip_block: None,
    }
}

fn ingress(number: i32, from: Option<Vec<NetworkPolicyPeer>>) -> NetworkPolicySpec {
    let rule = NetworkPolicyIngressRule { from, ports: Some(vec![port("TCP", number)]) };
    NetworkPolicySpec { policy_types: Some(types(&["Ingress"])), ingress: Some(vec![rule]), ..<_>::default() }
}

fn policy(node: &Node<'_>, name: String, spec: NetworkPolicySpec) -> NetworkPolicy {
    let spec = NetworkPolicySpec { pod_selector: Some(node.pods()), ..spec };
    NetworkPolicy { metadata: node.metadata(name), spec: Some(spec) }
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort { protocol: Some(protocol.to_owned()), port: Some(IntOrString::Int(number)), end_port: None }
}

fn types(types: &[&str]) -> Vec<String> {
    types.iter().map(|&text| text.to_owned()).collect()
}
