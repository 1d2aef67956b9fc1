//! One query at this node: binding stubs to sources, and running plans.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as DfResult, internal_datafusion_err, internal_err};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, SubqueryAlias, TableScan};
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use jiff::Timestamp;
use parking_lot::Mutex;
use wanqu_gate::{BoundLeaf, Hidden, Run, SourcesState};
use wanqu_model::bundle::Slice;
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::Refusal;
use wanqu_rules::catalog::{CatalogTable, table_of, with_room};
use wanqu_rules::{FetchedBytes, checked, harmless, refusal_without_values};

use super::cooperative::cooperative;
use super::pushed::PushedTable;
use super::remote::RemoteTable;
use super::session::session;
use super::watched::{Watched, external};
use super::{Engine, same_columns};
use crate::sources::{Source, guarded};

/// Run of one query.
#[derive(Debug)]
pub struct EngineRun<'a> {
    engine: &'a Engine,
    state: SessionState,
    fetching: Fetching,
    /// Time after which rows of other members are of no use.
    deadline: Timestamp,
    fetched: Mutex<BTreeMap<(TableRef, JurisdictionId), Arc<RemoteTable>>>,
    /// Own sources that were bound.
    sources: Mutex<Vec<Arc<dyn Source>>>,
    bytes: FetchedBytes,
}

/// Part of another member's public table that is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetching {
    /// The whole table, once.
    Whole,
    /// For each scan, the columns and rows that it needs.
    AsScanned,
}

/// Returns the slices of a table that a node of `own` reads: one if each member holds the same full copy, its own if it has
/// one.
pub(super) fn slices_read<'t>(table: &'t CatalogTable, own: &JurisdictionId) -> &'t [Arc<Slice>] {
    if !table.common.as_ref().is_some_and(|common| common.replicated) {
        return &table.slices;
    }
    let first = table.slices.iter().position(|slice| slice.jurisdiction == *own).unwrap_or(0);
    table.slices.get(first..=first).unwrap_or(&table.slices)
}

impl<'a> EngineRun<'a> {
    pub(super) fn new(engine: &'a Engine, fetching: Fetching, deadline: Timestamp) -> Result<Self, Refusal> {
        let state = session(&engine.runtime, engine.pool()).map_err(|e| refusal_without_values(&e))?;
        Ok(Self {
            engine,
            state,
            fetching,
            deadline,
            fetched: Mutex::default(),
            sources: Mutex::default(),
            bytes: FetchedBytes::default(),
        })
    }

    fn own(&self, slice: &Slice) -> DfResult<&super::tables::OwnSlice> {
        let own = self.engine.slices.get(&slice.table);
        own.ok_or_else(|| {
            internal_datafusion_err!("{} is not in the bundle that the engine was opened with", slice.table)
        })
    }

    fn fetched(&self, slice: &Arc<Slice>) -> DfResult<LogicalPlan> {
        if self.fetching == Fetching::AsScanned {
            let remote = Arc::clone(&self.engine.remote);
            let table = PushedTable::new(Arc::clone(slice), remote, self.deadline, self.bytes.clone());
            return LogicalPlanBuilder::scan("fetched", provider_as_source(Arc::new(table)), None)?.build();
        }
        let limit = self.memory_bytes() / 2;
        let key = (slice.table.clone(), slice.jurisdiction.clone());
        let remote = Arc::clone(&self.engine.remote);
        let new = || Arc::new(RemoteTable::new(Arc::clone(slice), remote, self.deadline, limit, self.bytes.clone()));
        let table = Arc::clone(self.fetched.lock().entry(key).or_insert_with(new));
        LogicalPlanBuilder::scan("fetched", provider_as_source(table), None)?.build()
    }
}

#[async_trait]
impl Run for EngineRun<'_> {
    fn bind(&self, plan: &LogicalPlan) -> DfResult<LogicalPlan> {
        let bound = plan.clone().transform_up_with_subqueries(|node| {
            let LogicalPlan::TableScan(scan) = &node else { return node.recompute_schema().map(Transformed::yes) };
            Ok(Transformed::yes(self.bind_leaf(scan, None)?.plan))
        })?;
        if !same_columns(plan, &bound.data) {
            return internal_err!("a bound plan has other columns than the plan that was admitted");
        }
        Ok(bound.data)
    }

    fn bind_expr(&self, expr: &Expr) -> DfResult<Expr> {
        let bound = expr.clone().transform_up(|part| {
            Ok(match part {
                Expr::InSubquery(mut member) => {
                    member.subquery.subquery = Arc::new(self.bind(&member.subquery.subquery)?);
                    Transformed::yes(Expr::InSubquery(member))
                }
                other => Transformed::no(other),
            })
        });
        bound.map(|bound| bound.data)
    }

    fn bind_leaf(&self, scan: &TableScan, hidden: Option<Hidden<'_>>) -> DfResult<BoundLeaf> {
        let table = table_of(scan).ok_or_else(|| internal_datafusion_err!("a scan that no catalog made"))?;
        if !scan.filters.is_empty() || scan.fetch.is_some() {
            return internal_err!("a plan is bound before it is optimised");
        }
        let mut parts = Vec::with_capacity(table.slices.len());
        let (mut has_unit, mut dataset, mut max_rows_per_unit, mut bytes) = (false, String::new(), None, 0);
        for slice in slices_read(table, &self.engine.jurisdiction) {
            if slice.jurisdiction == self.engine.jurisdiction {
                let own = self.own(slice)?;
                has_unit |= own.has_unit();
                dataset = own.dataset.to_string();
                max_rows_per_unit = own.max_rows_per_unit;
                bytes += own.source.approximate_bytes();
                self.sources.lock().push(Arc::clone(&own.source));
                parts.push(own.plan(hidden)?);
            } else if slice.is_public() {
                parts.push(self.fetched(slice)?);
            } else {
                return internal_err!("another member's non-public table in an admitted plan");
            }
        }
        if has_unit && parts.len() > 1 {
            return internal_err!("a non-public table of more than one slice in an admitted plan");
        }
        let mut whole = parts.pop().ok_or_else(|| internal_datafusion_err!("a table without slices"))?;
        for part in parts {
            whole = LogicalPlanBuilder::from(whole).union(part)?.build()?;
        }
        let named = SubqueryAlias::try_new(Arc::new(whole), scan.table_name.clone())?;
        let mut plan = LogicalPlan::SubqueryAlias(named);
        if let Some(columns) = &scan.projection {
            let mut kept: Vec<usize> = columns.clone();
            if let Some(hidden) = hidden.filter(|_| has_unit) {
                let all = plan.schema().fields().len();
                kept.extend(all - hidden.columns()..all);
            }
            plan = LogicalPlanBuilder::from(plan).select(kept)?.build()?;
        }
        Ok(BoundLeaf { plan, unit: has_unit, dataset, max_rows_per_unit, bytes })
    }

    async fn fingerprint(&self, plan: &LogicalPlan) -> Result<SourcesState, Refusal> {
        let mut tables = Vec::new();
        let visited = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && let Some(table) = table_of(scan)
            {
                tables.extend(table.slices.iter().filter(|s| s.jurisdiction == self.engine.jurisdiction).cloned());
            }
            Ok(TreeNodeRecursion::Continue)
        });
        visited.map_err(|error| refusal_without_values(&error))?;
        let own = tables.iter().filter_map(|slice| self.engine.slices.get(&slice.table));
        let mut states = Vec::new();
        for own in own {
            states.push(own.source.fingerprint().await?.into());
        }
        Ok(SourcesState(states))
    }

    async fn execute(&self, plan: &LogicalPlan) -> DfResult<SendableRecordBatchStream> {
        // A query of one pass is over public data, and its errors may say what is at fault.
        let gated = self.fetching == Fetching::Whole;
        let plan = with_room(|| {
            let plan = self.state.optimize(&checked(plan.clone(), gated)?)?;
            if gated { harmless(plan) } else { Ok(plan) }
        })?;
        let watched = match self.fetching {
            // Its rows leave while they are read.
            Fetching::AsScanned => {
                let bound = self.sources.lock().clone();
                Some(Watched::new(bound).await.map_err(external)?)
            }
            // The caller that runs several passes compares the fingerprints around all of them.
            Fetching::Whole => None,
        };
        let planned = self.state.query_planner().create_physical_plan(&plan, &self.state).await;
        let ready = planned.and_then(guarded).and_then(cooperative);
        let stream = ready.and_then(|physical| execute_stream(physical, self.state.task_ctx()));
        match (watched, stream) {
            (None, stream) => stream,
            (Some(watched), Ok(stream)) => Ok(watched.unchanged(stream)),
            (Some(watched), Err(error)) => Err(watched.fault_of(error).await),
        }
    }

    fn fetched_bytes(&self) -> FetchedBytes {
        self.bytes.clone()
    }

    fn memory_bytes(&self) -> usize {
        (self.engine.limits.memory_mib as usize).saturating_mul(1 << 20)
    }

    fn state(&self) -> &SessionState {
        &self.state
    }
}
