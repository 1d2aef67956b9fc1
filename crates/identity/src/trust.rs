//! Which CA may vouch for which jurisdiction, and the verifiers that hold peers to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::RwLock;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, PeerIncompatible, RootCertStore, SignatureScheme};
use wanqu_model::bundle::NodeBundle;
use wanqu_model::names::JurisdictionId;

use super::{IdentityError, PeerIdentity, keys, tls_reason};

/// Which CA may vouch for which jurisdiction. Clones share one state, which [`replace`](Trust::replace) changes for
/// every handshake from then on; [`vouches`](Trust::vouches) holds older connections to it too.
#[derive(Debug, Clone)]
pub struct Trust(Arc<RwLock<Arc<Members>>>);

#[derive(Debug)]
struct Members {
    trust_domain: String,
    anchors: BTreeMap<JurisdictionId, Anchors>,
}

/// One jurisdiction's CA, as a judge of servers and of clients.
#[derive(Debug)]
struct Anchors {
    ca: Arc<str>,
    servers: Arc<WebPkiServerVerifier>,
    clients: Arc<dyn ClientCertVerifier>,
}

impl Trust {
    /// Takes each jurisdiction's CA certificate(s), PEM.
    pub fn new(
        trust_domain: &str,
        members: impl IntoIterator<Item = (JurisdictionId, String)>,
    ) -> Result<Self, IdentityError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(Members::new(trust_domain, members)?)))))
    }

    /// Takes the members of a node bundle. One that is not placed yet has no CA, and nobody can come in its name.
    pub fn from_bundle(bundle: &NodeBundle) -> Result<Self, IdentityError> {
        Self::new(&bundle.trust_domain, members_of(bundle))
    }

    /// Takes the members of a new bundle from here on; on an error the old ones stay.
    pub fn replace(&self, bundle: &NodeBundle) -> Result<(), IdentityError> {
        let members = Members::new(&bundle.trust_domain, members_of(bundle))?;
        *self.0.write() = Arc::new(members);
        Ok(())
    }

    /// The trust domain of every identity in it.
    #[must_use]
    pub fn trust_domain(&self) -> String {
        self.members().trust_domain.clone()
    }

    /// The CA certificate(s) that vouch for a jurisdiction now, PEM; none if it is no member that is placed.
    #[must_use]
    pub fn ca(&self, jurisdiction: &JurisdictionId) -> Option<Arc<str>> {
        self.members().anchors.get(jurisdiction).map(|anchors| Arc::clone(&anchors.ca))
    }

    /// Whom a chain of certificates names, if it holds at this moment and that jurisdiction's CA vouches for it now. A
    /// handshake asked the same; what it found may have changed since.
    ///
    /// # Errors
    /// Why it does not hold.
    pub fn vouches(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<PeerIdentity, IdentityError> {
        let (leaf, intermediates) = chain.split_first().ok_or(IdentityError::Certificate("is missing"))?;
        let members = self.members();
        let (peer, anchors) = members.peer(leaf)?;
        let since = u64::try_from(now.as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(since));
        anchors
            .clients
            .verify_client_cert(leaf, intermediates, now)
            .map_err(|error| IdentityError::Unvouched(peer.jurisdiction.clone(), tls_reason(&error)))?;
        Ok(peer)
    }

    fn members(&self) -> Arc<Members> {
        Arc::clone(&self.0.read())
    }
}

fn members_of(bundle: &NodeBundle) -> impl Iterator<Item = (JurisdictionId, String)> {
    bundle.members.iter().filter_map(|member| Some((member.jurisdiction.clone(), member.ca.clone()?)))
}

impl Members {
    fn new(
        trust_domain: &str,
        members: impl IntoIterator<Item = (JurisdictionId, String)>,
    ) -> Result<Self, IdentityError> {
        let mut anchors = BTreeMap::new();
        for (jurisdiction, ca) in members {
            anchors.insert(jurisdiction, Anchors::new(&ca)?);
        }
        Ok(Self { trust_domain: trust_domain.to_owned(), anchors })
    }

    /// The peer that a leaf certificate names, with the only CA that may vouch for it.
    fn peer(&self, leaf: &CertificateDer<'_>) -> Result<(PeerIdentity, &Anchors), IdentityError> {
        let peer = PeerIdentity::of(&self.trust_domain, leaf)?;
        let anchors = self
            .anchors
            .get(&peer.jurisdiction)
            .ok_or_else(|| IdentityError::UnknownJurisdiction(peer.jurisdiction.clone()))?;
        Ok((peer, anchors))
    }
}

impl Anchors {
    fn new(ca: &str) -> Result<Self, IdentityError> {
        let mut roots = RootCertStore::empty();
        for certificate in keys::certificates(ca)? {
            roots.add(certificate)?;
        }
        let roots = Arc::new(roots);
        let failed = |error: rustls::client::VerifierBuilderError| IdentityError::Tls(error.to_string());
        Ok(Self {
            ca: ca.into(),
            servers: WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), provider())
                .build()
                .map_err(failed)?,
            clients: WebPkiClientVerifier::builder_with_provider(roots, provider()).build().map_err(failed)?,
        })
    }
}

/// The cryptography that every connection uses: `ring`.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Judges the client that connects to this node.
#[derive(Debug)]
pub(super) struct AnyMember(pub(super) Trust);

/// Judges the server that this node connects to: it must be the jurisdiction that was called.
#[derive(Debug)]
pub(super) struct ExactMember {
    pub(super) trust: Trust,
    pub(super) expected: JurisdictionId,
}

impl ClientCertVerifier for AnyMember {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let members = self.0.members();
        let (_, anchors) = members.peer(end_entity)?;
        anchors.clients.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ServerCertVerifier for ExactMember {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let members = self.trust.members();
        let (peer, anchors) = members.peer(end_entity)?;
        if peer.jurisdiction != self.expected {
            let (expected, found) = (self.expected.clone(), peer.jurisdiction);
            return Err(IdentityError::WrongJurisdiction { expected, found }.into());
        }
        anchors.servers.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
