//! Certificates of a node and of its gateway, and when they are issued again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use wanqu_identity::{Authority, GatewayIdentity, IdentityError, NodeIdentity, Validity};

use super::authority::{after, begun, life};

/// Certificates of a node and of its gateway, with their keys.
pub struct Leaf {
    node: NodeIdentity,
    gateway: GatewayIdentity,
    node_validity: Validity,
    gateway_validity: Validity,
}

impl Leaf {
    /// New certificates for new keys.
    ///
    /// # Errors
    /// If none can be issued.
    pub fn issue(authority: &Authority, now: Timestamp, life: Duration) -> Result<Self, IdentityError> {
        let validity = Validity::lasting(now, life);
        let (node, gateway) = (authority.issue_node(validity)?, authority.issue_gateway(validity)?);
        Ok(Self { node, gateway, node_validity: validity, gateway_validity: validity })
    }

    /// Reads the texts of a Secret; returns none if they are no certificates and keys that belong together.
    #[must_use]
    pub fn read(texts: &BTreeMap<String, String>, trust_domain: &str) -> Option<Self> {
        let text = |key: &str| texts.get(key).map(String::as_str);
        let node = NodeIdentity::from_pem(trust_domain, text("node.pem")?, text("node.key")?).ok()?;
        let gateway = GatewayIdentity::from_pem(text("gateway.pem")?, text("gateway.key")?).ok()?;
        let node_validity = Validity::of_certificate(node.credentials().chain_pem()).ok()?;
        let gateway_validity = Validity::of_certificate(gateway.credentials().chain_pem()).ok()?;
        Some(Self { node, gateway, node_validity, gateway_validity })
    }

    /// Returns the texts for a Secret.
    #[must_use]
    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        BTreeMap::from([
            text("node.pem", self.node.credentials().chain_pem()),
            text("node.key", self.node.credentials().key_pem()),
            text("gateway.pem", self.gateway.credentials().chain_pem()),
            text("gateway.key", self.gateway.credentials().key_pem()),
        ])
    }

    /// Returns true if they can stay: this authority signed both, neither is in the last third of its life, and neither
    /// lives longer than certificates are to live now.
    #[must_use]
    pub fn holds(&self, authority: &Authority, now: Timestamp, longest: Duration) -> bool {
        let signed = |pem: &str| authority.signed(pem).unwrap_or(false);
        let times = [self.node_validity, self.gateway_validity];
        signed(self.node.credentials().chain_pem())
            && signed(self.gateway.credentials().chain_pem())
            && times.iter().all(|v| v.not_before <= now && life(v) <= longest)
            && now < self.renewal()
    }

    /// Returns the time of renewal: two thirds of their life.
    #[must_use]
    pub fn renewal(&self) -> Timestamp {
        let at = |validity: &Validity| after(begun(validity), life(validity) * 2 / 3);
        at(&self.node_validity).min(at(&self.gateway_validity))
    }

    /// Returns the time at which the first of them expires.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.node_validity.not_after.min(self.gateway_validity.not_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn authority(id: &str) -> Authority {
        Authority::new(id.parse().unwrap(), "gba.example", Validity::lasting(at(0), DAY * 365)).unwrap()
    }

    #[test]
    fn certificates_are_renewed_at_two_thirds_of_their_life_and_when_another_authority_signs() {
        let hk = authority("HK");
        let issued = Leaf::issue(&hk, at(0), DAY).unwrap();
        let kept = Leaf::read(&issued.texts(), "gba.example").unwrap();
        assert_eq!((kept.renewal(), kept.not_after()), (at(57_600), at(86_400)));
        assert!(kept.holds(&hk, at(57_599), DAY));
        assert!(!kept.holds(&hk, at(57_600), DAY), "its last third");
        assert!(!kept.holds(&hk, at(0), DAY / 2), "certificates are to be shorter now");
        assert!(!kept.holds(&hk, at(-301), DAY), "not yet");
        assert!(!kept.holds(&authority("HK"), at(0), DAY), "a new authority of the same name");
    }

    #[test]
    fn certificates_that_are_missing_or_do_not_fit_their_keys_are_issued_anew() {
        let hk = authority("HK");
        let (a, b) = (Leaf::issue(&hk, at(0), DAY).unwrap().texts(), Leaf::issue(&hk, at(0), DAY).unwrap().texts());
        for key in ["node.pem", "node.key", "gateway.pem", "gateway.key"] {
            let mut missing = a.clone();
            missing.remove(key);
            assert!(Leaf::read(&missing, "gba.example").is_none(), "{key} missing");
            let mut garbage = a.clone();
            garbage.insert(key.to_owned(), "garbage".to_owned());
            assert!(Leaf::read(&garbage, "gba.example").is_none(), "{key} garbage");
            let mut mixed = a.clone();
            mixed.insert(key.to_owned(), b[key].clone());
            assert!(Leaf::read(&mixed, "gba.example").is_none(), "{key} of another pair");
        }
        assert!(Leaf::read(&a, "other.example").is_none(), "another trust domain");
    }
}
