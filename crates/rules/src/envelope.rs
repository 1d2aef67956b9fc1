//! The envelope: a home node's request to an owner, signed with the key of the certificate that it connects with.
//!
//! The signed bytes travel as they were signed; nobody has to make them again. An owner checks the signature against
//! the certificate of the connection, so that an envelope proves nothing on any other connection.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wanqu_model::bundle::Subject;
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};

/// The only version there is.
pub const ENVELOPE_VERSION: u32 = 1;

/// Returns the requester of what a node asks for itself: public tables, for a join.
#[must_use]
pub fn node_itself(jurisdiction: &JurisdictionId) -> Subject {
    Subject { issuer: "urn:wanqu:node".to_owned(), subject: jurisdiction.to_string() }
}

/// A home node's request to an owner to run one fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// [`ENVELOPE_VERSION`].
    pub version: u32,
    /// The query that this fragment belongs to.
    pub query_id: Uuid,
    /// The fragment's number within the query.
    pub fragment: u32,
    /// The jurisdiction that asks. It must be the one that the connection's certificate names.
    pub from: JurisdictionId,
    /// The jurisdiction that is asked. It must be that of the node that reads it.
    pub to: JurisdictionId,
    /// The fragment: one SELECT statement over the owner's catalog.
    pub sql: String,
    /// The researcher, as the home node authenticated them: a subject of an issuer of `from`. Who it is, is all three.
    pub requester: Subject,
    /// The research project.
    pub project: Option<ResourceName>,
    /// The purpose.
    pub purpose: Option<Purpose>,
    /// The digest of the agreement that the home node relies on; absent for public tables and for its own.
    pub agreement: Option<String>,
    /// Time at which it was made.
    pub issued_at: Timestamp,
    /// Time from which on the answer is of no use.
    pub deadline: Timestamp,
    /// Number that is used once: an owner answers an envelope once.
    pub nonce: Uuid,
    /// The most rows that the home node will take.
    pub max_rows: u64,
    /// W3C Trace Context `traceparent`, so that one trace spans the nodes.
    pub traceparent: Option<String>,
}
