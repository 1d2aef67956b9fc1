//! Conditions: what holds of a resource, and why.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The longest message that the schema takes, in bytes, with room for what says that more was left out.
const MAX_MESSAGE: usize = 32_000;

/// What a condition speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// Whether all is well.
    Ready,
    /// Whether it is in order and fits everything that it refers to.
    Valid,
    /// Whether the nodes hold what was last compiled.
    BundleCurrent,
    /// Whether an agreement allows anything now.
    InForce,
    /// Whether the other party of an agreement, which another operator runs, holds the same.
    Agreed,
    /// Whether a jurisdiction's node has certificates that hold.
    IdentityReady,
    /// Whether a jurisdiction's node runs.
    WorkloadReady,
    /// Whether a query may be asked.
    Accepted,
    /// Whether it is being asked.
    Running,
    /// Whether there is an answer.
    Complete,
    /// Whether there is none, and will be none.
    Failed,
}

/// Why a condition is as it is, as one word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It compiles.
    Compiled,
    /// Something in it is wrong.
    Invalid,
    /// Something that it depends on is wrong.
    Waiting,
    /// There is no federation in its namespace.
    NoFederation,
    /// All is well.
    AsDeclared,
    /// It is in force.
    Active,
    /// Its state is another than Active.
    Inactive,
    /// It does not hold yet.
    NotYet,
    /// It holds no longer.
    Expired,
    /// The other party holds the same terms.
    SameTerms,
    /// The other party holds other terms under this name.
    DigestDiffers,
    /// The other party holds no such agreement.
    NotHeld,
    /// The other party's node does not say what it holds.
    PeerUnreachable,
    /// A member is not ready.
    MemberNotReady,
    /// It is run by somebody else's operator.
    External,
    /// Certificates are issued and hold.
    Issued,
    /// A Secret that it names is missing or cannot be used.
    SecretInvalid,
    /// The other cluster cannot be reached.
    ClusterUnreachable,
    /// Not all copies run yet.
    RollingOut,
    /// All copies run.
    Available,
    /// It does not fit into what holds it.
    TooLarge,
    /// An object of its name exists and is somebody else's.
    NameTaken,
    /// The API server refused it.
    Refused,
    /// It may be asked.
    Accepted,
    /// Nobody vouches for who asks.
    Unguarded,
    /// The owners are asked.
    Asked,
    /// Nothing is asked now.
    Idle,
    /// There is an answer.
    Answered,
    /// It was asked, and refused or broken off: the code of the refusal, or what stands for it.
    NotAnswered(&'static str),
}

/// One thing that holds, before it is known since when.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// What it speaks of.
    pub of: Type,
    /// Whether it is so; nothing if nobody can say.
    pub holds: Option<bool>,
    /// Why, for programs.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

impl Claim {
    /// It is so.
    pub fn yes(of: Type, reason: Reason, message: impl Into<String>) -> Self {
        Self { of, holds: Some(true), reason, message: message.into() }
    }

    /// It is not so.
    pub fn no(of: Type, reason: Reason, message: impl Into<String>) -> Self {
        Self { of, holds: Some(false), reason, message: message.into() }
    }

    /// Nobody can say.
    pub fn unknown(of: Type, reason: Reason, message: impl Into<String>) -> Self {
        Self { of, holds: None, reason, message: message.into() }
    }
}

/// The conditions that say `claims` of a spec's `generation`. A condition that was there keeps the time since which it
/// is so; one that nobody claims any longer goes.
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

/// Whether a condition of this type is true, and was said of this generation.
#[must_use]
pub fn holds(conditions: &[Condition], of: Type, generation: Option<i64>) -> bool {
    conditions.iter().any(|c| c.type_ == of.as_str() && c.status == "True" && c.observed_generation == generation)
}

/// The API server keeps whole seconds.
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
    /// As it stands in a condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Valid => "Valid",
            Self::BundleCurrent => "BundleCurrent",
            Self::InForce => "InForce",
            Self::Agreed => "Agreed",
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
    /// As it stands in a condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compiled => "Compiled",
            Self::Invalid => "Invalid",
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
            Self::MemberNotReady => "MemberNotReady",
            Self::External => "External",
            Self::Issued => "Issued",
            Self::SecretInvalid => "SecretInvalid",
            Self::ClusterUnreachable => "ClusterUnreachable",
            Self::RollingOut => "RollingOut",
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
