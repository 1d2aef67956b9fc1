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
use wanqu_model::bundle::{BadRecords, SourceSpec};
use wanqu_model::names::TableRef;
use wanqu_model::refusal::Refusal;

use super::Source;
use super::fault::SourceFault;
use super::path::{self, Fingerprint, SourceFile};
use super::schema::source_schema;
use super::split::{BLOCK_RECORDS, Block, Blocks, Boundary};

/// What differs between the formats of text records.
pub trait RecordFormat: fmt::Debug + Send + Sync {
    /// The format's name, for logs.
    fn name(&self) -> &'static str;
    /// What files of a folder end in.
    fn extensions(&self) -> &'static [&'static str];
    /// Where records end.
    fn boundary(&self) -> Boundary;
    /// How many records at the beginning of a file are no data.
    fn header_records(&self) -> usize;
    /// The decoder for one file. `head` is its header, or its first block where there is no header.
    fn decoder(&self, declared: &SchemaRef, head: &Block) -> Result<Arc<dyn BlockDecoder>, SourceFault>;
}

/// Decodes whole records into the declared columns.
pub trait BlockDecoder: fmt::Debug + Send + Sync {
    /// All of them, or an error if any one cannot be read. `None` where there is nothing but empty lines.
    fn decode(&self, bytes: &[u8], records: usize) -> Result<Option<RecordBatch>, ArrowError>;
}

/// A dataset in files of text records.
#[derive(Debug, Clone)]
pub struct RecordSource {
    dataset: TableRef,
    root: String,
    path: String,
    schema: SchemaRef,
    bad_records: BadRecords,
    format: Arc<dyn RecordFormat>,
    skipped: Arc<AtomicU64>,
}

impl RecordSource {
    /// As the manifest says.
    pub fn new(spec: &SourceSpec, format: Arc<dyn RecordFormat>) -> Self {
        Self {
            dataset: spec.table.clone(),
            root: spec.root.clone(),
            path: spec.path.clone(),
            schema: source_schema(&spec.columns),
            bad_records: spec.bad_records,
            format,
            skipped: Arc::default(),
        }
    }

    fn files(&self) -> Result<Vec<SourceFile>, SourceFault> {
        path::files(&self.root, &self.path, self.format.extensions())
    }
}

impl Source for RecordSource {
    fn table(&self) -> Arc<dyn TableProvider> {
        Arc::new(self.clone())
    }

    fn fingerprint(&self) -> Result<Fingerprint, Refusal> {
        self.files().map(|files| Fingerprint::of(&files)).map_err(|fault| fault.refusal(&self.dataset))
    }

    fn skipped_records(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
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
        let files = self.files().map_err(|fault| fault.in_engine(&self.dataset))?;
        Ok(Arc::new(RecordsExec::new(self.clone(), files, projection.cloned(), state.config().target_partitions())?))
    }
}

/// One scan. Its partitions take blocks from one reader, so that a single file keeps all cores busy.
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

/// The files of one scan, as far as they are read.
#[derive(Debug)]
struct Reading {
    source: RecordSource,
    position: Arc<Mutex<Position>>,
    skipped: AtomicU64,
}

#[derive(Debug)]
struct Position {
    files: VecDeque<SourceFile>,
    open: Option<OpenFile>,
    failed: Option<SourceFault>,
}

/// A block, what decodes it, and the file it is from.
type Cut = (Block, Arc<dyn BlockDecoder>, SourceFile);

struct OpenFile {
    file: SourceFile,
    blocks: Blocks<File>,
    decoder: Arc<dyn BlockDecoder>,
    /// The first block, where the decoder had to look at it.
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
        Self { source, position: Arc::new(Mutex::new(position)), skipped: AtomicU64::new(0) }
    }

    /// The next decoded block, whichever partition asks.
    async fn next_batch(&self) -> DfResult<Option<RecordBatch>> {
        while let Some((block, decoder, file)) = self.next_block().await? {
            if let Some(batch) = self.decode(&block, decoder.as_ref(), &file)? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    async fn next_block(&self) -> DfResult<Option<Cut>> {
        let (source, position) = (self.source.clone(), Arc::clone(&self.position));
        let advanced = tokio::task::spawn_blocking(move || position.lock().advance(&source)).await;
        match advanced.unwrap_or(Err(SourceFault::Unreadable)) {
            Ok(None) => {
                self.source.skipped.store(self.skipped.load(Ordering::Relaxed), Ordering::Relaxed);
                Ok(None)
            }
            Ok(cut) => Ok(cut),
            Err(fault) => Err(fault.in_engine(&self.source.dataset)),
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
        self.skipped.fetch_add(bad, Ordering::Relaxed);
        tracing::warn!(dataset = %self.source.dataset, file = %file.path.display(), records = bad, "records left out");
        match good.first() {
            None => Ok(None),
            Some(first) => Ok(Some(concat_batches(&first.schema(), &good)?)),
        }
    }

    /// A record that cannot be read: the end of the scan, or a line in the owner's log.
    fn report(&self, file: &SourceFile, record: u64) -> DfResult<()> {
        let dataset = &self.source.dataset;
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
                    tracing::warn!(dataset = %source.dataset, %file, %error, "a file cannot be read");
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
        let dataset = &source.dataset;
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
