//! Handshakes in memory: who is let in, and who is not.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ED25519, SanType};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::testing::{TRUST_DOMAIN, authority, jid, node, trust, validity};
use super::trust::{ExactMember, provider};
use super::*;

/// Runs a handshake to its end; the peer as the server sees it, or the first refusal and whose it is.
fn handshake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    to: &str,
) -> Result<PeerIdentity, (&'static str, String)> {
    let name = ServerName::try_from(node_dns(TRUST_DOMAIN, &jid(to))).unwrap();
    let mut client = ClientConnection::new(client, name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    shake(&mut client, &mut server)?;
    Ok(PeerIdentity::of(TRUST_DOMAIN, &server.peer_certificates().unwrap()[0]).unwrap())
}

/// Runs a handshake to its end; the first refusal and whose it is.
fn shake(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), (&'static str, String)> {
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets().map_err(|e| ("server", tls_reason(&e)))?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().map_err(|e| ("client", tls_reason(&e)))?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(server.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    Ok(())
}

/// A refusal by `side` whose reason contains `reason`.
fn refused(result: Result<PeerIdentity, (&'static str, String)>, side: &str, reason: &str) {
    let (whose, why) = result.expect_err(reason);
    assert_eq!(whose, side, "{why}");
    assert!(why.contains(reason), "{why:?} does not say {reason:?}");
}

struct Pair {
    hk: Authority,
    mo: Authority,
    trust: Trust,
}

impl Pair {
    fn new() -> Self {
        let (hk, mo) = (authority("HK"), authority("MO"));
        let trust = trust(&[("HK", &hk), ("MO", &mo)]);
        Self { hk, mo, trust }
    }

    /// Hong Kong, with `identity`, calls Macau's honest node.
    fn hk_calls_mo(&self, identity: &NodeIdentity) -> Result<PeerIdentity, (&'static str, String)> {
        let server = server_config(&node(&self.mo).into(), &self.trust).unwrap();
        handshake(client_config(identity, &self.trust, jid("MO")).unwrap(), server, "MO")
    }

    /// Honest Hong Kong calls a server that shows `identity`.
    fn hk_is_answered_by(&self, identity: NodeIdentity) -> Result<PeerIdentity, (&'static str, String)> {
        let client = client_config(&node(&self.hk), &self.trust, jid("MO")).unwrap();
        handshake(client, server_config(&identity.into(), &self.trust).unwrap(), "MO")
    }
}

#[test]
fn two_members_nodes_authenticate_each_other() {
    let pair = Pair::new();
    let hk = node(&pair.hk);
    assert_eq!(pair.hk_calls_mo(&hk).unwrap(), hk.as_peer());
    assert_eq!(hk.as_peer().jurisdiction, jid("HK"));
}

#[test]
fn one_jurisdictions_authority_cannot_name_another() {
    let pair = Pair::new();
    // The real authority of Hong Kong signs Macau's name.
    let forged = pair.hk.issue_node_named(&jid("MO"), validity()).unwrap();
    refused(pair.hk_calls_mo(&forged), "server", "UnknownIssuer");
    refused(pair.hk_is_answered_by(forged), "client", "UnknownIssuer");
    // The same with an authority that has no name constraints, and only the URI is Macau's.
    let (chain, key) = pair
        .hk
        .issue(
            &KeyPair::generate_for(&PKCS_ED25519).unwrap(),
            vec![
                SanType::URI(Ia5String::try_from(node_uri(TRUST_DOMAIN, &jid("MO"))).unwrap()),
                SanType::DnsName(Ia5String::try_from(node_dns(TRUST_DOMAIN, &jid("HK"))).unwrap()),
            ],
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth],
            "x",
            validity(),
        )
        .unwrap();
    let forged = NodeIdentity::from_pem(TRUST_DOMAIN, &chain, &key).unwrap();
    refused(pair.hk_calls_mo(&forged), "server", "UnknownIssuer");
    // An authority that merely calls itself Macau's.
    let impostor = node(&authority("MO"));
    refused(pair.hk_calls_mo(&impostor), "server", "BadSignature");
    refused(pair.hk_is_answered_by(impostor), "client", "BadSignature");
}

#[test]
fn name_constraints_hold_even_where_the_authority_is_trusted_for_the_name() {
    let hk = authority("HK");
    let careless = trust(&[("HK", &hk), ("MO", &hk)]);
    let forged = hk.issue_node_named(&jid("MO"), validity()).unwrap();
    let server = server_config(&node(&hk).into(), &careless).unwrap();
    refused(handshake(client_config(&forged, &careless, jid("HK")).unwrap(), server, "HK"), "server", "NameConstraint");
}

#[test]
fn the_answering_node_must_be_the_one_that_was_called() {
    let pair = Pair::new();
    refused(pair.hk_is_answered_by(node(&pair.hk)), "client", "the peer is HK, not MO");
}

#[test]
fn strangers_are_refused() {
    let pair = Pair::new();
    let stranger = node(&authority("CN-SZ"));
    refused(pair.hk_calls_mo(&stranger), "server", "no certificate authority is known for CN-SZ");
}

#[test]
fn certificates_hold_only_in_their_time() {
    let pair = Pair::new();
    let now = Timestamp::now();
    let hour = SignedDuration::from_hours(1);
    for (not_before, not_after, reason) in
        [(now - hour * 2, now - hour, "expired"), (now + hour, now + hour * 2, "not valid yet")]
    {
        let validity = Validity { not_before, not_after };
        refused(pair.hk_calls_mo(&pair.hk.issue_node(validity).unwrap()), "server", reason);
        refused(pair.hk_is_answered_by(pair.mo.issue_node(validity).unwrap()), "client", reason);
    }
}

#[test]
fn a_self_signed_certificate_vouches_for_nobody() {
    let pair = Pair::new();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![
        SanType::URI(Ia5String::try_from(node_uri(TRUST_DOMAIN, &jid("MO"))).unwrap()),
        SanType::DnsName(Ia5String::try_from(node_dns(TRUST_DOMAIN, &jid("MO"))).unwrap()),
    ];
    let certificate = params.self_signed(&key).unwrap().pem();
    let identity = NodeIdentity::from_pem(TRUST_DOMAIN, &certificate, &key.serialize_pem()).unwrap();
    refused(pair.hk_calls_mo(&identity), "server", "UnknownIssuer");
    refused(pair.hk_is_answered_by(identity), "client", "UnknownIssuer");
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let pair = Pair::new();
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ExactMember { trust: pair.trust.clone(), expected: jid("MO") }))
        .with_no_client_auth();
    let server = server_config(&node(&pair.mo).into(), &pair.trust).unwrap();
    refused(handshake(Arc::new(client), server, "MO"), "server", "peer sent no certificates");
}

/// Java takes no others; an authority that was made before, or by somebody else, may have a key of another kind.
#[test]
fn researchers_meet_keys_on_p256_and_authorities_with_ed25519_go_on() {
    let hk = authority("HK");
    let gateway = hk.issue_gateway(validity()).unwrap();
    let key_of = |pem: &str| {
        let der = keys::certificates(pem).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&der[0]).unwrap();
        (parsed.signature_algorithm.algorithm.to_id_string(), parsed.public_key().algorithm.algorithm.to_id_string())
    };
    let (ecdsa_with_sha256, elliptic) = ("1.2.840.10045.4.3.2".to_owned(), "1.2.840.10045.2.1".to_owned());
    let folder = tempfile::tempdir().unwrap();
    gateway.save(folder.path()).unwrap();
    let served = keys::read(&folder.path().join("gateway.pem")).unwrap();
    for pem in [hk.certificate_pem(), &served] {
        assert_eq!(key_of(pem), (ecdsa_with_sha256.clone(), elliptic.clone()));
    }

    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let before = Authority::with_key(key, jid("MO"), TRUST_DOMAIN, validity()).unwrap();
    before.save(folder.path()).unwrap();
    let before = Authority::load(folder.path(), jid("MO"), TRUST_DOMAIN).unwrap();
    let gateway = before.issue_gateway(validity()).unwrap();
    let client = gateway_client_config(before.certificate_pem()).unwrap();
    let server = gateway_server_config(&gateway.into()).unwrap();
    let mut client = ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    shake(&mut client, &mut server).unwrap();
    assert!(Authority::from_pem(jid("MO"), TRUST_DOMAIN, before.certificate_pem(), &hk.key_pem()).is_err());
}

#[test]
fn a_gateways_certificate_does_not_pass_for_a_nodes() {
    let pair = Pair::new();
    let gateway = pair.mo.issue_gateway(validity()).unwrap();
    let client = client_config(&node(&pair.hk), &pair.trust, jid("MO")).unwrap();
    refused(
        handshake(client, gateway_server_config(&gateway.into()).unwrap(), "MO"),
        // Nodes take Ed25519 alone, so it does not get as far as its name.
        "server",
        "NoSignatureSchemesInCommon",
    );
}

#[test]
fn plaintext_and_old_tls_are_refused() {
    let pair = Pair::new();
    let config = server_config(&node(&pair.mo).into(), &pair.trust).unwrap();
    for hello in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
        server.read_tls(&mut &hello[..]).unwrap();
        assert!(server.process_new_packets().is_err());
    }
    let mut old = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ExactMember { trust: pair.trust.clone(), expected: jid("MO") }))
        .with_no_client_auth();
    old.alpn_protocols = vec![b"h2".to_vec()];
    refused(handshake(Arc::new(old), config, "MO"), "server", "Tls12NotOffered");
}

#[test]
fn trust_follows_its_replacement() {
    let pair = Pair::new();
    let hk = node(&pair.hk);
    let shared = pair.trust.clone();
    let mut bundle = bundle(&[("MO", &pair.mo)]);
    shared.replace(&bundle).unwrap();
    refused(pair.hk_calls_mo(&hk), "server", "no certificate authority is known for HK");
    bundle.members[0].ca = Some("not PEM".to_owned());
    assert!(shared.replace(&bundle).is_err(), "and the old trust stays:");
    refused(pair.hk_calls_mo(&hk), "server", "no certificate authority is known for HK");
}

#[test]
fn a_server_shows_what_is_in_its_slot_at_each_handshake() {
    let pair = Pair::new();
    let (old, new) = (node(&pair.mo), node(&pair.mo));
    let shown = |identity: &NodeIdentity| identity.as_peer().public_key;
    let keys = (shown(&old), shown(&new));
    let slot = Slot::from(old);
    let server = server_config(&slot, &pair.trust).unwrap();
    let seen = || {
        let client = client_config(&node(&pair.hk), &pair.trust, jid("MO")).unwrap();
        let name = ServerName::try_from(node_dns(TRUST_DOMAIN, &jid("MO"))).unwrap();
        let mut client = ClientConnection::new(client, name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&server)).unwrap();
        while client.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        PeerIdentity::of(TRUST_DOMAIN, &client.peer_certificates().unwrap()[0]).unwrap().public_key
    };
    assert_eq!(seen(), keys.0);
    slot.replace(new);
    assert_eq!(seen(), keys.1);
}

#[test]
fn a_chain_is_vouched_for_by_the_trust_of_the_moment() {
    let pair = Pair::new();
    let (hk, now) = (node(&pair.hk), Timestamp::now());
    assert_eq!(pair.trust.vouches(hk.credentials().chain(), now).unwrap(), hk.as_peer());
    let late = now + SignedDuration::from_hours(48);
    let error = pair.trust.vouches(hk.credentials().chain(), late).unwrap_err().to_string();
    assert!(error.contains("the CA of HK does not vouch") && error.contains("expired"), "{error}");
    assert!(matches!(pair.trust.vouches(&[], now), Err(IdentityError::Certificate("is missing"))));

    // Both the old and the new CA while certificates are exchanged, then only the new one.
    let new = authority("HK");
    let both = format!("{}{}", pair.hk.certificate_pem(), new.certificate_pem());
    let trust = |ca: String| Trust::new(TRUST_DOMAIN, [(jid("HK"), ca)]).unwrap();
    let (both, only) = (trust(both), trust(new.certificate_pem().to_owned()));
    assert!(
        both.vouches(hk.credentials().chain(), now).is_ok()
            && both.vouches(node(&new).credentials().chain(), now).is_ok()
    );
    assert!(
        only.vouches(hk.credentials().chain(), now).is_err()
            && only.vouches(node(&new).credentials().chain(), now).is_ok()
    );
}

#[test]
fn a_key_of_another_certificate_makes_no_gateway() {
    let (dir, hk) = (tempfile::tempdir().unwrap(), authority("HK"));
    hk.issue_gateway(validity()).unwrap().save(dir.path()).unwrap();
    let chain = keys::read(&dir.path().join("gateway.pem")).unwrap();
    hk.issue_gateway(validity()).unwrap().save(dir.path()).unwrap();
    let error = GatewayIdentity::from_pem(&chain, &keys::read(&dir.path().join("gateway.key")).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the key does not belong to the certificate");
}

fn bundle(members: &[(&str, &Authority)]) -> wanqu_model::bundle::NodeBundle {
    let members: Vec<_> = members
        .iter()
        .map(|(name, ca)| {
            serde_json::json!({
                "jurisdiction": name, "sqlName": "x", "displayName": "", "endpoint": null,
                "ca": ca.certificate_pem(), "issuers": [],
            })
        })
        .collect();
    serde_json::from_value(serde_json::json!({
        "federation": "gba", "trustDomain": TRUST_DOMAIN, "jurisdiction": "MO", "members": members, "slices": [],
        "commonTables": [], "sources": [], "agreements": [], "projects": [],
        "limits": wanqu_model::bundle::Limits::default(),
    }))
    .unwrap()
}

#[test]
fn identities_survive_their_files_and_keys_stay_private() {
    let dir = tempfile::tempdir().unwrap();
    let pair = Pair::new();
    pair.hk.save(dir.path()).unwrap();
    node(&pair.hk).save(dir.path()).unwrap();
    let again = Authority::load(dir.path(), jid("HK"), TRUST_DOMAIN).unwrap();
    // Certificates that the authority signs after a restart are accepted as before.
    assert!(pair.hk_calls_mo(&node(&again)).is_ok());
    assert!(pair.hk_calls_mo(&NodeIdentity::load(dir.path(), TRUST_DOMAIN).unwrap()).is_ok());
    assert!(Authority::load(dir.path(), jid("MO"), TRUST_DOMAIN).is_err(), "Hong Kong's files are not Macau's");
    assert!(NodeIdentity::load(dir.path(), "other.example").is_err());
    #[cfg(unix)]
    for key in ["ca.key", "node.key"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
    // A key that belongs to another certificate.
    node(&pair.mo).save(dir.path()).unwrap();
    let (chain, key) = (keys::read(&dir.path().join("node.pem")).unwrap(), "ca.key");
    assert!(NodeIdentity::from_pem(TRUST_DOMAIN, &chain, &keys::read(&dir.path().join(key)).unwrap()).is_err());
}
