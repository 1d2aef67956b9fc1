//! What is written down.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wanqu_model::bundle::{ReleaseRule, Subject};
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};
use wanqu_model::refusal::Refusal;
use wanqu_rules::envelope::Envelope;

/// What was asked, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The query's id, the same in every node's log.
    pub query_id: Uuid,
    /// The fragment's number within the query.
    pub fragment: u32,
    /// The jurisdiction that asked.
    pub from: JurisdictionId,
    /// The researcher, as that jurisdiction authenticated them.
    pub requester: Subject,
    /// The research project.
    pub project: Option<ResourceName>,
    /// The purpose.
    pub purpose: Option<Purpose>,
    /// The digest of the agreement that the asker relied on.
    pub agreement: Option<String>,
    /// The fragment's SQL text, as it came.
    pub sql: String,
}

impl From<&Envelope> for Asked {
    fn from(envelope: &Envelope) -> Self {
        Self {
            query_id: envelope.query_id,
            fragment: envelope.fragment,
            from: envelope.from.clone(),
            requester: envelope.requester.clone(),
            project: envelope.project.clone(),
            purpose: envelope.purpose.clone(),
            agreement: envelope.agreement.clone(),
            sql: envelope.sql.clone(),
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Entry {
    /// A gated release. It leaves after this is on the disk.
    Released {
        /// What was asked.
        asked: Asked,
        /// The tables that it read.
        tables: Vec<String>,
        /// The rule that the gate applied.
        rule: Option<ReleaseRule>,
        /// Rows released.
        rows: u64,
        /// Cells kept back, exactly. This number stays here.
        suppressed_cells: u64,
        /// Records of the sources that could not be read and were left out.
        #[serde(default)]
        skipped_records: u64,
    },
    /// Nothing was released.
    Refused {
        /// What was asked.
        asked: Asked,
        /// Why not.
        refusal: Refusal,
    },
    /// Envelopes that were refused unread: forged, used before, out of their time, for another node, malformed, or too
    /// many at once. Nothing in them is believed but who sent them.
    TurnedAway {
        /// The jurisdiction whose node sent them: its connection's certificate says so.
        from: JurisdictionId,
        /// Why; of several, why the last.
        refusal: Refusal,
        /// How many.
        times: u64,
    },
    /// Rows of public tables are about to leave.
    PublicOpened {
        /// What was asked.
        asked: Asked,
        /// The tables that it reads.
        tables: Vec<String>,
    },
    /// They have left, or the asker went away.
    PublicClosed {
        /// The query's id.
        query_id: Uuid,
        /// The fragment's number within the query.
        fragment: u32,
        /// The jurisdiction that asked.
        from: JurisdictionId,
        /// The number of the entry that opened it.
        opened: u64,
        /// Rows that left.
        rows: u64,
        /// Whether that was all of them.
        complete: bool,
        /// Records of the sources that could not be read and were left out.
        #[serde(default)]
        skipped_records: u64,
    },
}

/// The kinds of entries, to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// [`Entry::Released`].
    Released,
    /// [`Entry::Refused`].
    Refused,
    /// [`Entry::TurnedAway`].
    TurnedAway,
    /// [`Entry::PublicOpened`].
    PublicOpened,
    /// [`Entry::PublicClosed`].
    PublicClosed,
}

impl Entry {
    /// Its kind.
    #[must_use]
    pub fn event(&self) -> Event {
        match self {
            Self::Released { .. } => Event::Released,
            Self::Refused { .. } => Event::Refused,
            Self::TurnedAway { .. } => Event::TurnedAway,
            Self::PublicOpened { .. } => Event::PublicOpened,
            Self::PublicClosed { .. } => Event::PublicClosed,
        }
    }

    /// The query that it is about, if one was read.
    #[must_use]
    pub fn query_id(&self) -> Option<Uuid> {
        match self {
            Self::Released { asked, .. } | Self::Refused { asked, .. } | Self::PublicOpened { asked, .. } => {
                Some(asked.query_id)
            }
            Self::PublicClosed { query_id, .. } => Some(*query_id),
            Self::TurnedAway { .. } => None,
        }
    }

    /// Who asked.
    #[must_use]
    pub fn from(&self) -> &JurisdictionId {
        match self {
            Self::Released { asked, .. } | Self::Refused { asked, .. } | Self::PublicOpened { asked, .. } => {
                &asked.from
            }
            Self::PublicClosed { from, .. } | Self::TurnedAway { from, .. } => from,
        }
    }
}
