//! Collector of a node's traces.

use std::net::IpAddr;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use wanqu_model::names::Cidr;

/// Collector of traces. Traces hold names of steps, times, ids, members and codes, so they tell who asked whom and when; they
/// hold nothing of the data or of a query's text.
#[derive(Debug, Clone, PartialEq, KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.cidrs) || self.cidrs.all(c, isCIDR(c))")
    .message("traces.cidrs holds an address and a length each: 192.0.2.0/24"))]
#[x_kube(validation = Rule::new(
    "has(self.__namespace__) || (has(self.cidrs) && self.cidrs.size() > 0) || self.endpoint.matches('^https?://([0-9.]+|[[].*[]])([:/]|$)')"
).message("network policies allow addresses and namespaces only: give the namespace or the cidrs of a collector whose endpoint has a name"))]
pub struct TracesSpec {
    /// URL for OTLP over HTTP: http://otel-collector.observability.svc:4318 of a collector in the same cluster, which forwards
    /// traces as needed, or https://otel.example. Over https, a public certificate authority vouches for the collector: one
    /// of those in the nodes' image. Default port: 4318.
    #[schemars(
        length(min = 8, max = 512),
        regex(pattern = r"^https?://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$")
    )]
    pub endpoint: String,
    /// Namespace of the collector's pods in the node's cluster, for the node's network policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub namespace: Option<String>,
    /// Addresses of a collector outside of the node's cluster, for the node's network policy: 192.0.2.0/24.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub cidrs: Vec<Cidr>,
    /// Port that the collector's pods listen on, if their Service has another. Default: the port of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub pod_port: Option<u16>,
}

impl TracesSpec {
    /// Returns the collector's address; `None` if the endpoint has a name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let (host, _) = self.host_and_port();
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// Returns the port that the node's network policy allows.
    #[must_use]
    pub fn port(&self) -> u16 {
        let (_, port) = self.host_and_port();
        self.pod_port.or_else(|| port?.parse().ok()).unwrap_or(4318)
    }

    fn host_and_port(&self) -> (&str, Option<&str>) {
        let rest = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or_default();
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
            ("https://otel.example", None, 4318),
            ("https://192.0.2.7:443/otlp", Some("192.0.2.7"), 443),
            ("https://[2001:db8::7]", Some("2001:db8::7"), 4318),
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
