//! An engine over tables in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result as DfResult, internal_datafusion_err};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, SubqueryAlias, TableScan, cast, ident,
};
use datafusion::physical_plan::execute_stream;
use jiff::Timestamp;
use wanqu_fixtures::bundle;
use wanqu_model::bundle::{NodeBundle, ReleaseRule, Slice};
use wanqu_model::refusal::Refusal;
use wanqu_rules::catalog::{Catalog, arrow_type, planning_state, table_of};
use wanqu_rules::row::row_hash;
use wanqu_rules::unit::UnitHash;
use wanqu_rules::{FetchedBytes, harmless};

use crate::engine::{BoundLeaf, Engine, Hidden, Run, SourcesState};

/// A bundle under construction, and the rows of its datasets.
pub(super) struct Fixture {
    pub(super) bundle: NodeBundle,
    rows: BTreeMap<String, RecordBatch>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self { bundle: bundle::empty(), rows: BTreeMap::new() }
    }

    /// Adds `shenzhen.d.NAME`. Columns as for [`bundle::dataset`].
    pub(super) fn dataset(&mut self, name: &str, rows: RecordBatch, columns: &str, rule: ReleaseRule) {
        let (slice, _) = bundle::dataset(&self.bundle, name, columns, rule);
        self.rows.insert(slice.table.to_string(), rows);
        self.bundle.slices.push(slice);
    }

    pub(super) fn engine(&self) -> Memory {
        Memory { rows: self.rows.clone(), state: planning_state().clone() }
    }

    pub(super) fn catalog(&self) -> Catalog {
        Catalog::owner(&self.bundle, &self.bundle.jurisdiction)
    }
}

/// Rows by the names of their tables.
#[derive(Debug)]
pub(super) struct Memory {
    rows: BTreeMap<String, RecordBatch>,
    state: SessionState,
}

impl Memory {
    fn columns(&self, slice: &Slice, hidden: Option<Hidden<'_>>) -> DfResult<LogicalPlan> {
        let rows = self.rows.get(&slice.table.to_string());
        let rows = rows.ok_or_else(|| internal_datafusion_err!("{} has no rows in this test", slice.table))?;
        // Several batches, so that passes meet more than one.
        let batches = (0..rows.num_rows())
            .step_by(1000)
            .map(|from| rows.slice(from, (rows.num_rows() - from).min(1000)))
            .collect();
        let table = MemTable::try_new(rows.schema(), vec![batches])?;
        let typed = |column: &wanqu_model::bundle::ColumnSpec| {
            cast(ident(column.name.as_str()), arrow_type(&column.data_type)).alias(column.name.as_str())
        };
        let mut columns: Vec<Expr> = slice.columns.iter().map(typed).collect();
        if let (Some(hidden), Some(unit)) = (hidden, &slice.privacy_unit) {
            columns.push(ScalarUDF::from(UnitHash::default()).call(vec![ident(unit.as_str())]).alias(hidden.unit));
            if let Some((name, key)) = hidden.row {
                let names: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
                let values = names.iter().map(ident).collect();
                columns.push(row_hash(key, names).call(values).alias(name));
            }
        }
        LogicalPlanBuilder::scan("rows", provider_as_source(Arc::new(table)), None)?.project(columns)?.build()
    }
}

impl Engine for Memory {
    fn start(&self, _: Timestamp) -> Result<Box<dyn Run + '_>, Refusal> {
        Ok(Box::new(InMemory(self)))
    }

    fn start_public(&self, _: Timestamp) -> Result<Box<dyn Run + '_>, Refusal> {
        Ok(Box::new(InMemory(self)))
    }
}

#[derive(Debug)]
struct InMemory<'a>(&'a Memory);

#[async_trait]
impl Run for InMemory<'_> {
    fn bind(&self, plan: &LogicalPlan) -> DfResult<LogicalPlan> {
        let bound = plan.clone().transform_up_with_subqueries(|node| {
            let LogicalPlan::TableScan(scan) = &node else { return node.recompute_schema().map(Transformed::yes) };
            Ok(Transformed::yes(self.bind_leaf(scan, None)?.plan))
        })?;
        Ok(bound.data)
    }

    fn bind_expr(&self, expr: &Expr) -> DfResult<Expr> {
        Ok(expr.clone())
    }

    fn bind_leaf(&self, scan: &TableScan, hidden: Option<Hidden<'_>>) -> DfResult<BoundLeaf> {
        let table = table_of(scan).ok_or_else(|| internal_datafusion_err!("a scan that no catalog made"))?;
        let slice = &table.slices[0];
        let whole = self.0.columns(slice, hidden)?;
        let named = SubqueryAlias::try_new(Arc::new(whole), scan.table_name.clone())?;
        let mut plan = LogicalPlan::SubqueryAlias(named);
        let has_unit = slice.privacy_unit.is_some();
        if let Some(columns) = &scan.projection {
            let mut kept = columns.clone();
            if let Some(hidden) = hidden.filter(|_| has_unit) {
                let all = plan.schema().fields().len();
                kept.extend(all - hidden.columns()..all);
            }
            plan = LogicalPlanBuilder::from(plan).select(kept)?.build()?;
        }
        Ok(BoundLeaf {
            plan,
            unit: has_unit,
            dataset: slice.table.to_string(),
            max_rows_per_unit: None,
            bytes: 1 << 20,
        })
    }

    async fn fingerprint(&self, _: &LogicalPlan) -> Result<SourcesState, Refusal> {
        Ok(SourcesState(self.0.rows.iter().map(|(name, rows)| format!("{name} {}", rows.num_rows())).collect()))
    }

    async fn execute(&self, plan: &LogicalPlan) -> DfResult<SendableRecordBatchStream> {
        let plan = harmless(self.0.state.optimize(plan)?)?;
        let physical = self.0.state.query_planner().create_physical_plan(&plan, &self.0.state).await?;
        execute_stream(physical, self.0.state.task_ctx())
    }

    fn fetched_bytes(&self) -> FetchedBytes {
        FetchedBytes::default()
    }

    fn memory_bytes(&self) -> usize {
        1 << 30
    }

    fn state(&self) -> &SessionState {
        &self.0.state
    }
}
