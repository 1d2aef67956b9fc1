//! What can keep a reconciler from its end, and when to try again.

use std::time::Duration;

use wanqu_identity::IdentityError;

/// What every step of a reconciler returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can keep a reconciler from its end. No variant carries a value of data, a key or a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused, or could not be asked.
    #[error("cannot {doing}: {source}")]
    Api {
        /// What was to be done: `apply Service gba/hongkong-node`.
        doing: String,
        /// What the client or the server says.
        #[source]
        source: Box<kube::Error>,
    },
    /// An object of this name exists, and somebody else made it.
    #[error("{object} exists and belongs to {owner}; remove it or rename the resource")]
    Taken {
        /// `Service gba/hongkong-node`.
        object: String,
        /// Whose it is, as far as it says.
        owner: String,
    },
    /// An object that this operator keeps cannot be read.
    #[error("{object} cannot be read: {problem}; delete it, and it is made anew")]
    Unreadable {
        /// `Secret gba/hongkong-ca`.
        object: String,
        /// What is wrong.
        problem: String,
    },
    /// A certificate or key could not be made or read.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Error {
    /// The error of one call of the API.
    pub fn api(doing: impl Into<String>, source: kube::Error) -> Self {
        Self::Api { doing: doing.into(), source: Box::new(source) }
    }

    /// When to try again, if nothing changes before.
    #[must_use]
    pub fn requeue(&self) -> Duration {
        match self {
            // Somebody wrote at the same time: what they wrote is here in a moment.
            Self::Api { source, .. } if is_conflict(source) => Duration::from_secs(1),
            // The server will say the same until the object or its rights change.
            Self::Api { source, .. } if is_refusal(source) => Duration::from_mins(1),
            Self::Api { .. } => Duration::from_secs(5),
            Self::Taken { .. } | Self::Unreadable { .. } | Self::Identity(_) => Duration::from_mins(1),
        }
    }

    /// What it is, as a label of a metric: few words, known beforehand.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::Api { source, .. } if is_conflict(source) => "conflict",
            Self::Api { source, .. } if is_refusal(source) => "refused",
            Self::Api { .. } => "api",
            Self::Taken { .. } => "taken",
            Self::Unreadable { .. } => "unreadable",
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
