//! One JSON object a line. A field that a record does not have is NULL.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use memchr::memmem;

use super::records::{BlockDecoder, RecordFormat};
use super::split::{BLOCK_RECORDS, Block, Boundary};
use crate::sources::SourceFault;

/// NDJSON.
#[derive(Debug)]
pub struct Ndjson;

impl RecordFormat for Ndjson {
    fn name(&self) -> &'static str {
        "NDJSON"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["ndjson", "jsonl", "json"]
    }

    fn boundary(&self) -> Boundary {
        Boundary::Line
    }

    fn header_records(&self) -> usize {
        0
    }

    fn decoder(&self, declared: &SchemaRef, head: &Block) -> Result<Arc<dyn BlockDecoder>, SourceFault> {
        // A field may be left out where it is NULL. One that no record of the first block mentions is more likely a
        // mistake in the manifest, which would otherwise look like a column of NULLs.
        if head.ends.len() == BLOCK_RECORDS {
            for field in declared.fields() {
                let mention = serde_json::to_string(field.name()).map_err(|_| SourceFault::Unreadable)?;
                if memmem::find(&head.bytes, mention.as_bytes()).is_none() {
                    return Err(SourceFault::MissingColumn(field.name().clone()));
                }
            }
        }
        Ok(Arc::new(JsonDecoder { schema: Arc::clone(declared) }))
    }
}

#[derive(Debug)]
struct JsonDecoder {
    schema: SchemaRef,
}

impl BlockDecoder for JsonDecoder {
    fn decode(&self, bytes: &[u8], records: usize) -> Result<Option<RecordBatch>, ArrowError> {
        let mut decoder = ReaderBuilder::new(Arc::clone(&self.schema)).with_batch_size(records + 1).build_decoder()?;
        let read = decoder.decode(bytes)?;
        if read < bytes.len() {
            // More objects than lines: at least one line holds two.
            return Err(ArrowError::JsonError("more than one object in a line".to_owned()));
        }
        let batch = decoder.flush()?;
        match batch {
            Some(batch) if batch.num_rows() > records => {
                Err(ArrowError::JsonError("more than one object in a line".to_owned()))
            }
            other => Ok(other),
        }
    }
}
