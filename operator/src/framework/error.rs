//! Errors of reconcilers, and the delay until the next try.

use std::time::Duration;

use wanqu_identity::IdentityError;

/// Result of a step of a reconciler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Error of a reconciler. No variant carries a value of data, a key or a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused, or could not be asked.
    #[error("cannot {doing}: {source}")]
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
    matches!(error, kube::Error::Api(status) if [403, 422].contains(&status.code))
}
