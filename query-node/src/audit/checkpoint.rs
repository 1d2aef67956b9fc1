//! Checkpoints: what a node says of the end of its log, signed, for others to hold.
//!
//! A chain shows that nothing within it was changed. Whoever holds the disk can cut its end or write all of it anew, and what is left
//! is whole in itself. So each member tells the others the number and digest of its last entry from time to time, and
//! they write that into their own logs (the signed tree heads of RFC 9162, for a plain chain).

use std::fmt::Write;

use jiff::Timestamp;
use ring::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wanqu_identity::{NodeIdentity, Trust, trust_domain_of};
use wanqu_model::names::JurisdictionId;

use super::Expected;

/// Bytes that a signature covers before the JSON, so that one made for anything else is none of a checkpoint's.
const CONTEXT: &[u8] = b"wanqu audit checkpoint, version 1\n";

/// Longest certificate chain of a checkpoint, PEM, in bytes.
const CHAIN: usize = 16 * 1024;

/// The last entry of a log at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Jurisdiction whose node keeps the log.
    pub member: JurisdictionId,
    /// Id of the log: each replica of a node has one of its own.
    pub log: Uuid,
    /// Number of the last entry.
    pub sequence: u64,
    /// Digest of the last entry: SHA-256, hexadecimal.
    pub digest: String,
    /// Time at which it was the last.
    pub time: Timestamp,
}

/// Checkpoint with its node's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedCheckpoint {
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// Ed25519 signature, hexadecimal.
    pub signature: String,
    /// Certificate chain of the node at that time, PEM. Its first certificate has the key of the signature.
    pub chain: String,
}

impl SignedCheckpoint {
    /// Signs with the node's key.
    #[must_use]
    pub fn new(checkpoint: Checkpoint, identity: &NodeIdentity) -> Self {
        let mut signature = String::with_capacity(128);
        for byte in identity.sign(&signed_text(&checkpoint)) {
            // Writing to a String does not fail.
            let _ = write!(signature, "{byte:02x}");
        }
        Self { checkpoint, signature, chain: identity.credentials().chain_pem().to_owned() }
    }

    /// Checks that the member whose log it speaks of signed it, by a certificate that its CA vouched for at the time of the
    /// checkpoint.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, trust: &Trust) -> Result<(), String> {
        let Checkpoint { member, digest, time, .. } = &self.checkpoint;
        if digest.len() != 64 || !digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("its digest is no SHA-256".to_owned());
        }
        if self.chain.len() > CHAIN {
            return Err("its certificate chain is too long".to_owned());
        }
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(self.chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| "its certificate chain cannot be read".to_owned())?;
        let peer = trust.vouches(&chain, *time).map_err(|error| error.to_string())?;
        if peer.jurisdiction != *member {
            return Err(format!("it is of the log of {member}, and signed by {}", peer.jurisdiction));
        }
        let signature = bytes(&self.signature).ok_or("its signature cannot be read")?;
        UnparsedPublicKey::new(&ED25519, peer.public_key)
            .verify(&signed_text(&self.checkpoint), &signature)
            .map_err(|_| "its signature does not hold".to_owned())
    }

    /// Checks the same with the CA of the member whose log it speaks of, PEM, where no federation is at hand.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify); the CA cannot be read.
    pub fn verify_with_ca(&self, ca: &str) -> Result<(), String> {
        let member = self.checkpoint.member.clone();
        let leaf = CertificateDer::from_pem_slice(self.chain.as_bytes())
            .map_err(|_| "its certificate chain cannot be read".to_owned())?;
        let domain = trust_domain_of(&leaf).map_err(|error| error.to_string())?;
        let trust = Trust::new(&domain, [(member, ca.to_owned())]).map_err(|error| error.to_string())?;
        self.verify(&trust)
    }

    /// Returns the entry that the log must hold.
    #[must_use]
    pub fn expected(&self) -> Expected {
        Expected { sequence: self.checkpoint.sequence, digest: self.checkpoint.digest.clone() }
    }
}

/// Returns the text that is signed: its fields have one order and one form each.
fn signed_text(checkpoint: &Checkpoint) -> Vec<u8> {
    let Checkpoint { member, log, sequence, digest, time } = checkpoint;
    [CONTEXT, format!("{member}\n{log}\n{sequence}\n{digest}\n{}\n", time.as_nanosecond()).as_bytes()].concat()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let pairs = digits.len().is_multiple_of(2).then(|| digits.chunks_exact(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use wanqu_fixtures::identity::{authority, jid, node, trust};

    use super::*;

    fn checkpoint(member: &str) -> Checkpoint {
        let (log, digest) = (Uuid::from_u128(7), "a".repeat(64));
        Checkpoint { member: jid(member), log, sequence: 12, digest, time: Timestamp::now() }
    }

    #[test]
    fn a_checkpoint_is_its_members_own_and_cannot_be_altered() {
        let (hk, mo) = (authority("HK"), authority("MO"));
        let trust = trust(&[("HK", &hk), ("MO", &mo)]);
        let signed = SignedCheckpoint::new(checkpoint("HK"), &node(&hk));
        signed.verify(&trust).unwrap();
        let read: SignedCheckpoint = serde_json::from_str(&serde_json::to_string(&signed).unwrap()).unwrap();
        read.verify(&trust).unwrap();
        assert_eq!(read.expected(), Expected { sequence: 12, digest: "a".repeat(64) });

        let altered = |change: &dyn Fn(&mut SignedCheckpoint)| {
            let mut other = signed.clone();
            change(&mut other);
            other.verify(&trust).unwrap_err()
        };
        assert!(altered(&|other| other.checkpoint.sequence = 11).contains("does not hold"));
        assert!(altered(&|other| other.checkpoint.digest = "b".repeat(64)).contains("does not hold"));
        assert!(altered(&|other| other.checkpoint.log = Uuid::nil()).contains("does not hold"));
        assert!(altered(&|other| other.checkpoint.digest = "\u{1b}[2J".to_owned()).contains("SHA-256"));
        assert!(altered(&|other| other.checkpoint.member = jid("MO")).contains("signed by HK"));
        assert!(altered(&|other| other.signature = "灣".to_owned()).contains("cannot be read"));
        assert!(altered(&|other| other.chain = "x".repeat(20_000)).contains("too long"));
        altered(&|other| other.chain = String::new());
        let long_ago =
            |other: &mut SignedCheckpoint| other.checkpoint.time -= SignedDuration::from_hours(24 * 365 * 30);
        altered(&long_ago);

        let forged = SignedCheckpoint::new(checkpoint("HK"), &node(&mo));
        assert!(forged.verify(&trust).unwrap_err().contains("signed by MO"));
        let stranger = SignedCheckpoint::new(checkpoint("HK"), &node(&authority("HK")));
        stranger.verify(&trust).unwrap_err();
    }
}
