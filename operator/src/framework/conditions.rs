//! Conditions of resources.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The longest message that the schema takes, in bytes, less room for the note that it was cut.
const MAX_MESSAGE: usize = 32_000;

/// Type of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// All other conditions are as they should be.
    Ready,
    /// The resource compiles, together with everything that it refers to.
    Valid,
    /// The nodes have the bundle that was compiled last.
    BundleCurrent,
    /// The agreement allows queries at present.
    InForce,
    /// The other party of the agreement, which another operator runs, holds the same terms.
    Agreed,
    /// The dataset's node can read its source.
    SourceReadable,
    /// The operator has its key as an issuer of tokens.
    TokenIssuerReady,
    /// The jurisdiction's node has valid certificates.
    IdentityReady,
    /// The jurisdiction's node runs.
    WorkloadReady,
    /// The query may be asked.
    Accepted,
    /// The query is being asked.
    Running,
    /// The last run has an answer.
    Complete,
    /// The last run has no answer, and will have none.
    Failed,
}

/// Reason of a condition, as one word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The resource compiles.
    Compiled,
    /// A field of the resource is wrong.
    Invalid,
    /// Another object is at fault, and this one loses something by it.
    LeftOut,
    /// Something that the resource depends on is not there yet.
    Waiting,
    /// The namespace has no Federation.
    NoFederation,
    /// The state is the desired one.
    AsDeclared,
    /// The agreement is in force.
    Active,
    /// The agreement's state is another than Active.
    Inactive,
    /// The agreement begins later.
    NotYet,
    /// The agreement has ended.
    Expired,
    /// The other party holds the same terms.
    SameTerms,
    /// The other party holds other terms under this name.
    DigestDiffers,
    /// The other party holds no such agreement.
    NotHeld,
    /// The other party's node does not say what it holds.
    PeerUnreachable,
    /// The dataset's node cannot read its source.
    SourceUnavailable,
    /// A member is not ready.
    MemberNotReady,
    /// Another operator runs the node.
    External,
    /// Certificates are issued and valid.
    Issued,
    /// A Secret that the resource names is missing or cannot be used.
    SecretInvalid,
    /// The namespace in which the node is placed does not consent to it.
    PlacementNotGranted,
    /// The operator has not been able to read the namespace in which the node is placed.
    NamespaceUnreadable,
    /// The other cluster cannot be reached.
    ClusterUnreachable,
    /// The disks of the node cannot be as the Jurisdiction says.
    StorageUnchanged,
    /// Not all copies run yet.
    RollingOut,
    /// Copies do not understand all of their bundle.
    NodeTooOld,
    /// All copies run.
    Available,
    /// The bundle does not fit into a `ConfigMap`, or the answer not into any place for it.
    TooLarge,
    /// An object of the same name was made by somebody else.
    NameTaken,
    /// The API server refused a write.
    Refused,
    /// The query may be asked.
    Accepted,
    /// No admission policy holds `spec.requester` to the user who creates the query.
    Unguarded,
    /// The owners are asked.
    Asked,
    /// No run goes on.
    Idle,
    /// There is an answer.
    Answered,
    /// The run failed: the code of its refusal, or a word of the operator's own.
    NotAnswered(&'static str),
}

/// A condition before its time of transition is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its type.
    pub of: Type,
    /// Its status: true, false, or none for Unknown.
    pub holds: Option<bool>,
    /// Its reason, for programs.
    pub reason: Reason,
    /// Its message, for people.
    pub message: String,
}

impl Claim {
    /// A condition with the status True.
    pub fn yes(of: Type, reason: Reason, message: impl Into<String>) -> Self {
        Self { of, holds: Some(true), reason, message: message.into() }
    }

    /// A condition with the status False.
    pub fn no(of: Type, reason: Reason, message: impl Into<String>) -> Self {
        Self { of, holds: Some(false), reason, message: message.into() }
    }

    /// A condition with the status Unknown.
    pub fn unknown(of: Type, reason: Reason, message: impl Into<String>) -> Self {
        Self { of, holds: None, reason, message: message.into() }
    }
}

/// Returns the conditions for `claims` about a `generation` of the spec. A condition keeps its time of transition while
/// its status stays the same. One that is not claimed any more is left out.
#[must_use]
pub fn conditions(previous: &[Condition], claims: &[Claim], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let since = |claim: &Claim, status: &str| {
        let before = previous.iter().find(|c| c.type_ == claim.of.as_str() && c.status == status);
        before.map_or_else(|| Time(seconds(now)), |c| c.last_transition_time.clone())
    };
    let condition = |claim: &Claim| {
        let status = match claim.holds {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        Condition {
            last_transition_time: since(claim, status),
            message: shortened(&claim.message),
            observed_generation: generation,
            reason: claim.reason.as_str().to_owned(),
            status: status.to_owned(),
            type_: claim.of.as_str().to_owned(),
        }
    };
    claims.iter().map(condition).collect()
}

/// Returns true if a condition of this type is True for this generation.
#[must_use]
pub fn holds(conditions: &[Condition], of: Type, generation: Option<i64>) -> bool {
    conditions.iter().any(|c| c.type_ == of.as_str() && c.status == "True" && c.observed_generation == generation)
}

/// Cuts a time to whole seconds, as the API server does.
fn seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

fn shortened(message: &str) -> String {
    if message.len() <= MAX_MESSAGE {
        return message.to_owned();
    }
    let mut end = MAX_MESSAGE;
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} … and more", &message[..end])
}

impl Type {
    /// Returns the type as a condition names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Valid => "Valid",
            Self::BundleCurrent => "BundleCurrent",
            Self::InForce => "InForce",
            Self::Agreed => "Agreed",
            Self::SourceReadable => "SourceReadable",
            Self::TokenIssuerReady => "TokenIssuerReady",
            Self::IdentityReady => "IdentityReady",
            Self::WorkloadReady => "WorkloadReady",
            Self::Accepted => "Accepted",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }
}

impl Reason {
    /// Returns the reason as a condition names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compiled => "Compiled",
            Self::Invalid => "Invalid",
            Self::LeftOut => "LeftOut",
            Self::Waiting => "Waiting",
            Self::NoFederation => "NoFederation",
            Self::AsDeclared => "AsDeclared",
            Self::Active => "Active",
            Self::Inactive => "Inactive",
            Self::NotYet => "NotYet",
            Self::Expired => "Expired",
            Self::SameTerms => "SameTerms",
            Self::DigestDiffers => "DigestDiffers",
            Self::NotHeld => "NotHeld",
            Self::PeerUnreachable => "PeerUnreachable",
            Self::SourceUnavailable => "SourceUnavailable",
            Self::MemberNotReady => "MemberNotReady",
            Self::External => "External",
            Self::Issued => "Issued",
            Self::SecretInvalid => "SecretInvalid",
            Self::PlacementNotGranted => "PlacementNotGranted",
            Self::NamespaceUnreadable => "NamespaceUnreadable",
            Self::ClusterUnreachable => "ClusterUnreachable",
            Self::StorageUnchanged => "StorageUnchanged",
            Self::RollingOut => "RollingOut",
            Self::NodeTooOld => "NodeTooOld",
            Self::Available => "Available",
            Self::TooLarge => "TooLarge",
            Self::NameTaken => "NameTaken",
            Self::Refused => "Refused",
            Self::Accepted => "Accepted",
            Self::Unguarded => "Unguarded",
            Self::Asked => "Asked",
            Self::Idle => "Idle",
            Self::Answered => "Answered",
            Self::NotAnswered(why) => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_condition_keeps_its_time_while_it_stays_so_and_only_then() {
        let first = conditions(&[], &[Claim::no(Type::Ready, Reason::Invalid, "a")], Some(1), at(10));
        let same = conditions(&first, &[Claim::no(Type::Ready, Reason::Waiting, "b")], Some(2), at(20));
        assert_eq!(same[0].last_transition_time.0, at(10), "another reason is no other status");
        assert_eq!((same[0].reason.as_str(), same[0].message.as_str()), ("Waiting", "b"));
        assert_eq!(same[0].observed_generation, Some(2));
        let turned = conditions(&same, &[Claim::yes(Type::Ready, Reason::AsDeclared, "")], Some(2), at(30));
        assert_eq!(turned[0].last_transition_time.0, at(30));
        assert!(holds(&turned, Type::Ready, Some(2)) && !holds(&turned, Type::Ready, Some(3)));
        assert!(conditions(&turned, &[], Some(2), at(40)).is_empty(), "what nobody claims goes");
    }

    #[test]
    fn a_message_fits_its_schema_whatever_it_says() {
        let claim = Claim::no(Type::Valid, Reason::Invalid, "界".repeat(20_000));
        let message = &conditions(&[], &[claim], None, at(0))[0].message;
        assert!(message.len() <= 32_768 && message.ends_with("… and more"));
    }
}
