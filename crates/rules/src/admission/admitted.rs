//! The type of a fragment that this owner has decided to run.

use jiff::Timestamp;
use uuid::Uuid;
use wanqu_model::bundle::Subject;
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName, TableRef};

use datafusion::logical_expr::LogicalPlan;

use super::shape::Shape;

/// The agreement under which a fragment was admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedAgreement {
    /// Its name.
    pub name: ResourceName,
    /// The digest of its content, the same at both ends.
    pub digest: String,
}

/// A fragment that was admitted. Its fields are private and only [`admit`](super::admit) makes one, so that what was
/// not admitted cannot be executed.
#[derive(Debug, Clone)]
pub struct AdmittedFragment {
    pub(super) plan: LogicalPlan,
    pub(super) shape: Shape,
    pub(super) tables: Vec<TableRef>,
    pub(super) query_id: Uuid,
    pub(super) fragment: u32,
    pub(super) from: JurisdictionId,
    pub(super) requester: Subject,
    pub(super) project: Option<ResourceName>,
    pub(super) purpose: Option<Purpose>,
    pub(super) agreement: Option<GrantedAgreement>,
    pub(super) sql: String,
    pub(super) max_rows: u64,
    pub(super) max_bytes: u64,
    pub(super) deadline: Timestamp,
}

impl AdmittedFragment {
    /// Returns the plan to run, over stubs: the engine puts its own sources in their place.
    #[must_use]
    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// Returns the shape of the release: public rows, or cells and what the gate must know of them.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the tables it reads, each once, in order: common tables under their `gba` name.
    #[must_use]
    pub fn tables(&self) -> &[TableRef] {
        &self.tables
    }

    /// Returns the query it belongs to.
    #[must_use]
    pub fn query_id(&self) -> Uuid {
        self.query_id
    }

    /// Returns its number within the query.
    #[must_use]
    pub fn fragment(&self) -> u32 {
        self.fragment
    }

    /// Returns the jurisdiction whose home node asks.
    #[must_use]
    pub fn from(&self) -> &JurisdictionId {
        &self.from
    }

    /// Returns the researcher.
    #[must_use]
    pub fn requester(&self) -> &Subject {
        &self.requester
    }

    /// Returns the project, if one was named.
    #[must_use]
    pub fn project(&self) -> Option<&ResourceName> {
        self.project.as_ref()
    }

    /// Returns the purpose, if one was named.
    #[must_use]
    pub fn purpose(&self) -> Option<&Purpose> {
        self.purpose.as_ref()
    }

    /// Returns the agreement; `None` for public tables and for the owner's own researchers.
    #[must_use]
    pub fn agreement(&self) -> Option<&GrantedAgreement> {
        self.agreement.as_ref()
    }

    /// Returns the SQL text as it came, for the audit log.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Returns the most rows to release: the lesser of what the home node takes and what the owner's limits allow.
    #[must_use]
    pub fn max_rows(&self) -> u64 {
        self.max_rows
    }

    /// Returns the greatest size of the release in memory, in bytes, by the owner's limits.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Returns the time at which the work stops: the earlier of the envelope's deadline and the owner's own limit.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }
}
