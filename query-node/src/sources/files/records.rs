//! Files of text records, CSV and NDJSON: cut into blocks, decoded a block at a time, and record by record only where a
//! block cannot be decoded.
//!
//! ```text
//! file ─▶ Blocks (whole records, one reader) ─▶ partition 0: decode ─▶ batches
//!                                            ─▶ partition 1: decode ─▶ batches
//! ```
//!
//! Every declared column is decoded in every pass, even those that a query does not ask for. Whether a record can be read
//! must not depend on the query: otherwise two passes of one query would see different records.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
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
use wanqu_model::bundle::{BadRecords, FilesSpec, SourceSpec};

use super::path::SourceFile;
use super::split::{BLOCK_RECORDS, Block, Blocks, Boundary};
use super::{Files, LeftOut};
use crate::sources::schema::source_schema;
use crate::sources::{Fingerprint, Source, SourceFault};
use wanqu_model::refusal::Refusal;

/// Format of text records.
pub trait RecordFormat: fmt::Debug + Send + Sync {
    /// Returns the name of the format, for logs.
    fn name(&self) -> &'static str;
    /// Returns the endings of the names of a folder's files.
    fn extensions(&self) -> &'static [&'static str];
    /// Returns where records end.
    fn boundary(&self) -> Boundary;
    /// Returns the number of records at the beginning of a file that are no data.
    fn header_records(&self) -> usize;
    /// Returns the decoder for one file. `head` is its header, or its first block where there is no header.
    ///
    /// # Errors
    /// The fault of the file, if it cannot hold the declared columns.
    fn decoder(&self, declared: &SchemaRef, head: &Block) -> Result<Arc<dyn BlockDecoder>, SourceFault>;
}

/// Decodes whole records into the declared columns.
pub trait BlockDecoder: fmt::Debug + Send + Sync {
    /// Decodes all of them; `None` where there is nothing but empty lines.
    ///
    /// # Errors
    /// If any one cannot be read. The error can quote a value.
    fn decode(&self, bytes: &[u8], records: usize) -> Result<Option<RecordBatch>, ArrowError>;
}

/// Dataset in files of text records.
#[derive(Debug, Clone)]
pub struct RecordSource {
    files: Files,
    schema: SchemaRef,
    bad_records: BadRecords,
    format: Arc<dyn RecordFormat>,
    left_out: LeftOut,
    /// Files whose beginnings fit the declared columns, as they were when that was seen.
    checked: Arc<Mutex<Vec<SourceFile>>>,
}

impl RecordSource {
    /// Returns the source that a bundle describes.
    pub fn new(spec: &SourceSpec, files: &FilesSpec, format: Arc<dyn RecordFormat>) -> Self {
        Self {
            files: Files::new(spec, files, format.extensions()),
            schema: source_schema(&spec.columns),
            bad_records: files.bad_records,
            format,
            left_out: LeftOut::default(),
            checked: Arc::default(),
        }
    }
}

#[async_trait]
impl Source for RecordSource {
    fn table(&self) -> Arc<dyn TableProvider> {
        Arc::new(self.clone())
    }

    async fn fingerprint(&self) -> Result<Fingerprint, Refusal> {
        self.files.fingerprint().await
    }

    async fn check(&self) -> Result<(), SourceFault> {
        let files = self.files.list().await?;
        if *self.checked.lock() == files {
            return Ok(());
        }
        let source = self.clone();
        let checked = tokio::task::spawn_blocking(move || {
            for file in &files {
                OpenFile::open(&source, file.clone())?;
            }
            *source.checked.lock() = files;
            Ok(())
        });
        checked.await.unwrap_or(Err(SourceFault::Unreadable))
    }

    fn approximate_bytes(&self) -> u64 {
        self.files.approximate_bytes()
    }

    fn skipped_records(&self) -> Option<u64> {
        self.left_out.known()
    }

    fn skips_records(&self) -> bool {
        self.bad_records == BadRecords::Skip
    }
}

#[async_trait]
impl TableProvider for RecordSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
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
            Some(columns) => Arc::new(source.schema.project(columns)?),
            None => Arc::clone(&source.schema),
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
        write!(f, "RecordsExec: format={}, files={}", self.source.format.name(), self.files.len())
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
    /// Blocks that were cut and are not decoded yet, or were dropped before.
    undecoded: AtomicU64,
}

#[derive(Debug)]
struct Position {
    files: VecDeque<SourceFile>,
    open: Option<OpenFile>,
    failed: Option<SourceFault>,
}

/// Block, its decoder, and the file that it is from.
type Cut = (Block, Arc<dyn BlockDecoder>, SourceFile);

struct OpenFile {
    file: SourceFile,
    blocks: Blocks<File>,
    decoder: Arc<dyn BlockDecoder>,
    /// First block, where the decoder had to look at it.
    looked_at: Option<Block>,
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("file", &self.file.path).finish_non_exhaustive()
    }
}

impl Reading {
    fn new(source: RecordSource, files: &[SourceFile]) -> Self {
        let position = Position { files: files.iter().cloned().collect(), open: None, failed: None };
        source.left_out.begin(files);
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
        let advanced = tokio::task::spawn_blocking(move || position.lock().advance(&source)).await;
        match advanced.unwrap_or(Err(SourceFault::Unreadable)) {
            Ok(None) => {
                // The last of the partitions that end finds all decoded; none does if one of them was dropped.
                if self.undecoded.load(Ordering::Acquire) == 0 {
                    self.source.left_out.end(&self.files, self.skipped.load(Ordering::Acquire));
                }
                Ok(None)
            }
            Ok(cut) => {
                self.undecoded.fetch_add(1, Ordering::AcqRel);
                Ok(cut)
            }
            Err(fault) => Err(fault.in_engine(&self.source.files.dataset)),
        }
    }

    /// Decodes a block; where that fails, its records in halves, until the bad ones are found.
    fn decode(&self, block: &Block, decoder: &dyn BlockDecoder, file: &SourceFile) -> DfResult<Option<RecordBatch>> {
        if let Ok(batch) = decoder.decode(&block.bytes, block.ends.len()) {
            return Ok(batch);
        }
        let mut good = Vec::new();
        let mut bad = 0_u64;
        let mut ranges = vec![(0, block.ends.len())];
        while let Some((from, to)) = ranges.pop() {
            match decoder.decode(block.records(from, to), to - from) {
                Ok(batch) => good.extend(batch),
                Err(_) if to - from > 1 => {
                    let middle = from + (to - from) / 2;
                    ranges.push((middle, to));
                    ranges.push((from, middle));
                }
                Err(_) => {
                    bad += 1;
                    self.report(file, block.first + from as u64)?;
                }
            }
        }
        self.skipped.fetch_add(bad, Ordering::AcqRel);
        tracing::warn!(dataset = %self.source.files.dataset, file = %file.path.display(), records = bad, "records left out");
        match good.first() {
            None => Ok(None),
            Some(first) => Ok(Some(concat_batches(&first.schema(), &good)?)),
        }
    }

    /// Ends the scan for a record that cannot be read, or writes a line into the owner's log.
    fn report(&self, file: &SourceFile, record: u64) -> DfResult<()> {
        let dataset = &self.source.files.dataset;
        match self.source.bad_records {
            BadRecords::Skip => {
                tracing::debug!(%dataset, file = %file.path.display(), record, "a record cannot be read");
                Ok(())
            }
            BadRecords::Reject => {
                tracing::warn!(%dataset, file = %file.path.display(), record, "a record cannot be read");
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
            let block = match open.looked_at.take() {
                Some(block) => Some(block),
                None => open.blocks.next_block(BLOCK_RECORDS).map_err(|error| {
                    let file = open.file.path.display();
                    tracing::warn!(dataset = %source.files.dataset, %file, %error, "a file cannot be read");
                    SourceFault::Unreadable
                })?,
            };
            match block {
                Some(block) => return Ok(Some((block, Arc::clone(&open.decoder), open.file.clone()))),
                None => self.open = None,
            }
        }
    }
}

impl OpenFile {
    /// Opens a file and reads its header. `None` for an NDJSON file without a record.
    fn open(source: &RecordSource, file: SourceFile) -> Result<Option<Self>, SourceFault> {
        let dataset = &source.files.dataset;
        let unreadable = |error: &dyn fmt::Display| {
            tracing::warn!(%dataset, file = %file.path.display(), %error, "a file cannot be read");
            SourceFault::Unreadable
        };
        let input = File::open(&file.path).map_err(|error| unreadable(&error))?;
        let mut blocks = Blocks::new(input, source.format.boundary()).map_err(|error| unreadable(&error))?;
        let header = source.format.header_records();
        let most = if header > 0 { header } else { BLOCK_RECORDS };
        let Some(head) = blocks.next_block(most).map_err(|error| unreadable(&error))? else {
            return if header > 0 { Err(unreadable(&"the header is missing")) } else { Ok(None) };
        };
        let decoder = source.format.decoder(&source.schema, &head).map_err(|fault| {
            tracing::warn!(%dataset, file = %file.path.display(), %fault, "a source does not fit its manifest");
            fault
        })?;
        let looked_at = (header == 0).then_some(head);
        Ok(Some(Self { file, blocks, decoder, looked_at }))
    }
}
