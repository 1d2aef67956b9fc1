//! The engine: runs plans that were admitted over stubs over the custodian's sources, unchanged but for the sources.
//!
//! ```text
//! admitted:  … TableScan(stub shenzhen.health.visits)
//! bound:     … SubqueryAlias(shenzhen.health.visits)
//!                Projection(columns as declared, mappings, [__unit_0])
//!                  TableScan(source: files as they lie)
//! ```
//!
//! An [`Engine`] belongs to one bundle and is shared by all queries; an [`EngineRun`] belongs to one query and holds its memory
//! limit and the public tables fetched for it.

mod pool;
mod pushed;
mod remote;
mod run;
mod session;
mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlan;
use jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;
use wanqu_gate::Run;
use wanqu_model::bundle::{Limits, NodeBundle};
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::Refusal;
use wanqu_rules::catalog::table_of;

pub use pool::GaugedPool;
pub use remote::RemotePublic;
pub use run::EngineRun;

use run::{Fetching, slices_read};
use tables::OwnSlice;

use crate::sources::Source;

/// Fault of a bundle that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A slice is read from a dataset that has no source.
    #[error("{table}: dataset {dataset} has no source in this bundle")]
    NoSource {
        /// Table of the slice.
        table: TableRef,
        /// Name of the dataset.
        dataset: String,
    },
    /// A column cannot be computed from the dataset's columns.
    #[error("{table}: column {column}: {why}")]
    Column {
        /// Table of the slice.
        table: TableRef,
        /// Name of the column.
        column: String,
        /// Fault of its expression. No data has been read.
        why: String,
    },
    /// The engine itself cannot be set up.
    #[error("the query engine cannot be set up: {0}")]
    Setup(String),
}

/// Tables of one bundle, ready to run.
#[derive(Debug)]
pub struct Engine {
    jurisdiction: JurisdictionId,
    slices: BTreeMap<TableRef, OwnSlice>,
    remote: Arc<dyn RemotePublic>,
    limits: Limits,
    runtime: Arc<RuntimeEnv>,
    memory: Gauge,
}

impl Engine {
    /// Opens a bundle: checks every mapping of its own datasets. No data is read: a source that is missing refuses the queries
    /// over it, not the bundle.
    ///
    /// # Errors
    /// The first slice or column that cannot be run.
    pub fn open(bundle: &NodeBundle, remote: Arc<dyn RemotePublic>) -> Result<Self, EngineError> {
        let runtime = RuntimeEnvBuilder::new().build_arc().map_err(|e| EngineError::Setup(e.strip_backtrace()))?;
        Ok(Self {
            jurisdiction: bundle.jurisdiction.clone(),
            slices: tables::own_slices(bundle)?,
            remote,
            limits: bundle.limits.clone(),
            runtime,
            memory: Gauge::default(),
        })
    }

    /// Shows on a gauge how many bytes its queries have reserved.
    #[must_use]
    pub fn with_memory(mut self, gauge: Gauge) -> Self {
        self.memory = gauge;
        self
    }

    /// Returns the memory pool of one query, under the bundle's own limit.
    #[must_use]
    pub fn pool(&self) -> GaugedPool {
        GaugedPool::new(self.limits.memory_mib, self.memory.clone())
    }

    /// Returns true if a plan reads this node's own slices alone: running it asks no other member.
    #[must_use]
    pub fn reads_own_slices_alone(&self, plan: &LogicalPlan) -> bool {
        let mut own = true;
        let walked = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                own &= table_of(scan).is_some_and(|table| {
                    slices_read(table, &self.jurisdiction).iter().all(|slice| slice.jurisdiction == self.jurisdiction)
                });
            }
            Ok(TreeNodeRecursion::Continue)
        });
        own && walked.is_ok()
    }

    /// Returns how many records the last whole scans of the datasets behind these tables left out as unreadable. For the owner
    /// alone.
    #[must_use]
    pub fn skipped_records(&self, tables: &[TableRef]) -> u64 {
        let mut sources: Vec<&Arc<dyn Source>> = Vec::new();
        for slice in tables.iter().filter_map(|table| self.slices.get(table)) {
            // A dataset's own table and its common table read one source.
            if !sources.iter().any(|source| Arc::ptr_eq(source, &slice.source)) {
                sources.push(&slice.source);
            }
        }
        sources.iter().map(|source| source.skipped_records()).sum()
    }
}

impl wanqu_gate::Engine for Engine {
    fn start(&self, deadline: Timestamp) -> Result<Box<dyn Run + '_>, Refusal> {
        Ok(Box::new(EngineRun::new(self, Fetching::Whole, deadline)?))
    }

    fn start_public(&self, deadline: Timestamp) -> Result<Box<dyn Run + '_>, Refusal> {
        Ok(Box::new(EngineRun::new(self, Fetching::AsScanned, deadline)?))
    }
}

/// Returns true if a bound plan has the columns and types of the admitted one.
fn same_columns(admitted: &LogicalPlan, bound: &LogicalPlan) -> bool {
    let (admitted, bound) = (admitted.schema(), bound.schema());
    admitted.fields().len() == bound.fields().len()
        && admitted
            .iter()
            .zip(bound.iter())
            .all(|((aq, a), (bq, b))| aq == bq && a.name() == b.name() && a.data_type() == b.data_type())
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod semantics;
#[cfg(test)]
mod tests;
