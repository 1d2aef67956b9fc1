//! Refusals on the wire: a gRPC status whose details are the refusal as JSON.

use tonic::{Code as Grpc, Status};
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

/// Greatest size of the details, in bytes: they travel in a header.
const MAX_DETAILS: usize = 24 * 1024;

/// Greatest length of message, rule and subject, in bytes.
const MAX_TEXT: usize = 2 * 1024;

/// Greatest length of a remedy, in bytes: it may be a whole query.
const MAX_REMEDY: usize = 8 * 1024;

/// Greatest size of the header list that a client must accept, so that [`MAX_DETAILS`] in base64 fits.
pub const MAX_HEADERS: u32 = 64 * 1024;

/// Returns a refusal as a status.
#[must_use]
pub fn to_status(refusal: Refusal) -> Status {
    let refusal = shortened(refusal);
    let code = match refusal.code {
        Code::InvalidSql | Code::UnknownName | Code::NotAQuery | Code::Envelope => Grpc::InvalidArgument,
        Code::Identity => Grpc::Unauthenticated,
        Code::Limit => Grpc::ResourceExhausted,
        Code::OwnerUnavailable | Code::Draining => Grpc::Unavailable,
        Code::Cancelled => Grpc::Cancelled,
        Code::ReleaseShape | Code::Source | Code::Internal => Grpc::Internal,
        _ => Grpc::PermissionDenied,
    };
    // The text is for tools that know nothing of refusals; the refusal is in the details.
    let text = format!("refused: {}", refusal.code);
    match serde_json::to_vec(&refusal) {
        Ok(details) if details.len() <= MAX_DETAILS => Status::with_details(code, text, details.into()),
        _ => Status::new(code, text),
    }
}

/// Returns the refusal in a status from `peer`. The text of a status without one is not repeated.
#[must_use]
pub fn from_status(status: &Status, peer: Option<&JurisdictionId>) -> Refusal {
    let own = Some(status.details())
        .filter(|details| !details.is_empty() && details.len() <= MAX_DETAILS)
        .and_then(|details| serde_json::from_slice::<Refusal>(details).ok());
    match (own, peer) {
        (Some(mut refusal), peer) => {
            // A node answers for itself: where it tells of another's fault, that is said to be its word.
            if let (Some(peer), Some(other)) = (peer, &refusal.owner)
                && peer != other
            {
                refusal.message = format!("{peer} says of {other}: {}", refusal.message);
            }
            refusal.owner = refusal.owner.or_else(|| peer.cloned());
            shortened(printable(refusal))
        }
        (None, peer) => foreign(status.code(), peer),
    }
}

/// Returns the meaning of a status without a refusal, in words of our own, because anybody may have written its text.
fn foreign(code: Grpc, peer: Option<&JurisdictionId>) -> Refusal {
    let refusal = match code {
        Grpc::OutOfRange | Grpc::ResourceExhausted => Refusal::new(Code::Limit, "the message is too large"),
        Grpc::DeadlineExceeded => Refusal::too_late("the deadline passed before the answer was complete"),
        Grpc::Internal => internal(),
        Grpc::Unimplemented => {
            Refusal::new(Code::OwnerUnavailable, "what answers at this address is no node of this kind")
                .with_remedy("check the address and its port, and that both ends have versions that fit together")
        }
        _ => Refusal::new(Code::OwnerUnavailable, "the node cannot be reached, or broke off the connection"),
    };
    match peer {
        Some(peer) => refusal.with_owner(peer.clone()),
        None => refusal,
    }
}

/// Returns the refusal for a fault whose cause stays in the node's own log.
#[must_use]
pub fn internal() -> Refusal {
    Refusal::new(Code::Internal, "the node failed; its log says why")
}

/// Cuts what is too long to travel. A remedy that would have to be cut is left out: half a query helps nobody.
#[must_use]
pub fn shortened(mut refusal: Refusal) -> Refusal {
    cut(&mut refusal.message);
    if let Some(rule) = &mut refusal.rule {
        cut(rule);
    }
    if let Some(subject) = &mut refusal.subject {
        cut(subject);
    }
    refusal.remedy = refusal.remedy.filter(|remedy| remedy.len() <= MAX_REMEDY);
    refusal
}

fn cut(text: &mut String) {
    if text.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

/// Most lines of a field of a refusal: a query in a remedy has some.
const MAX_LINES: usize = 64;

/// Removes control characters, so that another node's text cannot drive a terminal, and lines beyond the last that a field
/// may have.
fn printable(mut refusal: Refusal) -> Refusal {
    let clean = |text: &mut String| {
        text.retain(|c| c == '\n' || !c.is_control());
        let end = text.match_indices('\n').nth(MAX_LINES - 1).map(|(end, _)| end);
        if let Some(end) = end {
            text.truncate(end);
            text.push('…');
        }
    };
    clean(&mut refusal.message);
    for text in [&mut refusal.rule, &mut refusal.subject, &mut refusal.remedy].into_iter().flatten() {
        clean(text);
    }
    refusal
}

#[cfg(test)]
mod tests {
    use wanqu_fixtures::identity::jid;

    use super::*;

    #[test]
    fn a_refusal_survives_the_wire() {
        let refusal = Refusal::new(Code::ColumnClass, "“name” is sealed")
            .with_rule("no fragment reads a sealed column")
            .with_subject("macau.health.visits.name")
            .with_owner(jid("MO"))
            .with_remedy("SELECT count(*) AS n\nFROM macau.health.visits");
        assert_eq!(from_status(&to_status(refusal.clone()), Some(&jid("MO"))), refusal);
        let whose = from_status(&to_status(Refusal::new(Code::Limit, "busy")), Some(&jid("MO"))).owner;
        assert_eq!(whose, Some(jid("MO")), "a refusal that names no owner is its sender's");
    }

    #[test]
    fn what_a_hostile_node_says_is_cut_and_said_to_be_its_word() {
        let hostile = Refusal::new(Code::Identity, "m".repeat(8000))
            .with_rule("r\u{1b}]0;title\u{7}".repeat(400))
            .with_subject("s".repeat(5000))
            .with_owner(jid("HK"));
        let details = serde_json::to_vec(&hostile).unwrap();
        let status = Status::with_details(Grpc::Unknown, "x", details.into());
        let read = from_status(&status, Some(&jid("MO")));
        assert!(read.message.starts_with("MO says of HK: mmm"), "{read}");
        for text in [&read.message, read.rule.as_ref().unwrap(), read.subject.as_ref().unwrap()] {
            assert!(text.len() <= MAX_TEXT + 3 && !text.contains('\u{1b}'));
        }
    }

    #[test]
    fn the_words_of_a_foreign_status_are_not_repeated() {
        for status in [
            Status::internal("Cast error: Cannot cast string 'CANARY' to value of Int64"),
            Status::unknown("CANARY"),
            Status::unimplemented("CANARY"),
            Status::with_details(Grpc::Internal, "CANARY", b"CANARY".to_vec().into()),
            Status::with_details(Grpc::Internal, "x", vec![b' '; MAX_DETAILS + 1].into()),
        ] {
            let refusal = from_status(&status, Some(&jid("MO")));
            assert!(!refusal.to_string().contains("CANARY"));
            assert!(matches!(refusal.code, Code::Internal | Code::OwnerUnavailable));
        }
    }

    #[test]
    fn long_texts_are_cut_and_control_characters_dropped() {
        let refusal = Refusal::new(Code::InvalidSql, "湾".repeat(MAX_TEXT))
            .with_subject("\u{1b}[2Jx")
            .with_remedy("y".repeat(MAX_REMEDY + 1));
        let lines = from_status(&to_status(Refusal::new(Code::Limit, "no\n".repeat(500))), None).message;
        assert_eq!(lines.lines().count(), MAX_LINES);
        let read = from_status(&to_status(refusal), None);
        assert!(read.message.len() <= MAX_TEXT + 3 && read.message.ends_with("湾…"));
        assert_eq!((read.subject.as_deref(), read.remedy), (Some("[2Jx"), None));
    }
}
