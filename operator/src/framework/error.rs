//! Errors of reconcilers, and the delay until the next try.

use std::time::Duration;

use wanqu_identity::IdentityError;

use super::conditions::Reason;
use super::term::NotLeading;

/// Result of a step of a reconciler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Error of a reconciler. No variant carries a value of data, a key or a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused, or could not be asked.
    #[error("cannot {doing}: {}", told(source))]
    Api {
        /// The call: `apply Service gba/hongkong-node`.
        doing: String,
        /// The error of the client or the server.
        #[source]
        source: Box<kube::Error>,
    },
    /// An object of this name exists and was not made for the resource.
    #[error("{object} exists and belongs to {owner}; remove it or rename the resource")]
    Taken {
        /// `Service gba/hongkong-node`.
        object: String,
        /// Its owner, if it names one.
        owner: String,
    },
    /// An object that this operator keeps cannot be read.
    #[error("{object} cannot be read: {problem}; delete it, and it is made anew")]
    Unreadable {
        /// `Secret gba/hongkong-ca`.
        object: String,
        /// The problem.
        problem: String,
    },
    /// The operator has not been able to read a namespace that it is told to watch.
    #[error(
        "namespace {0} cannot be read by this operator; give its account the chart's Role there, or, if the namespace is gone, take it out of \
         watchNamespaces"
    )]
    NamespaceUnreadable(String),
    /// A certificate or key could not be made or read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Error {
    /// The error of a call of the API.
    pub fn api(doing: impl Into<String>, source: kube::Error) -> Self {
        Self::Api { doing: doing.into(), source: Box::new(source) }
    }

    /// Returns the delay until the next try, if nothing changes before.
    #[must_use]
    pub fn requeue(&self) -> Duration {
        match self {
            // Another manager wrote at the same time: that write is seen in a moment.
            Self::Api { source, .. } if is_conflict(source) => Duration::from_secs(1),
            // The server answers the same until the object or the operator's rights change.
            Self::Api { source, .. } if is_refusal(source) => Duration::from_mins(1),
            Self::Api { .. } | Self::NamespaceUnreadable(_) => Duration::from_secs(5),
            Self::Taken { .. } | Self::Unreadable { .. } | Self::Identity(_) => Duration::from_mins(1),
        }
    }

    /// Returns true if the same call may succeed a moment later, though nobody does anything about it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Api { source, .. } if !is_refusal(source))
    }

    /// Returns true if nothing is to be said of it: another manager wrote at the same time, or another copy of the operator leads.
    #[must_use]
    pub fn is_nobodys_fault(&self) -> bool {
        let Self::Api { source, .. } = self else { return false };
        is_conflict(source) || matches!(&**source, kube::Error::Service(inner) if inner.is::<NotLeading>())
    }

    /// Returns the reason of the condition that reports it.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Taken { .. } => Reason::NameTaken,
            Self::Unreadable { .. } | Self::Identity(_) => Reason::SecretInvalid,
            Self::Api { .. } => Reason::Refused,
            Self::NamespaceUnreadable(_) => Reason::NamespaceUnreadable,
        }
    }

    /// Returns the class of the error, as a label of a metric.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Api { source, .. } if is_conflict(source) => "conflict",
            Self::Api { source, .. } if is_refusal(source) => "refused",
            Self::Api { .. } => "api",
            Self::Taken { .. } => "taken",
            Self::Unreadable { .. } => "unreadable",
            Self::NamespaceUnreadable(_) => "namespace",
            Self::Identity(_) => "identity",
        }
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if [403, 413, 422].contains(&status.code))
}

/// The longest answer of an API server that is told, in characters.
const MOST_TOLD: usize = 1000;

/// Returns the error of a call for people: what the API server says, or why it says nothing, and the remedy.
fn told(error: &kube::Error) -> String {
    let kube::Error::Api(status) = error else { return unanswered(error) };
    let mut said: String =
        status.message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_TOLD).collect();
    if said.trim().is_empty() {
        said = if status.reason.is_empty() { "no reason is given".to_owned() } else { status.reason.clone() };
    }
    match remedy(status.code) {
        Some(remedy) => format!("{said} (HTTP {}); {remedy}", status.code),
        None => format!("{said} (HTTP {})", status.code),
    }
}

fn remedy(code: u16) -> Option<&'static str> {
    match code {
        401 => Some("the API server does not know the operator's account: see its token and its pod"),
        403 => Some(
            "give the operator's account the rights of the chart's roles there, or see which policy or quota forbids it",
        ),
        404 => Some("see whether the namespace is there and is not being deleted"),
        409 | 429 | 500.. => Some("it is tried again"),
        413 => Some("make it smaller"),
        422 => Some("correct the field that is named, or see which policy forbids it"),
        _ => None,
    }
}

/// Returns why there is no answer, with its causes.
fn unanswered(error: &kube::Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.contains(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
        cause = inner.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refused(code: u16, message: &str) -> Error {
        let reason = if code == 409 { "Conflict" } else { "Invalid" };
        let status = Status { code, message: message.to_owned(), reason: reason.to_owned(), ..Status::default() };
        Error::api("apply StatefulSet gba/hongkong-node", kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn an_error_of_the_api_is_told_with_verb_object_reason_and_remedy_and_no_dump_of_it() {
        for (error, expected) in [
            (
                refused(422, "StatefulSet.apps \"hongkong-node\" is invalid: spec: Forbidden: updates to\nfields"),
                "cannot apply StatefulSet gba/hongkong-node: StatefulSet.apps \"hongkong-node\" is invalid: spec: Forbidden: \
                 updates to fields (HTTP 422); correct the field that is named, or see which policy forbids it",
            ),
            (
                refused(403, "statefulsets.apps is forbidden"),
                "cannot apply StatefulSet gba/hongkong-node: statefulsets.apps is forbidden (HTTP 403); give the operator's \
                 account the rights of the chart's roles there, or see which policy or quota forbids it",
            ),
            (refused(503, ""), "cannot apply StatefulSet gba/hongkong-node: Invalid (HTTP 503); it is tried again"),
        ] {
            assert_eq!(error.to_string(), expected);
        }
        let long = refused(422, &"界".repeat(5000)).to_string();
        assert!(long.chars().count() < MOST_TOLD + 200, "{long}");
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_somebody_has_to_mend() {
        assert!(refused(503, "").is_passing() && refused(409, "").is_passing() && refused(409, "").is_nobodys_fault());
        assert!(!refused(422, "").is_passing() && !refused(422, "").is_nobodys_fault());
        let fenced = Error::api("apply", kube::Error::Service(Box::new(NotLeading)));
        assert!(fenced.is_nobodys_fault() && fenced.to_string().contains("does not lead any more"), "{fenced}");
    }
}
