//! The engine as the gate needs it: what was admitted over stubs, run over the custodian's sources.
//!
//! The gate decides how often the data is read and what is counted beside it; where the records lie, and how a plan is run,
//! is the engine's. So the gate is tested with tables in memory, and grows without the sources.

use async_trait::async_trait;
use datafusion::common::Result as DfResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use wanqu_model::refusal::Refusal;
use wanqu_rules::FetchedBytes;

/// The tables of one bundle, ready to run.
pub trait Engine: Send + Sync {
    /// Begins a run whose passes all see the same rows of other members' tables, and in which no expression can fail on a
    /// value: for non-public data.
    ///
    /// # Errors
    /// If no session can be set up.
    fn start(&self) -> Result<Box<dyn Run + '_>, Refusal>;

    /// Begins a run of one pass over public tables.
    ///
    /// # Errors
    /// If no session can be set up.
    fn start_public(&self) -> Result<Box<dyn Run + '_>, Refusal>;
}

/// One query's use of the engine.
#[async_trait]
pub trait Run: std::fmt::Debug + Send + Sync {
    /// Returns the plan over sources: every stub replaced, everything else as it was.
    ///
    /// # Errors
    /// If the plan holds a table that this engine does not have.
    fn bind(&self, plan: &LogicalPlan) -> DfResult<LogicalPlan>;

    /// Returns the expression with subqueries that read sources.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    fn bind_expr(&self, expr: &Expr) -> DfResult<Expr>;

    /// Returns one table over its sources. With `unit`, a table that must protect somebody has the hash of the privacy unit
    /// under that name as a last column.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    fn bind_leaf(&self, scan: &TableScan, unit: Option<&str>) -> DfResult<BoundLeaf>;

    /// Returns the state of the sources of all own tables in a plan. Two equal ones, one before and one after, mean that
    /// nothing changed between.
    ///
    /// # Errors
    /// If a source cannot be looked at.
    fn fingerprint(&self, plan: &LogicalPlan) -> Result<SourcesState, Refusal>;

    /// Optimises and runs a bound plan. Dropping the stream stops it.
    ///
    /// # Errors
    /// Any error of the engine; its text can quote values.
    async fn execute(&self, plan: &LogicalPlan) -> DfResult<SendableRecordBatchStream>;

    /// Returns the counter of the bytes that come from other members for this query.
    fn fetched_bytes(&self) -> FetchedBytes;

    /// Returns the memory that this query may use, in bytes.
    fn memory_bytes(&self) -> usize;

    /// Returns the session, for expressions over what was released.
    fn state(&self) -> &SessionState;
}

/// A table of an admitted plan, bound to its sources.
#[derive(Debug)]
pub struct BoundLeaf {
    /// The plan that takes the stub's place, with the same columns, and the unit as one more column if `unit` is true.
    pub plan: LogicalPlan,
    /// True if the plan's last column is somebody's privacy unit.
    pub unit: bool,
    /// The most rows that one unit has, if the custodian knows it.
    pub max_rows_per_unit: Option<u64>,
    /// Bytes of the table's files: how much reading it costs.
    pub bytes: u64,
}

/// State of a plan's sources at one moment: a text for each source, which the gate only compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcesState(pub Vec<String>);
