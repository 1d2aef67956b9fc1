//! Where a node sends the traces of questions.

use std::net::IpAddr;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::names::Cidr;

/// A collector of traces. They hold names of steps, times, ids, members and codes, and nothing of the data or of a question's
/// text; they tell who asked whom and when.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new("!has(self.cidrs) || self.cidrs.all(c, isCIDR(c))")
    .message("traces.cidrs holds an address and a length each: 192.0.2.0/24"))]
#[x_kube(validation = Rule::new(
    "has(self.__namespace__) || (has(self.cidrs) && self.cidrs.size() > 0) || self.endpoint.matches('^http://([0-9.]+|[[].*[]])([:/]|$)')"
).message("network policies know no names: say the namespace or the cidrs of a collector that is not named by its address"))]
pub struct TracesSpec {
    /// Where it takes OTLP over HTTP: http://otel-collector.observability.svc:4318. Plain HTTP, without TLS: a collector in
    /// the same cluster, which sends them on as it must. 4318 if no port is said.
    #[schemars(
        length(min = 8, max = 512),
        regex(pattern = r"^http://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$")
    )]
    pub endpoint: String,
    /// The namespace of its pods, in the cluster of the node: the node may reach these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// Its addresses, where it is no pod of that cluster: the node may reach these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub cidrs: Vec<Cidr>,
    /// The port at which its pods listen, if a Service has another one in front of them; that of the endpoint if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub pod_port: Option<u16>,
}

impl TracesSpec {
    /// The collector's address, if its endpoint is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let (host, _) = self.host_and_port();
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The port that the node's policy lets it reach.
    #[must_use]
    pub fn port(&self) -> u16 {
        let (_, port) = self.host_and_port();
        self.pod_port.or_else(|| port?.parse().ok()).unwrap_or(4318)
    }

    fn host_and_port(&self) -> (&str, Option<&str>) {
        let authority = self.endpoint.trim_start_matches("http://").split('/').next().unwrap_or_default();
        match authority.rsplit_once(':') {
            // A colon inside brackets belongs to the address.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_tells_address_and_port_if_it_has_them() {
        for (endpoint, address, port) in [
            ("http://192.0.2.7:4000/otlp", Some("192.0.2.7"), 4000),
            ("http://[2001:db8::7]/", Some("2001:db8::7"), 4318),
            ("http://[2001:db8::7]:1", Some("2001:db8::7"), 1),
            ("http://collector.observability.svc:4318", None, 4318),
            ("http://collector", None, 4318),
        ] {
            let mut traces =
                TracesSpec { endpoint: endpoint.to_owned(), namespace: None, cidrs: vec![], pod_port: None };
            assert_eq!(traces.address(), address.map(|text| text.parse().unwrap()), "{endpoint}");
            assert_eq!(traces.port(), port, "{endpoint}");
            traces.pod_port = Some(9);
            assert_eq!(traces.port(), 9);
        }
    }
}
