//! Addresses of the other members' nodes, as seen from the cluster of one of them. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wanqu_crds::kinds::Jurisdiction;
use wanqu_model::names::Cidr;

use crate::host::{self, Host};

/// The nodes of the other members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// The namespaces of those in the same cluster, and its own.
    pub(super) namespaces: BTreeSet<String>,
    /// Those in other clusters.
    pub(super) outside: BTreeSet<Outside>,
}

/// A member's node in another cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Outside {
    /// The port of its exchange.
    pub(super) port: u16,
    /// Its address, if its endpoint is one.
    pub(super) address: Option<Cidr>,
    /// Its addresses by its `spec.network.cidrs`.
    pub(super) cidrs: Vec<Cidr>,
}

/// The port of a node whose endpoint is not given.
const EXCHANGE: u16 = 7443;

impl Neighbours {
    /// Returns the nodes of others, as the node of `own` sees them. `home` is the namespace of the resources.
    pub(super) fn of<'a>(own: &Jurisdiction, others: impl Iterator<Item = &'a Jurisdiction>, home: &str) -> Self {
        let mut neighbours = Self { namespaces: host::namespace(own, home).into_iter().collect(), ..Self::default() };
        for other in others.filter(|other| other.spec.id != own.spec.id) {
            let near = host::namespace(other, home).filter(|_| in_one_cluster(Host::of(own), Host::of(other)));
            match near {
                Some(namespace) => drop(neighbours.namespaces.insert(namespace)),
                None => drop(neighbours.outside.insert(Outside::of(other))),
            }
        }
        neighbours
    }
}

impl Outside {
    fn of(member: &Jurisdiction) -> Self {
        let (host, port) =
            Host::of(member).endpoint().and_then(|endpoint| endpoint.rsplit_once(':')).unwrap_or_default();
        Self {
            port: port.parse().unwrap_or(EXCHANGE),
            address: address(host).map(Cidr::from),
            cidrs: member.spec.network.cidrs.clone(),
        }
    }
}

/// Returns what follows from the addresses that a member in another cluster does not give; none if it gives them.
pub(super) fn missing_addresses(member: &Jurisdiction) -> Option<&'static str> {
    if Host::of(member).is_here() || !member.spec.network.cidrs.is_empty() {
        return None;
    }
    if Outside::of(member).address.is_some() {
        return Some(
            "spec.network.cidrs gives no addresses of its nodes, so members in other clusters refuse its connections; if it is to ask questions, add its addresses there",
        );
    }
    Some(
        "spec.network.cidrs gives no addresses of its nodes, and network policies know no names, so members in other clusters neither reach it nor accept its connections; add its addresses there",
    )
}

/// Returns true if both nodes are in one cluster: they are reached by the same key of the same Secret. Two Secrets may
/// lead to one cluster, but if they do not, a namespace of the same name there is somebody else's.
fn in_one_cluster(own: Host<'_>, other: Host<'_>) -> bool {
    match (own, other) {
        (Host::Here, Host::Here) => true,
        (Host::Remote(own), Host::Remote(other)) => (&own.name, &own.key) == (&other.name, &other.key),
        _ => false,
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn member(id: &str, placement: &Value, cidrs: &[&str]) -> Jurisdiction {
        serde_json::from_value(json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "Jurisdiction", "metadata": {"name": "m", "namespace": "gba"},
            "spec": {"id": id, "sqlName": "m", "placement": placement, "network": {"cidrs": cidrs}},
        }))
        .unwrap()
    }

    fn there(secret: &str, namespace: &str, endpoint: Option<&str>) -> Value {
        json!({"kubeconfigSecret": {"name": secret, "namespace": namespace, "endpoint": endpoint}})
    }

    fn external(endpoint: &str) -> Value {
        json!({"external": {"endpoint": endpoint, "ca": ""}})
    }

    fn of(own: &Jurisdiction, all: &[Jurisdiction]) -> (Vec<String>, Vec<String>) {
        let Neighbours { namespaces, outside } = Neighbours::of(own, all.iter(), "gba");
        let text = |other: Outside| {
            let blocks: Vec<String> = other.address.iter().chain(&other.cidrs).map(ToString::to_string).collect();
            format!("{}:{}", blocks.join(","), other.port)
        };
        (namespaces.into_iter().collect(), outside.into_iter().map(text).collect())
    }

    #[test]
    fn a_nodes_network_policy_names_namespaces_of_its_cluster_and_addresses_elsewhere() {
        let all = [
            member("HK", &json!({}), &[]),
            member("MO", &json!({"namespace": "gba-macau"}), &["203.0.113.0/24"]),
            member("CN-SZ", &there("far", "sz", Some("10.1.2.3:9443")), &["10.9.0.0/16"]),
            member("CN-GZ", &there("far", "gz", None), &[]),
            member("CN-ZH", &there("other", "zh", Some("[2001:db8::1]:7443")), &[]),
            member("CN-FS", &external("node.fs.example:443"), &["198.51.100.7/32"]),
        ];
        let [hongkong, _, shenzhen, _, zhuhai, _] = &all;
        let (namespaces, outside) = of(hongkong, &all);
        assert_eq!(namespaces, ["gba", "gba-macau"]);
        let expected = ["198.51.100.7/32:443", ":7443", "2001:db8::1/128:7443", "10.1.2.3/32,10.9.0.0/16:9443"];
        assert_eq!(outside, expected);

        let (namespaces, outside) = of(shenzhen, &all);
        assert_eq!(namespaces, ["gz", "sz"], "one Secret, one cluster");
        let expected = ["198.51.100.7/32:443", ":7443", "203.0.113.0/24:7443", "2001:db8::1/128:7443"];
        assert_eq!(outside, expected, "those of the operator's cluster are outside");

        let (namespaces, outside) = of(zhuhai, &all);
        assert_eq!(namespaces, ["zh"], "another Secret, another cluster");
        assert!(outside.contains(&"10.1.2.3/32,10.9.0.0/16:9443".to_owned()), "{outside:?}");
    }

    #[test]
    fn a_member_without_declared_addresses_is_told_which_it_lacks() {
        assert_eq!(missing_addresses(&member("HK", &json!({}), &[])), None);
        assert_eq!(missing_addresses(&member("HK", &external("node.hk.example:7443"), &["203.0.113.0/24"])), None);
        assert!(
            missing_addresses(&member("HK", &external("10.1.2.3:7443"), &[]))
                .unwrap()
                .contains("refuse its connections")
        );
        assert!(
            missing_addresses(&member("HK", &external("node.hk.example:7443"), &[]))
                .unwrap()
                .contains("neither reach it")
        );
        assert!(missing_addresses(&member("HK", &there("far", "hk", None), &[])).unwrap().contains("neither reach it"));
    }
}
