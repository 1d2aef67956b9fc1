//! Entries of the log.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wanqu_model::bundle::{ReleaseRule, Subject};
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};
use wanqu_model::receipt::{Checkpoint, Signed};
use wanqu_model::refusal::Refusal;
use wanqu_rules::envelope::Envelope;

/// Fragment that was asked for: its text, the requester and the purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FragmentRequest {
    /// Id of the query, the same in every node's log.
    pub query_id: Uuid,
    /// Number of the fragment within the query.
    pub fragment: u32,
    /// Jurisdiction that asked.
    pub from: JurisdictionId,
    /// Researcher, as that jurisdiction authenticated them.
    pub requester: Subject,
    /// Research project.
    pub project: Option<ResourceName>,
    /// Purpose.
    pub purpose: Option<Purpose>,
    /// Digest of the agreement that the asking jurisdiction relied on.
    pub agreement: Option<String>,
    /// SQL text of the fragment, as it came; its beginning, where `sql_cut` says so.
    pub sql: String,
    /// Size and digest of the whole text, if only its beginning is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_cut: Option<CutText>,
}

/// Text of which the log has the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CutText {
    /// Length of the whole text, in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole text, by which it is recognised.
    pub sha256: String,
}

/// Length of the text of a refused fragment that the log holds, in bytes.
const REFUSED_TEXT: usize = 4 * 1024;

impl FragmentRequest {
    /// Returns it as the entry of a refusal has it: a long text is cut. Whoever is refused may send any number of texts, and
    /// none of them was run.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        if self.sql.len() > REFUSED_TEXT {
            let sha256 = format!("{:x}", Sha256::digest(self.sql.as_bytes()));
            self.sql_cut = Some(CutText { bytes: self.sql.len() as u64, sha256 });
            self.sql.truncate(self.sql.floor_char_boundary(REFUSED_TEXT));
            self.sql.shrink_to_fit();
        }
        self
    }
}

impl From<&Envelope> for FragmentRequest {
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
            sql_cut: None,
        }
    }
}

/// One event at an owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Entry {
    /// A gated release. It leaves after this entry is on the disk.
    Released {
        /// Fragment that was asked for.
        #[serde(rename = "asked")]
        request: FragmentRequest,
        /// Tables that the fragment read.
        tables: Vec<String>,
        /// Rule that the gate applied.
        rule: Option<ReleaseRule>,
        /// Number of rows released.
        rows: u64,
        /// Exact number of cells kept back, or released without some of their values. It never leaves the owner.
        suppressed_cells: u64,
        /// Number of records of the sources that could not be read and were left out.
        #[serde(default)]
        skipped_records: u64,
    },
    /// A refusal: nothing was released.
    Refused {
        /// Fragment that was asked for.
        #[serde(rename = "asked")]
        request: FragmentRequest,
        /// Reason.
        refusal: Refusal,
    },
    /// Envelopes that were refused unread: forged, used before, out of their time, for another node, malformed, or too
    /// many at once. Nothing in them is believed but their sender. Fragments that were read and refused are here too, where
    /// a member has more of them than are listed as [`Refused`](Self::Refused).
    TurnedAway {
        /// Jurisdiction whose node sent them, by the certificate of its connection.
        from: JurisdictionId,
        /// Reason; of several, that of the last.
        refusal: Refusal,
        /// Number of envelopes.
        times: u64,
    },
    /// Rows of public tables are about to leave.
    PublicOpened {
        /// Fragment that was asked for.
        #[serde(rename = "asked")]
        request: FragmentRequest,
        /// Tables that the fragment reads.
        tables: Vec<String>,
    },
    /// Rows of public tables have left, or the asking node went away.
    PublicClosed {
        /// Id of the query.
        query_id: Uuid,
        /// Number of the fragment within the query.
        fragment: u32,
        /// Jurisdiction that asked.
        from: JurisdictionId,
        /// Number of the [`PublicOpened`](Self::PublicOpened) entry that this one closes.
        opened: u64,
        /// Number of rows that left.
        rows: u64,
        /// True if that was all of them.
        complete: bool,
        /// Number of records of the sources that could not be read and were left out.
        #[serde(default)]
        skipped_records: u64,
    },
    /// How the bundle's file stands to what is in force has changed.
    Bundle {
        /// Jurisdiction of the node itself.
        node: JurisdictionId,
        /// Standing of the file now.
        standing: BundleStanding,
        /// Digest of the bundle in force: with `+narrowed` after it if only a part of that bundle is, `none` if nothing is.
        digest: String,
    },
    /// Ends of the other members' logs, as their nodes told them.
    Checkpoints {
        /// Jurisdiction of the node itself.
        node: JurisdictionId,
        /// The checkpoints, signed.
        held: Vec<Signed<Checkpoint>>,
    },
    /// An answer that this home node keeps is about to be given to the one who asked, or was refused.
    Fetched {
        /// Id of the query, which is that of the result.
        query_id: Uuid,
        /// This node's own jurisdiction, whose researcher fetches it.
        from: JurisdictionId,
        /// Researcher.
        requester: Subject,
        /// Research project in whose name it was asked.
        project: Option<ResourceName>,
        /// Purpose for which it was asked.
        purpose: Option<Purpose>,
        /// Reason why it was not given; `None` if it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<Refusal>,
    },
}

/// How the bundle's file stands to what is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BundleStanding {
    /// The bundle in the file is in force.
    InForce,
    /// The bundle in the file cannot be used: what it and the one before it both grant is in force.
    Narrowed,
    /// The file cannot be read: the bundle before it is in force for a limited time.
    Unread,
    /// Nothing is in force.
    Closed,
}

/// Kind of an entry, to filter by.
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
    /// [`Entry::Bundle`].
    Bundle,
    /// [`Entry::Checkpoints`].
    Checkpoints,
    /// [`Entry::Fetched`].
    Fetched,
}

impl Entry {
    /// Returns the kind.
    #[must_use]
    pub fn event(&self) -> Event {
        match self {
            Self::Released { .. } => Event::Released,
            Self::Refused { .. } => Event::Refused,
            Self::TurnedAway { .. } => Event::TurnedAway,
            Self::PublicOpened { .. } => Event::PublicOpened,
            Self::PublicClosed { .. } => Event::PublicClosed,
            Self::Bundle { .. } => Event::Bundle,
            Self::Checkpoints { .. } => Event::Checkpoints,
            Self::Fetched { .. } => Event::Fetched,
        }
    }

    /// Returns the fragment that was asked for; `None` if none was read, or another entry holds it.
    #[must_use]
    pub fn request(&self) -> Option<&FragmentRequest> {
        match self {
            Self::Released { request, .. } | Self::Refused { request, .. } | Self::PublicOpened { request, .. } => {
                Some(request)
            }
            Self::PublicClosed { .. }
            | Self::TurnedAway { .. }
            | Self::Bundle { .. }
            | Self::Checkpoints { .. }
            | Self::Fetched { .. } => None,
        }
    }

    /// Returns the id of the query that the entry is about; `None` if none was read.
    #[must_use]
    pub fn query_id(&self) -> Option<Uuid> {
        match self {
            Self::PublicClosed { query_id, .. } | Self::Fetched { query_id, .. } => Some(*query_id),
            other => other.request().map(|request| request.query_id),
        }
    }

    /// Returns the jurisdiction that asked; the node's own where nobody did.
    #[must_use]
    pub fn from(&self) -> &JurisdictionId {
        match self {
            Self::Released { request, .. } | Self::Refused { request, .. } | Self::PublicOpened { request, .. } => {
                &request.from
            }
            Self::PublicClosed { from, .. }
            | Self::TurnedAway { from, .. }
            | Self::Fetched { from, .. }
            | Self::Bundle { node: from, .. }
            | Self::Checkpoints { node: from, .. } => from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_refusal_is_cut_with_its_digest_and_a_short_one_is_whole() {
        let request = |sql: String| FragmentRequest {
            query_id: Uuid::nil(),
            fragment: 0,
            from: "HK".parse().unwrap(),
            requester: Subject { issuer: "i".into(), subject: "s".into() },
            project: None,
            purpose: None,
            agreement: None,
            sql,
            sql_cut: None,
        };
        let short = request("SELECT 1".to_owned());
        assert_eq!(short.clone().shortened(), short);
        assert!(!serde_json::to_string(&short).unwrap().contains("sqlCut"));
        // A character lies across the bound.
        let cut = request(format!("x{}", "灣".repeat(2000))).shortened();
        assert_eq!((cut.sql.len(), cut.sql.chars().last()), (4096, Some('灣')));
        let whole = cut.sql_cut.unwrap();
        assert_eq!((whole.bytes, whole.sha256.len()), (6001, 64));
        assert_ne!(request(format!("x{}", "灣".repeat(2001))).shortened().sql_cut.unwrap().sha256, whole.sha256);
    }
}
