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
use wanqu_model::bundle::Slice;
use wanqu_model::names::SqlName;
use wanqu_model::refusal::Refusal;
use wanqu_rules::FetchedBytes;
use wanqu_rules::catalog::expression_text;

use super::remote::{RemotePublic, fit, slice_schema};
use crate::trace::{self, TraceContext};

/// One slice of another member, asked for as it is scanned.
#[derive(Debug)]
pub struct PushedTable {
    slice: Arc<Slice>,
    remote: Arc<dyn RemotePublic>,
    bytes: FetchedBytes,
    schema: SchemaRef,
}

impl PushedTable {
    /// Nothing is fetched yet.
    pub fn new(slice: Arc<Slice>, remote: Arc<dyn RemotePublic>, bytes: FetchedBytes) -> Self {
        let schema = slice_schema(&slice);
        Self { slice, remote, bytes, schema }
    }
}

/// The text of a condition over bare column names; `None` where the owner is better not asked to test it.
fn condition(filter: &Expr) -> Option<String> {
    let bare = filter.clone().transform(|part| {
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
        // Where rows are only counted, one column is asked for all the same: a SELECT has at least one.
        let nothing = projection.is_some_and(Vec::is_empty);
        let fetched = if nothing { Some(&vec![0]) } else { projection };
        let schema = project_schema(&self.schema, fetched)?;
        let part = Part {
            columns: schema.fields().iter().filter_map(|field| field.name().parse().ok()).collect(),
            conditions: filters.iter().filter_map(condition).collect(),
            slice: Arc::clone(&self.slice),
            remote: Arc::clone(&self.remote),
            bytes: self.bytes.clone(),
            schema: Arc::clone(&schema),
            place: trace::current(),
        };
        let kept = nothing.then(Vec::new);
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![Arc::new(part)], kept.as_ref(), [], false, None)?))
    }
}

/// What one scan asks for.
struct Part {
    slice: Arc<Slice>,
    remote: Arc<dyn RemotePublic>,
    bytes: FetchedBytes,
    columns: Vec<SqlName>,
    conditions: Vec<String>,
    schema: SchemaRef,
    /// Where in a trace it was planned: it runs on a task of the engine's.
    place: Option<TraceContext>,
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
        let Self { slice, remote, bytes, columns, conditions, schema, place } = self;
        let (slice, remote, bytes) = (Arc::clone(slice), Arc::clone(remote), bytes.clone());
        let (columns, conditions, target) = (columns.clone(), conditions.clone(), Arc::clone(schema));
        let fetched = async move {
            let batches = bytes.counted(remote.fetch(&slice, &columns, &conditions).await?);
            Ok::<_, Refusal>(batches.map(move |batch| fit(&batch?, &slice, &target)))
        };
        let rows = stream::once(trace::at(*place, fetched));
        let rows = rows.try_flatten().map_err(|refusal| DataFusionError::External(Box::new(refusal)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(schema), rows))
    }
}
