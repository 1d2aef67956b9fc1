//! Settings, from the command line or the environment.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use serde::Deserialize;

/// The operator of Wanqu: turns Federations and what belongs to them into running nodes.
#[derive(Debug, Clone, Parser)]
#[command(version, about)]
pub struct Settings {
    /// The namespaces to watch; all of them by default. Nodes can be placed only in namespaces that are watched.
    #[arg(long, env = "WANQU_WATCH_NAMESPACES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// The image of the nodes.
    #[arg(long, env = "WANQU_NODE_IMAGE")]
    pub node_image: String,
    /// Pull policy of the nodes' image: Always, `IfNotPresent` or Never; the cluster's default if not given.
    #[arg(long, env = "WANQU_NODE_IMAGE_PULL_POLICY")]
    pub node_image_pull_policy: Option<String>,
    /// The namespace of the operator itself and of its Lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub operator_namespace: String,
    /// The Lease by which one of several operators is elected.
    #[arg(long, env = "WANQU_LEASE", default_value = "wanqu-operator")]
    pub lease: String,
    /// Seconds after which a Lease that is not renewed expires.
    #[arg(long, env = "WANQU_LEASE_SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub lease_seconds: u64,
    /// The name of this copy of the operator: its pod's.
    #[arg(long, env = "POD_NAME", default_value_t = default_instance())]
    pub instance: String,
    /// The address of /livez, /readyz and /metrics.
    #[arg(long, env = "WANQU_OBSERVE", default_value = "0.0.0.0:9090")]
    pub observe: SocketAddr,
    /// Lifetime of a node's certificate, in seconds. It is renewed after two thirds of it.
    #[arg(long, env = "WANQU_LEAF_SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(30..))]
    pub leaf_seconds: u64,
    /// Lifetime of a certificate authority that the operator makes, in seconds.
    #[arg(long, env = "WANQU_AUTHORITY_SECONDS", default_value_t = 31_536_000, value_parser = clap::value_parser!(u64).range(180..))]
    pub authority_seconds: u64,
    /// Address of the gateway of a node, `host:port`; {service} and {namespace} stand for those of its Service.
    #[arg(long, env = "WANQU_GATEWAY_ADDRESS", default_value = "{service}.{namespace}.svc:8443")]
    pub gateway_address: String,
    /// Name servers that nodes may ask, as JSON: a list as in `to` of a `NetworkPolicy`. By default: the pods of
    /// kube-system labelled k8s-app=kube-dns, and the name servers of the operator itself.
    #[arg(long, env = "WANQU_DNS_TO", value_parser = policy_peers)]
    pub dns_to: Option<PolicyPeers>,
    /// Clients that may read the nodes' metrics, as JSON: a list as in `from` of a `NetworkPolicy`. By default: pods
    /// labelled `wanqu.dev/metrics-client: "true"` in a node's namespace and in the operator's.
    #[arg(long, env = "WANQU_METRICS_FROM", value_parser = policy_peers)]
    pub metrics_from: Option<PolicyPeers>,
    /// Name servers of the operator itself, from its `resolv.conf`.
    #[arg(skip)]
    pub name_servers: Vec<IpAddr>,
    /// Format of the log.
    #[arg(long, env = "WANQU_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
}

/// Peers of network policies, as an administrator gives them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct PolicyPeers(pub Vec<NetworkPolicyPeer>);

/// Reads peers; none of them would mean everybody, which is never meant here.
fn policy_peers(text: &str) -> Result<PolicyPeers, String> {
    let peers: PolicyPeers = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if peers.0.is_empty() {
        return Err("an empty list lets everybody in; leave it out, or name somebody".to_owned());
    }
    Ok(peers)
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Text,
}

impl Settings {
    /// Returns the scopes to watch: each namespace that was named, or `None` for the whole cluster.
    #[must_use]
    pub fn scopes(&self) -> Vec<Option<String>> {
        if self.watch_namespaces.is_empty() {
            vec![None]
        } else {
            self.watch_namespaces.iter().cloned().map(Some).collect()
        }
    }

    /// Returns how long a node's certificate is valid.
    #[must_use]
    pub fn leaf_life(&self) -> Duration {
        Duration::from_secs(self.leaf_seconds)
    }

    /// Returns the address of the gateway behind a Service.
    #[must_use]
    pub fn gateway(&self, namespace: &str, service: &str) -> String {
        self.gateway_address.replace("{service}", service).replace("{namespace}", namespace)
    }

    /// Returns how long an authority is valid.
    #[must_use]
    pub fn authority_life(&self) -> Duration {
        Duration::from_secs(self.authority_seconds)
    }
}

/// Unique enough where no pod name is given.
fn default_instance() -> String {
    format!("wanqu-operator-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_need_an_image_and_have_defaults_for_the_rest() {
        let settings = Settings::try_parse_from(["wanqu-operator", "--node-image", "wanqu:1"]).unwrap();
        assert_eq!(settings.leaf_life(), Duration::from_hours(24));
        assert_eq!(settings.observe.port(), 9090);
        assert_eq!(settings.scopes(), [None]);
        let some = Settings::try_parse_from(["x", "--node-image", "i", "--watch-namespaces", "a,b"]).unwrap();
        assert_eq!(some.scopes(), [Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!(settings.gateway("gba", "hongkong-gateway"), "hongkong-gateway.gba.svc:8443");
        assert!(Settings::try_parse_from(["wanqu-operator"]).is_err());
        assert!(Settings::try_parse_from(["x", "--node-image", "i", "--leaf-seconds", "1"]).is_err());
    }

    #[test]
    fn peers_are_those_of_a_policy() {
        let to = |text: &str| Settings::try_parse_from(["x", "--node-image", "i", "--dns-to", text]);
        let peers = to(r#"[{"ipBlock": {"cidr": "10.0.0.10/32"}}]"#).unwrap().dns_to.unwrap();
        assert_eq!(peers.0[0].ip_block.as_ref().unwrap().cidr, "10.0.0.10/32");
        for wrong in ["", "[]", "{}", "10.0.0.10", r#"[{"ipBlock": "10.0.0.10/32"}]"#] {
            assert!(to(wrong).is_err(), "{wrong}");
        }
    }
}
