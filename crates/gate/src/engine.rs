//! The engine as the gate needs it: what was admitted over stubs, run over the custodian's sources.
//!
//! The gate decides how often the data is read and what is counted beside it; where the records lie, and how a plan is run,
//! is the engine's. So the gate is tested with tables in memory, and grows without the sources.

use async_trait::async_trait;
use datafusion::common::Result as DfResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use jiff::Timestamp;
use wanqu_model::refusal::Refusal;
use wanqu_rules::FetchedBytes;
use wanqu_rules::row::RowKey;

/// The tables of one bundle, ready to run.
pub trait Engine: Send + Sync {
    /// Begins a run whose passes all see the same rows of other members' tables, and in which no expression can fail on a
    /// value: for non-public data. What is fetched from other members is of no use after `deadline`.
    ///
    /// # Errors
    /// If no session can be set up.
    fn start(&self, deadline: Timestamp) -> Result<Box<dyn Run + '_>, Refusal>;

    /// Begins a run of one pass over public tables. What is fetched from other members is of no use after `deadline`.
    ///
    /// # Errors
    /// If no session can be set up.
    fn start_public(&self, deadline: Timestamp) -> Result<Box<dyn Run + '_>, Refusal>;
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

    /// Returns one table over its sources. A table that must protect somebody has the `hidden` columns behind its own.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    fn bind_leaf(&self, scan: &TableScan, hidden: Option<Hidden<'_>>) -> DfResult<BoundLeaf>;

    /// Returns the state of the sources of all own tables in a plan. Two equal ones, one before and one after, mean that
    /// nothing changed between.
    ///
    /// # Errors
    /// If a source cannot be looked at.
    async fn fingerprint(&self, plan: &LogicalPlan) -> Result<SourcesState, Refusal>;

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

/// Hidden columns of a table that must protect somebody.
#[derive(Debug, Clone, Copy)]
pub struct Hidden<'a> {
    /// Name of the column with the hash of the privacy unit.
    pub unit: &'a str,
    /// Name of the column with the hash of the dataset's record, and the key of that hash: see [`row_hash`](wanqu_rules::row::row_hash).
    pub row: Option<(&'a str, RowKey)>,
}

impl Hidden<'_> {
    /// Returns the number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        1 + usize::from(self.row.is_some())
    }
}

/// A table of an admitted plan, bound to its sources.
#[derive(Debug)]
pub struct BoundLeaf {
    /// The plan that takes the stub's place, with the same columns, and the hidden ones behind them if `unit` is true.
    pub plan: LogicalPlan,
    /// True if the plan has hidden columns: each row is somebody's.
    pub unit: bool,
    /// Name of the dataset's own table, whichever table it serves here; empty if nobody is protected.
    pub dataset: String,
    /// The most rows that one unit has, if the custodian knows it.
    pub max_rows_per_unit: Option<u64>,
    /// About how many bytes a scan of the table reads; 0 if it is not known.
    pub bytes: u64,
}

/// State of a plan's sources at one moment: a text for each source, which the gate only compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcesState(pub Vec<String>);
