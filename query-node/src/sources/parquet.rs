//! Apache Parquet, by DataFusion's own reader: projection, row groups and pages pruned by the footer's statistics,
//! footers cached between the passes of one query.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DataFusionError, Result as DfResult, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource as ParquetFileSource};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::object_store::{ObjectMeta, ObjectStore};
use datafusion::physical_plan::ExecutionPlan;
use wanqu_model::bundle::SourceSpec;
use wanqu_model::names::TableRef;
use wanqu_model::refusal::Refusal;
use wanqu_rules::error_kind;

use super::Source;

use super::fault::SourceFault;
use super::path::{self, Fingerprint, SourceFile};
use super::schema::{check_file_schema, source_schema};

/// A dataset in Parquet files.
#[derive(Debug, Clone)]
pub struct ParquetSource {
    dataset: TableRef,
    root: String,
    path: String,
    schema: SchemaRef,
}

impl ParquetSource {
    /// As the manifest says.
    pub fn new(spec: &SourceSpec) -> Self {
        Self {
            dataset: spec.table.clone(),
            root: spec.root.clone(),
            path: spec.path.clone(),
            schema: source_schema(&spec.columns),
        }
    }

    fn files(&self) -> Result<Vec<SourceFile>, SourceFault> {
        path::files(&self.root, &self.path, &["parquet"])
    }

    /// Reads one file's footer: its schema must hold the declared columns. Answers with its number of rows.
    async fn inspect(
        &self,
        state: &dyn Session,
        store: &Arc<dyn ObjectStore>,
        object: &ObjectMeta,
    ) -> DfResult<Precision<usize>> {
        let format = ParquetFormat::default();
        let stored = format
            .infer_schema(state, store, std::slice::from_ref(object))
            .await
            .map_err(|error| self.unreadable(&object.location, &error))?;
        check_file_schema(&self.schema, &stored).map_err(|fault| {
            tracing::warn!(dataset = %self.dataset, file = %object.location, %fault, "a source does not fit its manifest");
            fault.in_engine(&self.dataset)
        })?;
        let statistics = format.infer_stats(state, store, Arc::new(Schema::empty()), object).await;
        Ok(statistics.map_err(|error| self.unreadable(&object.location, &error))?.num_rows)
    }

    fn unreadable(&self, file: &impl fmt::Display, error: &DataFusionError) -> DataFusionError {
        // Errors of footers speak of bytes and structure, not of values; only their kind is logged all the same.
        let kind = error_kind(error);
        tracing::warn!(dataset = %self.dataset, %file, kind, "a Parquet file cannot be read");
        SourceFault::Unreadable.in_engine(&self.dataset)
    }
}

impl Source for ParquetSource {
    fn table(&self) -> Arc<dyn TableProvider> {
        Arc::new(self.clone())
    }

    fn fingerprint(&self) -> Result<Fingerprint, Refusal> {
        self.files().map(|files| Fingerprint::of(&files)).map_err(|fault| fault.refusal(&self.dataset))
    }

    fn skipped_records(&self) -> u64 {
        0
    }
}

#[async_trait]
impl TableProvider for ParquetSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        // Used to prune row groups and pages; the filter itself stays in the plan.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let files = self.files().map_err(|fault| fault.in_engine(&self.dataset))?;
        let url = ObjectStoreUrl::local_filesystem();
        let store = state.runtime_env().object_store(&url)?;
        let mut rows = Precision::Exact(0);
        let mut parts = Vec::with_capacity(files.len());
        for file in &files {
            let object = object_meta(file).map_err(|fault| fault.in_engine(&self.dataset))?;
            rows = rows.add(&self.inspect(state, &store, &object).await?);
            parts.push(PartitionedFile::new_from_meta(object));
        }
        // The number of rows helps to order joins. It is never exact, so that no aggregate is answered from it.
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = rows.to_inexact();
        let groups = FileGroup::new(parts).split_files(state.config().target_partitions());
        let source = Arc::new(ParquetFileSource::new(Arc::clone(&self.schema)));
        let config = FileScanConfigBuilder::new(url, source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        let format = ParquetFormat::default().with_options(state.default_table_options().parquet);
        format.create_physical_plan(state, config).await
    }
}

fn object_meta(file: &SourceFile) -> Result<ObjectMeta, SourceFault> {
    let location = ObjectPath::from_absolute_path(&file.path).map_err(|_| SourceFault::Path)?;
    Ok(ObjectMeta { location, last_modified: file.modified.into(), size: file.bytes, e_tag: None, version: None })
}
