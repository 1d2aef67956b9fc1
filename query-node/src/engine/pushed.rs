//! Public tables of other members for a query that reads public tables alone: each scan asks for the columns and rows that
//! it needs, and they stream.
//!
//! A gated query must see one state of every table in all its passes, and fetches whole tables once
//! ([`RemoteTable`](super::remote::RemoteTable)); one without a gate has one pass.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DataFusionError, Result as DfResult, project_schema};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use wanqu_model::bundle::Slice;
use wanqu_model::names::SqlName;
use wanqu_model::refusal::Refusal;
use wanqu_rules::catalog::expression_text;
use wanqu_rules::{FetchedBytes, as_written};

use super::remote::{RemotePublic, fit, slice_schema};
use crate::trace::{self, TraceContext};

/// Slice of another member of which each scan fetches the columns and rows that it needs.
#[derive(Debug)]
pub struct PushedTable {
    slice: Arc<Slice>,
    remote: Arc<dyn RemotePublic>,
    deadline: Timestamp,
    bytes: FetchedBytes,
    schema: SchemaRef,
}

impl PushedTable {
    /// Returns the table of a slice. Nothing is fetched yet.
    pub fn new(slice: Arc<Slice>, remote: Arc<dyn RemotePublic>, deadline: Timestamp, bytes: FetchedBytes) -> Self {
        let schema = slice_schema(&slice);
        Self { slice, remote, deadline, bytes, schema }
    }
}

/// Returns the SQL text of a condition over bare column names; `None` if its owner cannot test it in the same way.
fn condition(filter: &Expr) -> Option<String> {
    // The owner checks arithmetic by itself.
    let bare = as_written(filter.clone()).ok()?.transform(|part| {
        Ok(match part {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
            other => Transformed::no(other),
        })
    });
    let bare = bare.ok()?.data;
    if bare.is_volatile() { None } else { expression_text(&bare).ok() }
}

#[async_trait]
impl TableProvider for PushedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        // Tested again here: what a member sends is not trusted to be what was asked for.
        let pushed = |filter: &&Expr| match condition(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushed).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        // A SELECT has at least one column, even where rows are only counted.
        let nothing = projection.is_some_and(Vec::is_empty);
        let fetched = if nothing { Some(&vec![0]) } else { projection };
        let schema = project_schema(&self.schema, fetched)?;
        let part = Part {
            columns: schema.fields().iter().filter_map(|field| field.name().parse().ok()).collect(),
            conditions: filters.iter().filter_map(condition).collect(),
            slice: Arc::clone(&self.slice),
            remote: Arc::clone(&self.remote),
            deadline: self.deadline,
            bytes: self.bytes.clone(),
            schema: Arc::clone(&schema),
            trace: trace::current(),
        };
        let kept = nothing.then(Vec::new);
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(part)], kept.as_ref(), [], false, None)?))
    }
}

/// Columns and rows that one scan asks for.
struct Part {
    slice: Arc<Slice>,
    remote: Arc<dyn RemotePublic>,
    deadline: Timestamp,
    bytes: FetchedBytes,
    columns: Vec<SqlName>,
    conditions: Vec<String>,
    schema: SchemaRef,
    /// Trace context in which it was planned: it runs on a task of the engine's.
    trace: Option<TraceContext>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("table", &self.slice.table).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let Self { slice, remote, deadline, bytes, columns, conditions, schema, trace: context } = self;
        let (deadline, slice, remote, bytes) = (*deadline, Arc::clone(slice), Arc::clone(remote), bytes.clone());
        let (columns, conditions, target) = (columns.clone(), conditions.clone(), Arc::clone(schema));
        let fetched = async move {
            let batches = bytes.counted(remote.fetch(&slice, &columns, &conditions, deadline).await?);
            Ok::<_, Refusal>(batches.map(move |batch| fit(&batch?, &slice, &target)))
        };
        let rows = stream::once(trace::at(*context, fetched));
        let rows = rows.try_flatten().map_err(|refusal| DataFusionError::External(Box::new(refusal)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows))
    }
}
