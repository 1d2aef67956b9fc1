//! Statements that a node signs, and their check, which needs the CA of its member and nothing else.

use std::fmt::Write;

use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use wanqu_model::receipt::{Signed, Statement, signed_bytes};

use x509_parser::prelude::{FromDer, X509Certificate};

use crate::authority::is_of;
use crate::{IdentityError, NodeIdentity, Trust, keys, trust_domain_of};

/// Longest certificate chain of a signature, PEM, in bytes.
const CHAIN: usize = 16 * 1024;

/// Signs a statement with a node's key.
///
/// # Errors
/// [`IdentityError::Unsigned`] if the statement cannot be written.
pub fn sign_statement<T: Statement>(statement: T, identity: &NodeIdentity) -> Result<Signed<T>, IdentityError> {
    let bytes = signed_bytes(&statement).ok_or(IdentityError::Unsigned)?;
    let mut signature = String::with_capacity(128);
    for byte in identity.sign(&bytes) {
        // Writing to a String does not fail.
        let _ = write!(signature, "{byte:02x}");
    }
    Ok(Signed { statement, signature, chain: identity.credentials().chain_pem().to_owned() })
}

/// Checks that the member in whose name a statement is signed it, by a certificate that its CA vouched for at the time of the
/// statement.
///
/// # Errors
/// The fault of it, in words.
pub fn verify_statement<T: Statement>(signed: &Signed<T>, trust: &Trust) -> Result<(), String> {
    let Signed { statement, signature, chain } = signed;
    if !statement.has_digests() {
        return Err("a digest in it is no SHA-256".to_owned());
    }
    if chain.len() > CHAIN {
        return Err("its certificate chain is too long".to_owned());
    }
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| "its certificate chain cannot be read".to_owned())?;
    let peer = trust.vouches(&chain, statement.time()).map_err(|error| error.to_string())?;
    if peer.jurisdiction != *statement.member() {
        return Err(format!("it is in the name of {}, and signed by {}", statement.member(), peer.jurisdiction));
    }
    let signature = bytes(signature).ok_or("its signature cannot be read")?;
    let text = signed_bytes(statement).ok_or("it cannot be written as what is signed")?;
    UnparsedPublicKey::new(&ED25519, peer.public_key)
        .verify(&text, &signature)
        .map_err(|_| "its signature does not hold".to_owned())
}

/// Checks the same with the certificates of the member's CA, PEM, where no federation is at hand. Nothing else says whose a CA is, so
/// its certificates must name the member: one member's CA vouches for no other.
///
/// # Errors
/// As for [`verify_statement`]; the CA cannot be read, or is another member's.
pub fn verify_statement_with_ca<T: Statement>(signed: &Signed<T>, ca: &str) -> Result<(), String> {
    let member = signed.statement.member();
    for certificate in keys::certificates(ca).map_err(|error| error.to_string())? {
        let (_, certificate) =
            X509Certificate::from_der(&certificate).map_err(|_| "the CA cannot be read".to_owned())?;
        if !is_of(&certificate, member) {
            return Err(format!("the CA is not that of {member}"));
        }
    }
    let leaf = CertificateDer::from_pem_slice(signed.chain.as_bytes())
        .map_err(|_| "its certificate chain cannot be read".to_owned())?;
    let domain = trust_domain_of(&leaf).map_err(|error| error.to_string())?;
    let trust = Trust::new(&domain, [(member.clone(), ca.to_owned())]).map_err(|error| error.to_string())?;
    verify_statement(signed, &trust)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use wanqu_model::receipt::Checkpoint;

    use super::*;
    use rcgen::string::Ia5String;
    use rcgen::{ExtendedKeyUsagePurpose, KeyPair, PKCS_ED25519, SanType};

    use crate::node_uri;
    use crate::testing::{TRUST_DOMAIN, authority, jid, node, trust, validity};

    fn checkpoint(member: &str) -> Checkpoint {
        let digest = "a".repeat(64);
        Checkpoint { member: jid(member), log: uuid(7), sequence: 12, digest, time: Timestamp::now() }
    }

    fn uuid(id: u8) -> uuid::Uuid {
        uuid::Uuid::from_bytes([id; 16])
    }

    #[test]
    fn a_statement_is_its_members_own_and_cannot_be_altered() {
        let (hk, mo) = (authority("HK"), authority("MO"));
        let trust = trust(&[("HK", &hk), ("MO", &mo)]);
        let signed = sign_statement(checkpoint("HK"), &node(&hk)).unwrap();
        verify_statement(&signed, &trust).unwrap();
        verify_statement_with_ca(&signed, hk.certificate_pem()).unwrap();
        verify_statement_with_ca(&signed, mo.certificate_pem()).unwrap_err();
        let read: Signed<Checkpoint> = serde_json::from_str(&serde_json::to_string(&signed).unwrap()).unwrap();
        verify_statement(&read, &trust).unwrap();

        let altered = |change: &dyn Fn(&mut Signed<Checkpoint>)| {
            let mut other = signed.clone();
            change(&mut other);
            verify_statement(&other, &trust).unwrap_err()
        };
        assert!(altered(&|other| other.statement.sequence = 11).contains("does not hold"));
        assert!(altered(&|other| other.statement.digest = "b".repeat(64)).contains("does not hold"));
        assert!(altered(&|other| other.statement.log = uuid(0)).contains("does not hold"));
        assert!(altered(&|other| other.statement.digest = "\u{1b}[2J".to_owned()).contains("SHA-256"));
        assert!(altered(&|other| other.statement.member = jid("MO")).contains("signed by HK"));
        assert!(altered(&|other| other.signature = "灣".to_owned()).contains("cannot be read"));
        assert!(altered(&|other| other.chain = "x".repeat(20_000)).contains("too long"));
        altered(&|other| other.chain = String::new());
        altered(&|other| other.statement.time -= SignedDuration::from_hours(24 * 365 * 30));

        // A certificate that names Macau's node, and nothing that the constraints of Hong Kong's CA look at.
        let names = vec![SanType::URI(Ia5String::try_from(node_uri(TRUST_DOMAIN, &jid("MO"))).unwrap())];
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let (chain, key) = hk.issue(&key, names, vec![ExtendedKeyUsagePurpose::ClientAuth], "x", validity()).unwrap();
        let other = NodeIdentity::from_pem(TRUST_DOMAIN, &chain, &key).unwrap();
        let others = sign_statement(checkpoint("MO"), &other).unwrap();
        assert!(verify_statement_with_ca(&others, hk.certificate_pem()).unwrap_err().contains("not that of MO"));
        verify_statement_with_ca(&others, mo.certificate_pem()).unwrap_err();
        verify_statement(&others, &trust).unwrap_err();

        let forged = sign_statement(checkpoint("HK"), &node(&mo)).unwrap();
        assert!(verify_statement(&forged, &trust).unwrap_err().contains("signed by MO"));
        let stranger = sign_statement(checkpoint("HK"), &node(&authority("HK"))).unwrap();
        verify_statement(&stranger, &trust).unwrap_err();
    }
}
