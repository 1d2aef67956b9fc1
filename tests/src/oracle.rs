//! The oracle: one DataFusion over all raw rows in one place, as no federation may have them.
//!
//! It reads the same files by the same bundles as the nodes do, but by its own short way: Arrow's readers, the mapping
//! expressions of each slice, and the union of the mapped slices under the common table's name.

mod read;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemTable, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::lit;
use datafusion::prelude::{SessionConfig, SessionContext};
use wanqu_model::bundle::{NodeBundle, Slice, SourceSpec};
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::{JURISDICTION_COLUMN, TableRef};
use wanqu_rules::catalog::arrow_type;

use crate::compare::Rows;

/// One DataFusion over all rows.
pub struct Oracle {
    context: SessionContext,
    tables: BTreeMap<TableRef, Vec<RecordBatch>>,
}

impl Oracle {
    /// Reads everything that the bundles of all members describe.
    ///
    /// # Errors
    /// If a file cannot be read or a mapping cannot be evaluated.
    pub async fn over(bundles: &[NodeBundle]) -> Result<Self> {
        let mut tables: BTreeMap<TableRef, (SchemaRef, Vec<RecordBatch>)> = BTreeMap::new();
        for bundle in bundles {
            for slice in bundle.slices.iter().filter(|s| s.jurisdiction == bundle.jurisdiction) {
                let common = bundle.common_tables.iter().find(|c| c.table == slice.table);
                if common.is_some_and(|c| c.replicated) && tables.contains_key(&slice.table) {
                    continue;
                }
                let source = source_of(bundle, slice)?;
                let slice = readable(slice);
                let rows = slice_rows(&slice, source, common.is_some()).await?;
                let schema = slice_schema(&slice);
                let entry = tables.entry(slice.table.clone()).or_insert_with(|| (Arc::clone(&schema), Vec::new()));
                entry.1.extend(rows);
            }
        }
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let mut catalogs: BTreeMap<String, Arc<MemoryCatalogProvider>> = BTreeMap::new();
        let mut kept = BTreeMap::new();
        for (name, (schema, batches)) in tables {
            kept.insert(name.clone(), [vec![RecordBatch::new_empty(Arc::clone(&schema))], batches.clone()].concat());
            let catalog = catalogs.entry(name.catalog.to_string()).or_insert_with(|| {
                let catalog = Arc::new(MemoryCatalogProvider::new());
                context.register_catalog(name.catalog.as_str(), Arc::clone(&catalog) as Arc<dyn CatalogProvider>);
                catalog
            });
            let domain = if let Some(domain) = catalog.schema(name.domain.as_str()) {
                domain
            } else {
                let domain: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
                catalog.register_schema(name.domain.as_str(), Arc::clone(&domain))?;
                domain
            };
            domain.register_table(name.table.to_string(), Arc::new(MemTable::try_new(schema, vec![batches])?))?;
        }
        Ok(Self { context, tables: kept })
    }

    /// Every table with its rows, one batch at least.
    pub fn tables(&self) -> impl Iterator<Item = (&TableRef, &[RecordBatch])> {
        self.tables.iter().map(|(name, batches)| (name, batches.as_slice()))
    }

    /// The right answer to a query.
    ///
    /// # Errors
    /// If the query does not plan or run.
    pub async fn answer(&self, sql: &str) -> Result<Rows> {
        let frame = self.context.sql(sql).await?;
        let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        Ok(Rows::read(&schema, &batches)?)
    }
}

/// The source of a slice's dataset: that of the dataset's own table.
fn source_of<'a>(bundle: &'a NodeBundle, slice: &Slice) -> Result<&'a SourceSpec> {
    let own = bundle
        .slices
        .iter()
        .find(|s| s.dataset == slice.dataset && s.jurisdiction == slice.jurisdiction && !s.table.is_common());
    own.and_then(|own| bundle.sources.iter().find(|source| source.table == own.table))
        .ok_or_else(|| DataFusionError::Plan(format!("no source for {}", slice.table)))
}

fn slice_schema(slice: &Slice) -> SchemaRef {
    let fields = slice.columns.iter().map(|c| Field::new(c.name.as_str(), arrow_type(&c.data_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A slice without its sealed columns: nothing reads those, so no source has them.
fn readable(slice: &Slice) -> Slice {
    let mut slice = slice.clone();
    slice.columns.retain(|column| column.class != ColumnClass::Sealed);
    slice
}

/// A slice's rows, mapped where it is part of a common table.
async fn slice_rows(slice: &Slice, source: &SourceSpec, common: bool) -> Result<Vec<RecordBatch>> {
    let raw = read::rows(source)?;
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let frame = context.read_batch(raw)?;
    let schema = frame.schema().clone();
    let mut columns = Vec::new();
    for column in &slice.columns {
        let name = column.name.as_str();
        let expression = match &column.expression {
            Some(expression) => context.parse_sql_expr(expression, &schema)?,
            None if common && name == JURISDICTION_COLUMN => lit(slice.jurisdiction.as_str()),
            None => context.parse_sql_expr(name, &schema)?,
        };
        columns.push(expression.alias(name));
    }
    let wanted = slice_schema(slice);
    let batches = frame.select(columns)?.collect().await?;
    let typed = |batch: RecordBatch| -> Result<RecordBatch> {
        let columns = batch.columns().iter().zip(wanted.fields());
        let columns = columns.map(|(array, field)| cast(array, field.data_type())).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&wanted), columns)?)
    };
    batches.into_iter().map(typed).collect()
}
