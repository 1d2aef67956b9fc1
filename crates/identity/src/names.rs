//! The names in certificates, written and read in one place.

use wanqu_model::names::JurisdictionId;

/// A node's SPIFFE ID: `spiffe://gba.example/jurisdiction/CN-SZ/node`.
#[must_use]
pub fn node_uri(trust_domain: &str, jurisdiction: &JurisdictionId) -> String {
    format!("spiffe://{trust_domain}/jurisdiction/{jurisdiction}/node")
}

/// The jurisdiction that a node's SPIFFE ID names; `None` for any other text.
pub(super) fn parse_node_uri(trust_domain: &str, uri: &str) -> Option<JurisdictionId> {
    let path = uri.strip_prefix("spiffe://")?.strip_prefix(trust_domain)?;
    path.strip_prefix("/jurisdiction/")?.strip_suffix("/node")?.parse().ok()
}

/// The DNS name of a node's certificate: `cn-sz.node.gba.example`. It need not resolve.
#[must_use]
pub fn node_dns(trust_domain: &str, jurisdiction: &JurisdictionId) -> String {
    format!("{}.node.{trust_domain}", jurisdiction.as_str().to_ascii_lowercase())
}

/// The DNS name of a gateway's certificate: `cn-sz.gateway.gba.example`. It need not resolve.
#[must_use]
pub fn gateway_dns(trust_domain: &str, jurisdiction: &JurisdictionId) -> String {
    format!("{}.gateway.{trust_domain}", jurisdiction.as_str().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exact_node_uri_names_a_jurisdiction() {
        let hk: JurisdictionId = "HK".parse().unwrap();
        assert_eq!(parse_node_uri("gba.example", &node_uri("gba.example", &hk)), Some(hk));
        for bad in [
            "",
            "spiffe://gba.example/jurisdiction/HK",
            "spiffe://gba.example/jurisdiction/HK/gateway",
            "spiffe://gba.example/jurisdiction/HK/node/",
            "spiffe://gba.example/jurisdiction/hk/node",
            "spiffe://gba.example/jurisdiction/HK/../MO/node",
            "spiffe://gba.example//jurisdiction/HK/node",
            "spiffe://gba.example.evil/jurisdiction/HK/node",
            "spiffe://evil/gba.example/jurisdiction/HK/node",
            "SPIFFE://gba.example/jurisdiction/HK/node",
            "https://gba.example/jurisdiction/HK/node",
        ] {
            assert_eq!(parse_node_uri("gba.example", bad), None, "{bad}");
        }
    }
}
