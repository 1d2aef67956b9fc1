//! Certificate authorities of jurisdictions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
    SanType, date_time_ymd,
};
use wanqu_model::names::JurisdictionId;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::IdentityError;
use super::keys;
use super::names::{gateway_dns, node_dns, node_uri};
use super::node::{GatewayIdentity, NodeIdentity};

/// Validity period of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First moment at which it is valid.
    pub not_before: Timestamp,
    /// Last moment at which it is valid.
    pub not_after: Timestamp,
}

impl Validity {
    /// Returns the period of so many days from `now`, and five minutes before it, for clocks that are a little behind.
    #[must_use]
    pub fn days(now: Timestamp, days: u32) -> Self {
        Self::lasting(now, Duration::from_secs(u64::from(days) * 86_400))
    }

    /// Returns the period of this length from `now`, and five minutes before it, for clocks that are a little behind.
    #[must_use]
    pub fn lasting(now: Timestamp, life: Duration) -> Self {
        let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let at = |second| Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
        let second = now.as_second();
        Self { not_before: at(second - 300), not_after: at(second.saturating_add(seconds)) }
    }

    /// Returns the validity period of the first certificate of a PEM text.
    pub fn of_certificate(pem: &str) -> Result<Self, IdentityError> {
        Self::of_der(&keys::certificates(pem)?[0])
    }

    fn of_der(der: &[u8]) -> Result<Self, IdentityError> {
        let (_, parsed) = X509Certificate::from_der(der).map_err(|_| IdentityError::Certificate("cannot be read"))?;
        let at =
            |second| Timestamp::from_second(second).map_err(|_| IdentityError::Certificate("has no readable dates"));
        let validity = parsed.validity();
        Ok(Self { not_before: at(validity.not_before.timestamp())?, not_after: at(validity.not_after.timestamp())? })
    }

    fn apply(self, params: &mut CertificateParams) {
        let at = |moment: Timestamp| {
            date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(moment.as_second()).unwrap_or_default())
        };
        params.not_before = at(self.not_before);
        params.not_after = at(self.not_after);
    }
}

/// Certificate authority of a jurisdiction.
///
/// Its certificate carries name constraints (RFC 5280, 4.2.1.10): it can name only its own node and gateway, and the
/// loopback, where a local federation runs. Webpki knows no constraints on URIs; for them the verifiers in
/// [`Trust`](super::Trust) allow each jurisdiction only its own CA.
pub struct Authority {
    jurisdiction: JurisdictionId,
    trust_domain: String,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new authority with a new key.
    ///
    /// Its key is on P-256, as those of gateways are: TLS in Java, and with it the JDBC driver, takes no certificate that was
    /// signed with Ed25519.
    pub fn new(jurisdiction: JurisdictionId, trust_domain: &str, validity: Validity) -> Result<Self, IdentityError> {
        Self::with_key(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?, jurisdiction, trust_domain, validity)
    }

    /// Makes a new authority with a key of any kind.
    pub(super) fn with_key(
        key: KeyPair,
        jurisdiction: JurisdictionId,
        trust_domain: &str,
        validity: Validity,
    ) -> Result<Self, IdentityError> {
        let mut params = authority_params(&jurisdiction, trust_domain)?;
        validity.apply(&mut params);
        let certificate = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self { jurisdiction, trust_domain: trust_domain.to_owned(), certificate, issuer })
    }

    /// Makes an authority of its certificate and key, and checks that they belong together.
    pub fn from_pem(
        jurisdiction: JurisdictionId,
        trust_domain: &str,
        certificate: &str,
        key: &str,
    ) -> Result<Self, IdentityError> {
        let key = KeyPair::from_pem(key).map_err(|_| IdentityError::Pem("the authority's key"))?;
        let der = keys::certificates(certificate)?;
        let (_, parsed) =
            X509Certificate::from_der(&der[0]).map_err(|_| IdentityError::Certificate("cannot be read"))?;
        if parsed.public_key().subject_public_key.data != key.public_key_raw() {
            return Err(IdentityError::Key("does not belong to the authority's certificate"));
        }
        if !is_of(&parsed, &jurisdiction) {
            return Err(IdentityError::Certificate("is another authority's"));
        }
        let issuer = Issuer::new(authority_params(&jurisdiction, trust_domain)?, key);
        Ok(Self { jurisdiction, trust_domain: trust_domain.to_owned(), certificate: certificate.to_owned(), issuer })
    }

    /// Writes `ca.pem` and `ca.key` into a folder.
    pub fn save(&self, dir: &Path) -> Result<(), IdentityError> {
        keys::write_secret(&dir.join("ca.key"), &self.issuer.key().serialize_pem())?;
        keys::write_public(&dir.join("ca.pem"), &self.certificate)
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(dir: &Path, jurisdiction: JurisdictionId, trust_domain: &str) -> Result<Self, IdentityError> {
        let (certificate, key) = (keys::read(&dir.join("ca.pem"))?, keys::read(&dir.join("ca.key"))?);
        Self::from_pem(jurisdiction, trust_domain, &certificate, &key)
    }

    /// Returns its certificate, PEM, for the bundles of the other members.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Returns its key, PEM, to be kept in a Secret.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Returns true if a certificate (the first of a PEM text) was signed with this authority's key.
    pub fn signed(&self, certificate: &str) -> Result<bool, IdentityError> {
        let leaf = keys::certificates(certificate)?;
        let own = keys::certificates(&self.certificate)?;
        let read = |der| X509Certificate::from_der(der).map_err(|_| IdentityError::Certificate("cannot be read"));
        let ((_, leaf), (_, own)) = (read(&leaf[0])?, read(&own[0])?);
        Ok(leaf.verify_signature(Some(own.public_key())).is_ok())
    }

    /// Issues the identity of this jurisdiction's node.
    pub fn issue_node(&self, validity: Validity) -> Result<NodeIdentity, IdentityError> {
        self.issue_node_named(&self.jurisdiction, validity)
    }

    /// Issues a node's certificate in any jurisdiction's name. Nobody accepts it unless the name is this authority's own, as
    /// the attack suites show with it.
    pub fn issue_node_named(&self, name: &JurisdictionId, validity: Validity) -> Result<NodeIdentity, IdentityError> {
        let names = vec![
            SanType::URI(ia5(node_uri(&self.trust_domain, name))?),
            SanType::DnsName(ia5(node_dns(&self.trust_domain, name))?),
        ];
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let (chain, key) = self.issue(&key, names, usages, &format!("{name} node"), validity)?;
        NodeIdentity::from_pem(&self.trust_domain, &chain, &key)
    }

    /// Issues the identity of this jurisdiction's gateway, for `<jid>.gateway.<trust domain>` and the loopback. It has
    /// no node's URI and no client usage: it cannot pass for a node.
    pub fn issue_gateway(&self, validity: Validity) -> Result<GatewayIdentity, IdentityError> {
        let names = vec![
            SanType::DnsName(ia5(gateway_dns(&self.trust_domain, &self.jurisdiction))?),
            SanType::DnsName(ia5("localhost".to_owned())?),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ];
        let usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (chain, key) = self.issue(&key, names, usages, &format!("{} gateway", self.jurisdiction), validity)?;
        GatewayIdentity::from_pem(&chain, &key)
    }

    /// Signs a certificate for a key; both as PEM.
    pub(super) fn issue(
        &self,
        key: &KeyPair,
        names: Vec<SanType>,
        usages: Vec<ExtendedKeyUsagePurpose>,
        common_name: &str,
        validity: Validity,
    ) -> Result<(String, String), IdentityError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(common_name, &self.trust_domain);
        params.subject_alt_names = names;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        validity.apply(&mut params);
        Ok((params.signed_by(key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

fn authority_params(jurisdiction: &JurisdictionId, trust_domain: &str) -> Result<CertificateParams, IdentityError> {
    // A DNS name that cannot be written would only be noticed when the first certificate is issued.
    ia5(trust_domain.to_owned())?;
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(&common_name(jurisdiction), trust_domain);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName(node_dns(trust_domain, jurisdiction)),
            GeneralSubtree::DnsName(gateway_dns(trust_domain, jurisdiction)),
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    Ok(params)
}

/// Returns true if a certificate is that of the authority of a jurisdiction, by its name.
pub(super) fn is_of(certificate: &X509Certificate<'_>, jurisdiction: &JurisdictionId) -> bool {
    let expected = format!("CN={}", common_name(jurisdiction));
    certificate.subject().to_string().split(", ").any(|part| part == expected)
}

fn common_name(jurisdiction: &JurisdictionId) -> String {
    format!("{jurisdiction} authority")
}

fn subject(common_name: &str, trust_domain: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, trust_domain);
    name.push(DnType::CommonName, common_name);
    name
}

fn ia5(text: String) -> Result<Ia5String, IdentityError> {
    Ok(Ia5String::try_from(text)?)
}
