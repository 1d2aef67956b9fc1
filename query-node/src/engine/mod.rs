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

mod cooperative;
mod fits;
mod memory;
mod pool;
mod pushed;
mod remote;
mod run;
mod session;
mod tables;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::LogicalPlan;
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use wanqu_gate::Run;
use wanqu_model::bundle::{Limits, NodeBundle};
use wanqu_model::names::{JurisdictionId, ResourceName, TableRef};
use wanqu_model::refusal::Refusal;
use wanqu_model::report::LeftOutRecords;
use wanqu_rules::catalog::table_of;

pub use cooperative::cooperative;
pub use memory::bound_memory;
pub use pool::GaugedPool;
pub use remote::RemotePublic;
pub use run::EngineRun;

use run::{Fetching, slices_read};
use tables::OwnSlice;

use crate::sources::{OwnFolders, SourceFault};

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

/// Table of this node's that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// Table as a query names it: that of the dataset itself, or the common table that the dataset serves.
    pub table: TableRef,
    /// Table of the dataset itself.
    pub dataset: TableRef,
    /// Name of the dataset's resource.
    pub name: ResourceName,
    /// Fault of its source, without values and paths.
    pub reason: String,
}

/// Folders that an engine keeps to, or away from.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    /// Folders of the node's own, which no source may reach.
    pub own: OwnFolders,
    /// Folder for data that memory does not hold; `None` for the system's.
    pub spill: Option<PathBuf>,
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
    /// Faults of the own datasets' sources when these were last looked at.
    faults: Mutex<BTreeMap<TableRef, SourceFault>>,
}

impl Engine {
    /// Opens a bundle: checks every mapping of its own datasets. No data is read: a source that is missing refuses the queries
    /// over it, not the bundle.
    ///
    /// # Errors
    /// The first slice or column that cannot be run.
    pub fn open(bundle: &NodeBundle, remote: Arc<dyn RemotePublic>) -> Result<Self, EngineError> {
        Self::open_in(bundle, remote, &Folders::default())
    }

    /// Opens a bundle likewise, in these folders.
    ///
    /// # Errors
    /// The first slice or column that cannot be run.
    pub fn open_in(bundle: &NodeBundle, remote: Arc<dyn RemotePublic>, folders: &Folders) -> Result<Self, EngineError> {
        let spill = folders.spill.iter().cloned().collect::<Vec<_>>();
        let spill =
            if spill.is_empty() { DiskManagerMode::OsTmpDirectory } else { DiskManagerMode::Directories(spill) };
        let runtime = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(spill))
            .build_arc()
            .map_err(|e| EngineError::Setup(e.strip_backtrace()))?;
        Ok(Self {
            jurisdiction: bundle.jurisdiction.clone(),
            slices: tables::own_slices(bundle, &folders.own)?,
            remote,
            limits: bundle.limits.clone(),
            runtime,
            memory: Gauge::default(),
            faults: Mutex::default(),
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
        self.datasets(tables).iter().filter_map(|slice| slice.source.skipped_records()).sum()
    }

    /// Returns what those who ask may know of the records that are left out of the datasets behind these tables. Of a public
    /// dataset, their number. Of any other, that its owner's manifest has such records left out: whether there are any
    /// depends on records that nobody may learn of.
    #[must_use]
    pub fn left_out(&self, tables: &[TableRef]) -> Vec<LeftOutRecords> {
        let told = |slice: &&OwnSlice| {
            let records = if slice.public { slice.source.skipped_records() } else { None };
            let says = slice.source.skips_records() && records != Some(0);
            says.then(|| LeftOutRecords { table: slice.dataset.clone(), records })
        };
        self.datasets(tables).iter().filter_map(told).collect()
    }

    /// Looks whether each of this node's own datasets can be read, and keeps what it found.
    pub async fn look_at_sources(&self) {
        let own: Vec<TableRef> = self.slices.keys().cloned().collect();
        let mut faults = BTreeMap::new();
        for slice in self.datasets(&own) {
            if let Err(fault) = slice.source.check().await {
                faults.insert(slice.dataset.clone(), fault);
            }
        }
        *self.faults.lock() = faults;
    }

    /// Returns the own tables that could not be read when that was last looked at. Queries over them are refused, by what is
    /// found then.
    #[must_use]
    pub fn unavailable(&self) -> Vec<Unavailable> {
        let faults = self.faults.lock();
        let unavailable = |(table, slice): (&TableRef, &OwnSlice)| {
            let (table, dataset, name) = (table.clone(), slice.dataset.clone(), slice.name.clone());
            faults.get(&dataset).map(|fault| Unavailable { reason: fault.to_string(), table, dataset, name })
        };
        self.slices.iter().filter_map(unavailable).collect()
    }

    /// Returns the tables of this node's own datasets.
    #[must_use]
    pub fn own_datasets(&self) -> BTreeSet<TableRef> {
        self.slices.values().map(|slice| slice.dataset.clone()).collect()
    }

    /// Returns a slice of each dataset behind these tables: a dataset's own table and its common table read one source.
    fn datasets(&self, tables: &[TableRef]) -> Vec<&OwnSlice> {
        let mut datasets: Vec<&OwnSlice> = Vec::new();
        for slice in tables.iter().filter_map(|table| self.slices.get(table)) {
            if !datasets.iter().any(|known| Arc::ptr_eq(&known.source, &slice.source)) {
                datasets.push(slice);
            }
        }
        datasets
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
mod grown_tests;
#[cfg(test)]
mod number_tests;
#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod semantics;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod text_tests;
#[cfg(test)]
mod time_tests;
