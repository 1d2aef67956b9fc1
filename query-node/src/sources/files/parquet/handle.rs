//! Reading Parquet files by the handles below their root: the engine's own readers would open them by name.

use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use parquet::arrow::async_reader::AsyncFileReader;
use tokio::sync::OnceCell;

use crate::sources::SourceFault;
use crate::sources::files::Files;
use crate::sources::files::beneath::{Problem, SourceFile};

/// Name of the store in errors, which never reach anybody who asks.
const STORE: &str = "files below a root";

/// Most bytes of a file that are read at once. A footer may claim any number, and a file of holes has as many.
const LONGEST: u64 = 1 << 31;

/// Makes readers of the files of one dataset. A part of a scan has its [`SourceFile`] among its extensions.
#[derive(Debug)]
pub struct ByHandle {
    files: Files,
    footers: Arc<FileMetadataCache>,
}

impl ByHandle {
    /// Returns the factory of a scan, with the engine's cache of footers.
    pub fn new(files: Files, footers: Arc<FileMetadataCache>) -> Self {
        Self { files, footers }
    }
}

impl ParquetFileReaderFactory for ByHandle {
    fn create_reader(
        &self,
        partition: usize,
        part: PartitionedFile,
        footer_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> DfResult<Box<dyn AsyncFileReader + Send>> {
        let Some(file) = part.extensions.get::<SourceFile>().cloned() else {
            return Err(DataFusionError::Internal("a part of a scan has no file".to_owned()));
        };
        let meta = part.object_meta.clone();
        let store = Arc::new(OneFile { files: self.files.clone(), file, meta, handle: OnceCell::new() });
        let readers = CachedParquetFileReaderFactory::new(store, Arc::clone(&self.footers));
        readers.create_reader(partition, part, footer_hint, metrics)
    }
}

/// Store of one file, which can only be read. It is opened when it is first read.
#[derive(Debug)]
struct OneFile {
    files: Files,
    file: SourceFile,
    meta: ObjectMeta,
    handle: OnceCell<Arc<File>>,
}

impl fmt::Display for OneFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

impl OneFile {
    async fn handle(&self) -> StoreResult<Arc<File>> {
        let opened = self.handle.get_or_try_init(|| async {
            let (files, file) = (self.files.clone(), self.file.clone());
            let opened = tokio::task::spawn_blocking(move || files.open(&file)).await;
            let opened = opened.unwrap_or(Err(SourceFault::Unreadable));
            opened.map(Arc::new).map_err(|fault| fault.refusal(&self.files.dataset))
        });
        opened.await.cloned().map_err(|refusal| generic(Box::new(refusal)))
    }
}

fn generic(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::Generic { store: STORE, source }
}

fn read_range(handle: &File, range: &Range<u64>) -> std::io::Result<Bytes> {
    let length = range.end.saturating_sub(range.start);
    if length > LONGEST {
        return Err(std::io::Error::other("its footer asks for more than 2 GiB at once: write smaller row groups"));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    handle.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes.into())
}

#[async_trait]
impl ObjectStore for OneFile {
    async fn get_opts(&self, _: &ObjectPath, options: GetOptions) -> StoreResult<GetResult> {
        let meta = self.meta.clone();
        options.check_preconditions(&meta)?;
        let range = match options.range {
            Some(range) => range.as_range(meta.size).map_err(|error| generic(Box::new(error)))?,
            None => 0..meta.size,
        };
        let bytes = if options.head {
            Vec::new()
        } else {
            self.get_ranges(&meta.location, std::slice::from_ref(&range)).await?
        };
        let payload = GetResultPayload::Stream(stream::iter(bytes).map(Ok).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    async fn get_ranges(&self, _: &ObjectPath, ranges: &[Range<u64>]) -> StoreResult<Vec<Bytes>> {
        let (handle, ranges, size) = (self.handle().await?, ranges.to_vec(), self.meta.size);
        let read = tokio::task::spawn_blocking(move || {
            let inside = |range: &Range<u64>| range.start.min(size)..range.end.min(size);
            ranges.iter().map(|range| read_range(&handle, &inside(range))).collect::<std::io::Result<_>>()
        });
        read.await.unwrap_or_else(|panicked| Err(panicked.into())).map_err(|error| {
            let problem = Problem::new(SourceFault::Unreadable, self.file.path.clone(), error);
            generic(Box::new(self.files.fault(&problem).refusal(&self.files.dataset)))
        })
    }

    async fn put_opts(&self, _: &ObjectPath, _: PutPayload, _: PutOptions) -> StoreResult<PutResult> {
        Err(not_there("put"))
    }

    async fn put_multipart_opts(
        &self,
        _: &ObjectPath,
        _: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        Err(not_there("put"))
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, StoreResult<ObjectPath>>,
    ) -> BoxStream<'static, StoreResult<ObjectPath>> {
        stream::once(async { Err(not_there("delete")) }).boxed()
    }

    fn list(&self, _: Option<&ObjectPath>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        stream::once(async { Err(not_there("list")) }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&ObjectPath>) -> StoreResult<ListResult> {
        Err(not_there("list"))
    }

    async fn copy_opts(&self, _: &ObjectPath, _: &ObjectPath, _: CopyOptions) -> StoreResult<()> {
        Err(not_there("copy"))
    }
}

fn not_there(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: STORE.to_owned() }
}
