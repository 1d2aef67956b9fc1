//! Sealing envelopes and opening them.
//!
//! ```text
//! "WQE1" │ Ed25519 signature, 64 bytes │ the envelope as JSON, to the end
//! ```
//!
//! The signature covers a context string and the JSON bytes as they travel, so that nothing has to be made canonical,
//! and a signature made for anything else cannot pass for an envelope's.

use jiff::{SignedDuration, Timestamp};
use ring::signature::{ED25519, UnparsedPublicKey};
use wanqu_identity::{NodeIdentity, PeerIdentity};
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::envelope::{ENVELOPE_VERSION, Envelope};

use super::replay::ReplayGuard;

const MAGIC: &[u8; 4] = b"WQE1";
/// Bytes that a signature covers before the JSON.
const CONTEXT: &[u8] = b"wanqu exchange envelope, version 1\n";
const SIGNATURE: usize = 64;

/// Difference that the clocks of two nodes may have.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Longest time that a home node may give an owner.
pub const MAX_DEADLINE: SignedDuration = SignedDuration::from_hours(1);

/// Signs an envelope with the node's own key.
///
/// # Errors
/// [`Code::Internal`] if it cannot be written as JSON.
pub fn sign(envelope: &Envelope, identity: &NodeIdentity) -> Result<Vec<u8>, Refusal> {
    let json = serde_json::to_vec(envelope)
        .map_err(|_| Refusal::new(Code::Internal, "the envelope could not be written as JSON"))?;
    Ok(sign_json(&json, identity))
}

/// Signs bytes as the JSON of an envelope, whatever they are: a hostile member can sign what it likes.
#[must_use]
pub fn sign_json(json: &[u8], identity: &NodeIdentity) -> Vec<u8> {
    let signature = identity.sign(&signed_text(json));
    [MAGIC.as_slice(), &signature, json].concat()
}

/// Opens an envelope that came over a connection whose certificate names `peer`, at the node of `own`.
///
/// # Errors
/// [`Code::Identity`] for a signature that does not hold or a sender that is not the peer; [`Code::Envelope`] for an
/// envelope that is malformed, for another node, out of its time, or used before; [`Code::Limit`] for one too long.
pub fn open(
    bytes: &[u8],
    peer: &PeerIdentity,
    own: &JurisdictionId,
    max_bytes: usize,
    replays: &ReplayGuard,
    now: Timestamp,
) -> Result<Envelope, Refusal> {
    if bytes.len() > max_bytes {
        return Err(Refusal::new(Code::Limit, "the envelope is too long")
            .with_rule(format!("an envelope is at most {max_bytes} bytes long")));
    }
    let (signature, json) = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.split_at_checked(SIGNATURE))
        .ok_or_else(|| malformed("it does not begin as an envelope of version 1"))?;
    UnparsedPublicKey::new(&ED25519, peer.public_key).verify(&signed_text(json), signature).map_err(|_| {
        Refusal::new(Code::Identity, "the envelope's signature does not hold")
            .with_rule("an envelope is signed with the key of the certificate it comes with")
    })?;
    let envelope: Envelope = serde_json::from_slice(json).map_err(|_| malformed("it is not an envelope's JSON"))?;
    check_parties(&envelope, peer, own)?;
    check_time(&envelope, now)?;
    replays.admit(&envelope.from, envelope.nonce, envelope.deadline, now)?;
    Ok(envelope)
}

fn signed_text(json: &[u8]) -> Vec<u8> {
    [CONTEXT, json].concat()
}

fn malformed(why: &str) -> Refusal {
    Refusal::new(Code::Envelope, format!("the envelope cannot be read: {why}"))
}

fn check_parties(envelope: &Envelope, peer: &PeerIdentity, own: &JurisdictionId) -> Result<(), Refusal> {
    if envelope.version != ENVELOPE_VERSION {
        return Err(malformed("its version is not known here"));
    }
    if envelope.from != peer.jurisdiction {
        return Err(Refusal::new(
            Code::Identity,
            "the envelope names another sender than the connection's certificate",
        )
        .with_rule("a node asks in its own jurisdiction's name only")
        .with_subject(envelope.from.to_string()));
    }
    if envelope.to != *own {
        return Err(
            Refusal::new(Code::Envelope, "the envelope is for another node").with_subject(envelope.to.to_string())
        );
    }
    Ok(())
}

fn check_time(envelope: &Envelope, now: Timestamp) -> Result<(), Refusal> {
    let refuse = |message: &str, rule: String| Err(Refusal::new(Code::Envelope, message).with_rule(rule));
    if envelope.issued_at.duration_since(now).abs() > CLOCK_SKEW {
        let rule = format!("an envelope is at most {} s old, and clocks agree to within that", CLOCK_SKEW.as_secs());
        return refuse("the envelope was not made just now", rule);
    }
    let left = envelope.deadline.duration_since(now);
    if left <= SignedDuration::ZERO {
        return refuse("the envelope's deadline has passed", "a deadline lies in the future".to_owned());
    }
    if left > MAX_DEADLINE {
        let rule = format!("a deadline is at most {} s away", MAX_DEADLINE.as_secs());
        return refuse("the envelope's deadline is too far away", rule);
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use uuid::Uuid;
    use wanqu_model::bundle::Subject;

    use super::*;
    use wanqu_fixtures::identity::{authority, jid, node};

    const MAX: usize = 64 * 1024;

    /// An envelope from Hong Kong to Macau.
    pub(in crate::exchange) fn envelope(now: Timestamp) -> Envelope {
        Envelope {
            version: ENVELOPE_VERSION,
            query_id: Uuid::new_v4(),
            fragment: 0,
            from: jid("HK"),
            to: jid("MO"),
            sql: "SELECT count(*) AS n FROM macau.health.visits".to_owned(),
            requester: Subject { issuer: "https://id.example".to_owned(), subject: "wei".to_owned() },
            project: None,
            purpose: None,
            agreement: None,
            issued_at: now,
            deadline: now + SignedDuration::from_secs(30),
            nonce: Uuid::new_v4(),
            max_rows: 1000,
            traceparent: None,
        }
    }

    #[test]
    fn an_honest_envelope_opens_once() {
        let (hk, now, guard) = (node(&authority("HK")), Timestamp::now(), ReplayGuard::default());
        let envelope = envelope(now);
        let bytes = sign(&envelope, &hk).unwrap();
        let open = || open(&bytes, &hk.as_peer(), &jid("MO"), MAX, &guard, now);
        assert_eq!(open().unwrap(), envelope);
        assert_eq!(open().unwrap_err().code, Code::Envelope, "a replay");
    }

    #[test]
    fn nothing_in_an_envelope_can_be_altered() {
        let (hk, now, guard) = (node(&authority("HK")), Timestamp::now(), ReplayGuard::default());
        let bytes = sign(&envelope(now), &hk).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(open(&altered, &hk.as_peer(), &jid("MO"), MAX, &guard, now).is_err(), "byte {at}");
        }
        for end in 0..bytes.len() {
            assert!(open(&bytes[..end], &hk.as_peer(), &jid("MO"), MAX, &guard, now).is_err(), "cut at {end}");
        }
        let other = node(&authority("HK"));
        let refusal = open(&bytes, &other.as_peer(), &jid("MO"), MAX, &guard, now).unwrap_err();
        assert_eq!(refusal.code, Code::Identity, "another connection's key");
        assert!(open(&bytes, &hk.as_peer(), &jid("MO"), MAX, &guard, now).is_ok(), "failed attempts burn no nonce");
    }

    #[test]
    fn an_envelope_says_who_to_whom_and_when() {
        type Change = fn(&mut Envelope, Timestamp);
        let cases: [(&str, Code, Change); 8] = [
            ("another version", Code::Envelope, |e, _| e.version = 2),
            ("another sender", Code::Identity, |e, _| e.from = jid("CN-SZ")),
            ("another receiver", Code::Envelope, |e, _| e.to = jid("CN-SZ")),
            ("the sender itself", Code::Envelope, |e, _| e.to = jid("HK")),
            ("an old one", Code::Envelope, |e, now| e.issued_at = now - SignedDuration::from_secs(61)),
            ("one from the future", Code::Envelope, |e, now| e.issued_at = now + SignedDuration::from_secs(61)),
            ("a deadline that passed", Code::Envelope, |e, now| e.deadline = now),
            ("a deadline too far", Code::Envelope, |e, now| e.deadline = now + SignedDuration::from_secs(3601)),
        ];
        let (hk, now, guard) = (node(&authority("HK")), Timestamp::now(), ReplayGuard::default());
        for (what, code, change) in cases {
            let mut envelope = envelope(now);
            change(&mut envelope, now);
            let bytes = sign(&envelope, &hk).unwrap();
            let refusal = open(&bytes, &hk.as_peer(), &jid("MO"), MAX, &guard, now).expect_err(what);
            assert_eq!(refusal.code, code, "{what}");
        }
    }

    #[test]
    fn garbage_and_excess_are_refused() {
        let (hk, now, guard) = (node(&authority("HK")), Timestamp::now(), ReplayGuard::default());
        let seal = |json: &[u8]| [MAGIC.as_slice(), &hk.sign(&signed_text(json)), json].concat();
        let open = |bytes: &[u8]| open(bytes, &hk.as_peer(), &jid("MO"), MAX, &guard, now).unwrap_err().code;
        for garbage in [&b""[..], b"WQE1", b"{}", &[0xff; 100]] {
            assert_eq!(open(garbage), Code::Envelope);
        }
        assert_eq!(open(&seal(b"{}")), Code::Envelope);
        assert_eq!(open(&seal(b"\xff\xfe")), Code::Envelope);
        let extra = serde_json::to_string(&envelope(now)).unwrap().replacen('{', "{\"admin\":true,", 1);
        assert_eq!(open(&seal(extra.as_bytes())), Code::Envelope, "an unknown field");
        let deep = "[".repeat(10_000);
        assert_eq!(open(&seal(deep.as_bytes())), Code::Envelope);
        let mut long = envelope(now);
        long.sql = "x".repeat(MAX);
        assert_eq!(open(&sign(&long, &hk).unwrap()), Code::Limit);
        // The right signature over the JSON alone, without the context.
        let json = serde_json::to_vec(&envelope(now)).unwrap();
        assert_eq!(open(&[MAGIC.as_slice(), &hk.sign(&json), &json].concat()), Code::Identity);
    }
}
