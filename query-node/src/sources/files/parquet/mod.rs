//! Apache Parquet, by DataFusion's own reader: projection, row groups and pages pruned by the footer's statistics where
//! these can be trusted, footers cached between the passes of one query.
//!
//! ```text
//! footer.rs    a file's footer: its schema against the declared columns, and the records that do not fit them
//! fit.rs       which values of a stored type are values of the declared one
//! adapt.rs     the engine's expressions over stored columns, and which of them may prune
//! handle.rs    reading by handles below the root
//! opaque.rs    expression that no pruning looks into
//! guard.rs     faults of files that show while they are scanned
//! examine.rs   what in a file cannot be decoded
//! ```

mod adapt;
#[cfg(test)]
mod damage_tests;
mod examine;
mod fit;
mod footer;
mod guard;
mod handle;
mod micros;
mod opaque;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result as DfResult, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource as ParquetFileSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::object_store::ObjectMeta;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use parking_lot::Mutex;
use wanqu_model::bundle::{FilesSpec, SourceSpec};

use super::beneath::{FileState, SourceFile};
use super::{Files, OfFiles, Told, tell_absent};
use crate::sources::SourceFault;
use crate::sources::own::OwnFolders;
use crate::sources::schema::{optional_columns, source_schema};
use adapt::AsDeclared;
use footer::{Inspected, Problem};
use guard::SourceOfFile;
pub use guard::guarded;
use handle::ByHandle;

/// Files by path, as they were when they were inspected.
type Known = BTreeMap<PathBuf, (FileState, Arc<Inspected>)>;

/// Files by path, as they were when they were examined, with their faults.
type Examined = BTreeMap<PathBuf, (FileState, Result<(), SourceFault>)>;

/// Dataset in Parquet files.
#[derive(Debug, Clone)]
pub struct ParquetSource {
    files: Files,
    schema: SchemaRef,
    /// Names of the columns that files may lack.
    optional: Arc<BTreeSet<String>>,
    /// Result of inspecting each file, kept while it is the same file.
    inspected: Arc<Mutex<Known>>,
    /// Files that were read to their ends because a scan of them failed, with what was found.
    examined: Arc<Mutex<Examined>>,
    told: Arc<Mutex<Told>>,
}

impl ParquetSource {
    /// Returns the source that a bundle describes.
    pub fn new(spec: &SourceSpec, files: &FilesSpec, own: &OwnFolders) -> Self {
        Self {
            files: Files::new(spec, files, &["parquet"], own),
            schema: source_schema(&spec.columns),
            optional: Arc::new(optional_columns(&spec.columns)),
            inspected: Arc::default(),
            examined: Arc::default(),
            told: Arc::default(),
        }
    }

    /// Lists the files, and inspects those that are not known as they are now.
    async fn inspect(&self) -> Result<Vec<(SourceFile, Arc<Inspected>)>, SourceFault> {
        let files = self.files.list().await?;
        let mut known = Vec::with_capacity(files.len());
        for file in files {
            let inspected = self.inspect_file(&file).await?;
            known.push((file, inspected));
        }
        let mut kept = self.inspected.lock();
        *kept = known
            .iter()
            .map(|(file, inspected)| (file.path.clone(), (file.state.clone(), Arc::clone(inspected))))
            .collect();
        drop(kept);
        let files: Vec<SourceFile> = known.iter().map(|(file, _)| file.clone()).collect();
        self.files.left_out.begin(&files);
        self.files.left_out.end(&files, known.iter().map(|(_, inspected)| inspected.left_out).sum());
        Ok(known)
    }

    async fn inspect_file(&self, file: &SourceFile) -> Result<Arc<Inspected>, SourceFault> {
        self.known_damage(file).unwrap_or(Ok(()))?;
        let known = self.inspected.lock().get(&file.path).filter(|(known, _)| *known == file.state).cloned();
        if let Some((_, inspected)) = known {
            return Ok(inspected);
        }
        let (files, input) = (self.files.clone(), file.clone());
        let (declared, bad_records) = (Arc::clone(&self.schema), self.files.bad_records);
        let optional = Arc::clone(&self.optional);
        let inspect = move || -> Result<Result<Inspected, Problem>, SourceFault> {
            Ok(footer::inspect(&files.open(&input)?, &declared, &optional, bad_records))
        };
        let inspected = match tokio::task::spawn_blocking(inspect).await {
            Ok(opened) => Ok(opened?),
            Err(panicked) => Err(panicked),
        };
        match inspected {
            Ok(Ok(inspected)) => {
                if let Some(bad) = &inspected.first_bad {
                    let (dataset, file, records) = (&self.files.dataset, file.path.display(), inspected.left_out);
                    tracing::warn!(%dataset, %file, column = bad.column, record = bad.record, records, "records left out");
                }
                Ok(Arc::new(inspected))
            }
            Ok(Err(problem)) => Err(self.tell(file, problem)),
            Err(_) => {
                let reason = "the reader of its footer panicked".to_owned();
                Err(self.tell(file, Problem { fault: SourceFault::Damaged, reason }))
            }
        }
    }

    /// Writes the problem of a file into the owner's log, and returns its fault.
    fn tell(&self, file: &SourceFile, problem: Problem) -> SourceFault {
        let (dataset, file, fault) = (&self.files.dataset, file.path.display(), &problem.fault);
        tracing::warn!(%dataset, %file, reason = problem.reason, "a source cannot be read: {fault}");
        problem.fault
    }

    /// Returns what was found when the file was examined as it is now; `None` if it was not.
    fn known_damage(&self, file: &SourceFile) -> Option<Result<(), SourceFault>> {
        let examined = self.examined.lock();
        examined.get(&file.path).filter(|(known, _)| *known == file.state).map(|(_, found)| found.clone())
    }

    /// Looks for damage in the files, once for each state of a file. One that is damaged cannot be read any more, whatever is
    /// asked.
    ///
    /// # Errors
    /// The fault of the first file that cannot be read to its end.
    async fn damage(&self) -> Result<(), SourceFault> {
        let files: Vec<SourceFile> = self.inspect().await?.into_iter().map(|(file, _)| file).collect();
        self.examined.lock().retain(|_, (known, _)| files.iter().any(|file| file.state == *known));
        for file in files {
            if self.known_damage(&file).is_some() {
                continue;
            }
            let (files, input, declared) = (self.files.clone(), file.clone(), Arc::clone(&self.schema));
            let examine = move || -> Result<Result<(), Problem>, SourceFault> {
                Ok(examine::examine(&files.open(&input)?, &declared))
            };
            let examined = match tokio::task::spawn_blocking(examine).await {
                Ok(opened) => Ok(opened?),
                Err(panicked) => Err(panicked),
            };
            let panicked = || Problem { fault: SourceFault::Damaged, reason: "its reader panicked".to_owned() };
            let found = examined.unwrap_or_else(|_| Err(panicked())).map_err(|problem| self.tell(&file, problem));
            self.examined.lock().insert(file.path.clone(), (file.state.clone(), found.clone()));
            found?;
        }
        Ok(())
    }
}

#[async_trait]
impl OfFiles for ParquetSource {
    fn files(&self) -> &Files {
        &self.files
    }

    fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::new(self.clone())
    }

    async fn look(&self) -> Result<(), SourceFault> {
        let files = self.inspect().await?;
        let absent =
            |name: &&String| !files.is_empty() && files.iter().all(|(_, inspected)| inspected.absent.contains(*name));
        tell_absent(&self.files, &self.optional.iter().filter(absent).collect::<Vec<_>>(), &mut self.told.lock());
        Ok(())
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
        let in_engine = |fault: SourceFault| fault.in_engine(&self.files.dataset);
        let files = self.inspect().await.map_err(in_engine)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?)));
        }
        let mut rows = Precision::Exact(0);
        let mut parts = Vec::with_capacity(files.len());
        for (file, inspected) in &files {
            rows = rows.add(&Precision::Exact(inspected.rows));
            let mut part = PartitionedFile::new_from_meta(object_meta(file).map_err(in_engine)?);
            part.extensions.insert(SourceOfFile(self.clone()));
            part.extensions.insert(file.clone());
            if let Some(access) = &inspected.access {
                part.extensions.insert(access.clone());
            }
            parts.push(part);
        }
        // The number of rows helps to order joins. It is never exact, so that no aggregate is answered from it.
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = rows.to_inexact();
        let groups = FileGroup::new(parts).split_files(state.config().target_partitions());
        let mut options = state.default_table_options().parquet;
        // As it is inspected: of INT96, nanoseconds hold no more than three centuries.
        options.global.coerce_int96 = Some("us".to_owned());
        // Filters only prune: as row filters they would be read through expressions that are made for pruning.
        options.global.pushdown_filters = false;
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        let mut source = ParquetFileSource::new(Arc::clone(&self.schema))
            .with_parquet_file_reader_factory(Arc::new(ByHandle::new(self.files.clone(), footers)));
        if let Some(hint) = options.global.metadata_size_hint {
            source = source.with_metadata_size_hint(hint);
        }
        let source = Arc::new(source.with_table_parquet_options(options));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(AsDeclared)))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

fn object_meta(file: &SourceFile) -> Result<ObjectMeta, SourceFault> {
    let location = ObjectPath::from_absolute_path(&file.path).map_err(|_| SourceFault::FileName)?;
    // The engine caches footers by this time. That of the content can be set back by whoever copies a file.
    let last_modified = file.changed.into();
    Ok(ObjectMeta { location, last_modified, size: file.bytes, e_tag: None, version: None })
}
