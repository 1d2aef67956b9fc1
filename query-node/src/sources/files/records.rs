//! Files of text records, CSV and NDJSON: cut into blocks, decoded a block at a time by the crate `wanqu-records`, and in
//! parts only where a block has records that cannot be read.
//!
//! ```text
//! file ─▶ TextFile (whole records, one reader) ─▶ partition 0: decode ─▶ batches
//!                                              ─▶ partition 1: decode ─▶ batches
//! ```
//!
//! Every declared column is decoded in every pass, even those that a query does not ask for. Whether a record can be read
//! must not depend on the query: otherwise two passes of one query would see different records.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::datasource::TableType;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
};
use parking_lot::Mutex;
use wanqu_model::bundle::{BadRecords, FilesSpec, SourceSpec, TextSpec};
use wanqu_records::{BadRecord, Block, Columns, DecodeError, Decoder, Fault, TextFile, TextFormat};

use super::beneath::{FileState, SourceFile};
use super::endings::endings;
use super::{Files, OfFiles, Told, are, states, tell_absent};
use crate::sources::SourceFault;
use crate::sources::own::OwnFolders;
use crate::sources::schema::source_schema;

/// Dataset in files of text records.
#[derive(Debug, Clone)]
pub struct RecordSource {
    files: Files,
    columns: Columns,
    format: TextFormat,
    text: Arc<TextSpec>,
    /// Files whose beginnings fit the declared columns, as they were when that was seen.
    checked: Arc<Mutex<Vec<FileState>>>,
    told: Arc<Mutex<Told>>,
}

impl RecordSource {
    /// Returns the source that a bundle describes.
    pub fn new(spec: &SourceSpec, files: &FilesSpec, format: TextFormat, own: &OwnFolders) -> Self {
        let columns = Columns::new(source_schema(&spec.columns), &files.text)
            .with_names(spec.columns.iter().map(|column| column.name.as_str()))
            .with_optional(spec.columns.iter().map(|column| column.optional))
            .with_values(spec.columns.iter().map(|column| column.values.as_ref()));
        Self {
            files: Files::new(spec, files, endings(format, files.text.compression), own),
            columns,
            format,
            text: Arc::new(files.text.clone()),
            checked: Arc::default(),
            told: Arc::default(),
        }
    }
}

impl RecordSource {
    /// Returns a file's fault as the source's. The owner's log has the file and the reason.
    fn fault(&self, file: &SourceFile, fault: Fault) -> SourceFault {
        tracing::warn!(dataset = %self.files.dataset, file = %file.path.display(), %fault, "a file cannot be read as declared");
        match fault {
            Fault::Unreadable(_) => SourceFault::Unreadable,
            Fault::Setting { problem, setting } => SourceFault::Setting { problem, setting },
            Fault::OpenQuote => SourceFault::OpenQuote,
            Fault::MissingColumn(column) => SourceFault::MissingColumn(column),
            Fault::ColumnLetters(column) => SourceFault::ColumnLetters(column),
            Fault::AmbiguousColumn(column) => SourceFault::AmbiguousColumn(column),
            Fault::ColumnType(column) => SourceFault::ColumnType(column),
        }
    }
}

#[async_trait]
impl OfFiles for RecordSource {
    fn files(&self) -> &Files {
        &self.files
    }

    fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::new(self.clone())
    }

    async fn look(&self) -> Result<(), SourceFault> {
        let files = self.files.list().await?;
        if are(&self.checked.lock(), &files) {
            return Ok(());
        }
        let source = self.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let mut absent: Option<Vec<usize>> = None;
            for file in &files {
                let Some(open) = OpenFile::open(&source, file.clone())? else { continue };
                let lacks = |column: &usize| open.text.absent().contains(column);
                absent = Some(match absent {
                    Some(absent) => absent.into_iter().filter(lacks).collect(),
                    None => open.text.absent().to_vec(),
                });
            }
            let schema = source.columns.schema();
            let names: Vec<&String> = absent.iter().flatten().map(|column| schema.field(*column).name()).collect();
            tell_absent(&source.files, &names, &mut source.told.lock());
            *source.checked.lock() = states(&files);
            Ok(())
        });
        checked.await.unwrap_or(Err(SourceFault::Unreadable))
    }
}

#[async_trait]
impl TableProvider for RecordSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.columns.schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let files = self.files.list().await.map_err(|fault| fault.in_engine(&self.files.dataset))?;
        Ok(Arc::new(RecordsExec::new(self.clone(), files, projection.cloned(), state.config().target_partitions())?))
    }
}

/// Scan of a source. Its partitions take blocks from one reader, so that a single file keeps all cores busy.
#[derive(Debug)]
struct RecordsExec {
    source: RecordSource,
    files: Vec<SourceFile>,
    projection: Option<Vec<usize>>,
    reading: Arc<Reading>,
    properties: Arc<PlanProperties>,
}

impl RecordsExec {
    fn new(
        source: RecordSource,
        files: Vec<SourceFile>,
        projection: Option<Vec<usize>>,
        partitions: usize,
    ) -> DfResult<Self> {
        let schema = match &projection {
            Some(columns) => Arc::new(source.columns.schema().project(columns)?),
            None => Arc::clone(source.columns.schema()),
        };
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.max(1)),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let reading = Arc::new(Reading::new(source.clone(), &files));
        Ok(Self { source, files, projection, reading, properties })
    }
}

impl DisplayAs for RecordsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordsExec: format={:?}, files={}", self.source.format, self.files.len())
    }
}

impl ExecutionPlan for RecordsExec {
    fn name(&self) -> &'static str {
        "RecordsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> DfResult<Arc<dyn ExecutionPlan>> {
        let partitions = self.properties.output_partitioning().partition_count();
        Ok(Arc::new(Self::new(self.source.clone(), self.files.clone(), self.projection.clone(), partitions)?))
    }

    fn execute(&self, _partition: usize, _: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let reading = Arc::clone(&self.reading);
        let projection = self.projection.clone();
        let batches = futures::stream::try_unfold((reading, projection), |(reading, projection)| async move {
            let Some(batch) = reading.next_batch().await? else { return Ok(None) };
            let batch = match &projection {
                Some(columns) => batch.project(columns)?,
                None => batch,
            };
            Ok::<_, DataFusionError>(Some((batch, (reading, projection))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

/// Reader of the files of one scan.
#[derive(Debug)]
struct Reading {
    source: RecordSource,
    files: Vec<SourceFile>,
    position: Arc<Mutex<Position>>,
    skipped: AtomicU64,
    /// Blocks that are being cut or decoded, or were dropped before they were.
    undecoded: AtomicU64,
}

#[derive(Debug)]
struct Position {
    files: VecDeque<SourceFile>,
    open: Option<OpenFile>,
    failed: Option<SourceFault>,
}

/// Block, its decoder, and the file that it is from.
type Cut = (Block, Arc<Decoder>, SourceFile);

struct OpenFile {
    file: SourceFile,
    text: TextFile,
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("file", &self.file.path).finish_non_exhaustive()
    }
}

impl Reading {
    fn new(source: RecordSource, files: &[SourceFile]) -> Self {
        let position = Position { files: files.iter().cloned().collect(), open: None, failed: None };
        source.files.left_out.begin(files);
        Self {
            source,
            files: files.to_vec(),
            position: Arc::new(Mutex::new(position)),
            skipped: AtomicU64::new(0),
            undecoded: AtomicU64::new(0),
        }
    }

    /// Returns the next decoded block, whichever partition asks; `None` at the end.
    async fn next_batch(&self) -> DfResult<Option<RecordBatch>> {
        while let Some((block, decoder, file)) = self.next_block().await? {
            let batch = self.decode(&block, decoder.as_ref(), &file)?;
            self.undecoded.fetch_sub(1, Ordering::AcqRel);
            if batch.is_some() {
                return Ok(batch);
            }
        }
        Ok(None)
    }

    async fn next_block(&self) -> DfResult<Option<Cut>> {
        let (source, position) = (self.source.clone(), Arc::clone(&self.position));
        self.undecoded.fetch_add(1, Ordering::AcqRel);
        let advanced = tokio::task::spawn_blocking(move || position.lock().advance(&source)).await;
        match advanced.unwrap_or(Err(SourceFault::Unreadable)) {
            Ok(None) => {
                // The last of the partitions that end finds all decoded; none does if one of them was dropped.
                if self.undecoded.fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.source.files.left_out.end(&self.files, self.skipped.load(Ordering::Acquire));
                }
                Ok(None)
            }
            Ok(cut) => Ok(cut),
            Err(fault) => Err(fault.in_engine(&self.source.files.dataset)),
        }
    }

    /// Decodes a block; where that fails, what lies between its bad records.
    fn decode(&self, block: &Block, decoder: &Decoder, file: &SourceFile) -> DfResult<Option<RecordBatch>> {
        let records = block.ends.len();
        let mut good = Vec::new();
        let mut bad = 0_u64;
        let mut first = None;
        // After a bad record more may follow: few are tried then, and more and more while they are good.
        let (mut from, mut step) = (0, records);
        while from < records {
            let to = records.min(from.saturating_add(step));
            match decoder.decode(block, from, to) {
                Ok(batch) => {
                    good.extend(batch);
                    from = to;
                    step = step.saturating_mul(2);
                }
                Err(DecodeError::Record(record)) if record.record > from => step = record.record - from,
                Err(DecodeError::Record(record)) => {
                    bad += 1;
                    self.report(file, block.first, &record)?;
                    first.get_or_insert(record);
                    from += 1;
                    step = 1;
                }
                Err(DecodeError::File(fault)) => {
                    return Err(self.source.fault(file, fault).in_engine(&self.source.files.dataset));
                }
            }
        }
        if let Some(first) = &first {
            self.skipped.fetch_add(bad, Ordering::AcqRel);
            let (dataset, file) = (&self.source.files.dataset, file.path.display());
            let record = block.first + first.record as u64 + 1;
            let (column, reason) = (first.column.as_deref().unwrap_or("-"), &first.reason);
            tracing::warn!(%dataset, %file, records = bad, record, column, %reason, "records left out, this one first");
        }
        match good.as_slice() {
            [] => Ok(None),
            [_] => Ok(good.pop()),
            [first, ..] => Ok(Some(concat_batches(&first.schema(), &good)?)),
        }
    }

    /// Ends the scan for a record that cannot be read, or writes a line into the owner's log.
    fn report(&self, file: &SourceFile, first: u64, bad: &BadRecord) -> DfResult<()> {
        let dataset = &self.source.files.dataset;
        let (file, record) = (file.path.display(), first + bad.record as u64 + 1);
        let (column, reason) = (bad.column.as_deref().unwrap_or("-"), &bad.reason);
        match self.source.files.bad_records {
            BadRecords::Skip => {
                tracing::debug!(%dataset, %file, record, column, %reason, "a record cannot be read");
                Ok(())
            }
            BadRecords::Reject => {
                tracing::warn!(%dataset, %file, record, column, %reason, "a record cannot be read");
                Err(SourceFault::BadRecord.in_engine(dataset))
            }
        }
    }
}

impl Position {
    /// Cuts the next block, opening the next file where one has ended. Blocks on the disk. A fault is final.
    fn advance(&mut self, source: &RecordSource) -> Result<Option<Cut>, SourceFault> {
        if let Some(fault) = &self.failed {
            return Err(fault.clone());
        }
        let cut = self.cut(source);
        self.failed = cut.as_ref().err().cloned();
        cut
    }

    fn cut(&mut self, source: &RecordSource) -> Result<Option<Cut>, SourceFault> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(file) = self.files.pop_front() else { return Ok(None) };
                self.open = OpenFile::open(source, file)?;
                continue;
            };
            let block = open.text.next_block().map_err(|fault| source.fault(&open.file, fault))?;
            match block {
                Some(block) => return Ok(Some((block, open.text.decoder(), open.file.clone()))),
                None => self.open = None,
            }
        }
    }
}

impl OpenFile {
    /// Opens a file and reads its beginning. `None` for a file without a record, if it needs none to name its columns.
    fn open(source: &RecordSource, file: SourceFile) -> Result<Option<Self>, SourceFault> {
        let input = source.files.open(&file)?;
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let opened = TextFile::open(input, &name, &source.columns, source.format, &source.text);
        let text = opened.map_err(|fault| source.fault(&file, fault))?;
        Ok(text.map(|text| Self { file, text }))
    }
}
