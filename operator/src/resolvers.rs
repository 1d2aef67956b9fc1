//! Name servers of a cluster. Clusters differ: pods of kube-system, an agent on each machine, the machine's own.

use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use wanqu_model::names::Cidr;

/// Returns the name servers of a `resolv.conf`. Those of a pod are the cluster's, but for loopback addresses.
#[must_use]
pub fn name_servers(resolv_conf: &str) -> Vec<IpAddr> {
    let words = resolv_conf.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .filter_map(|words| match words[..] {
            ["nameserver", address, ..] => address.parse().ok(),
            _ => None,
        })
        .filter(|address: &IpAddr| !address.is_loopback())
        .collect()
}

/// Returns the pods that resolve names in most clusters.
#[must_use]
pub fn cluster_dns() -> NetworkPolicyPeer {
    let selector = |key: &str, value: &str| LabelSelector {
        match_labels: Some([(key.to_owned(), value.to_owned())].into()),
        ..LabelSelector::default()
    };
    NetworkPolicyPeer {
        namespace_selector: Some(selector("kubernetes.io/metadata.name", "kube-system")),
        pod_selector: Some(selector("k8s-app", "kube-dns")),
        ip_block: None,
    }
}

/// Returns a block of addresses as a peer of a policy.
#[must_use]
pub fn block(cidr: &Cidr) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr.to_string(), except: None }),
        ..NetworkPolicyPeer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_servers_of_a_pod_are_the_clusters() {
        let text = "search gba.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\n# nameserver 192.0.2.1\n\
                    nameserver\t169.254.20.10 \nnameserver 127.0.0.53\nnameserver ::1\nnameserver\nnameserver x\n\
                    nameserver 2001:db8::53\noptions ndots:5\n";
        let found: Vec<String> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.96.0.10", "169.254.20.10", "2001:db8::53"]);
        assert!(name_servers("").is_empty());
    }
}
