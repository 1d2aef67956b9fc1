//! Rows from elsewhere, decoded only after their message has been found to fit itself.
//!
//! ```text
//! message ─▶ head      flatbuffer: size, depth, shared parts; the kind of message
//!         ─▶ described columns: widths, units and children that there are
//!         ─▶ layout    nodes, buffers and lengths against the columns and the body
//!         ─▶ arrow     every allocation is now at most as large as the message
//! ```
//!
//! A decoder that believes what a message says of itself allocates what it says: a batch of some bytes can claim to be
//! 2^60 bytes when decompressed, and a failed allocation ends the process. So nothing is decoded that is compressed, refers to
//! dictionaries, names a byte of its body twice, or has more rows than its bytes can hold. Nodes send none of that.

mod described;
mod head;
mod layout;
mod stream;
#[cfg(test)]
mod tests;
mod types;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::RecordBatchDecoder;
use arrow_flight::FlightData;

use head::Head;

pub use stream::ipc_stream;

/// Greatest number of rows of a message beyond those that its bytes can hold: rows of NULLs alone take no byte.
pub const MAX_ROWS_WITHOUT_BYTES: usize = 65_536;

/// A message that cannot be read, with the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub(crate) &'static str);

impl Unreadable {
    /// Returns the reason: a fixed text, of which nothing comes from the message.
    #[must_use]
    pub fn reason(self) -> &'static str {
        self.0
    }
}

/// Returns the columns that a message announces.
///
/// # Errors
/// If the message is none of columns, or has types that nodes do not send.
pub fn columns(message: &FlightData) -> Result<Schema, Unreadable> {
    guarded(|| {
        let head = Head::read(&message.data_header)?;
        let columns = head.columns()?;
        described::described(columns)?;
        let schema = arrow::ipc::convert::fb_to_schema(columns);
        types::known(&schema)?;
        Ok(schema)
    })
}

/// Returns the rows in a message, which are of these columns.
///
/// # Errors
/// If the message is none of rows, does not fit the columns, or claims more than it holds.
pub fn rows(message: &FlightData, columns: &SchemaRef) -> Result<RecordBatch, Unreadable> {
    guarded(|| {
        let head = Head::read(&message.data_header)?;
        let batch = head.rows(message.data_body.len())?;
        layout::fits(&batch, columns, message.data_body.len())?;
        // The values of an array must lie where a value of their type may: one copy of the whole is cheaper than one of
        // each column.
        let body = if message.data_body.as_ptr().addr().is_multiple_of(64) {
            Buffer::from(message.data_body.clone())
        } else {
            Buffer::from(message.data_body.as_ref())
        };
        RecordBatchDecoder::try_new(&body, batch, Arc::clone(columns), &HashMap::new(), &head.version())
            .and_then(RecordBatchDecoder::read_record_batch)
            .map_err(|_| Unreadable("values of a message do not fit its columns"))
    })
}

/// Runs a decoder. Bytes from elsewhere must not bring a program down, whatever the decoder thinks of them.
fn guarded<T>(decode: impl FnOnce() -> Result<T, Unreadable>) -> Result<T, Unreadable> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(Unreadable("the decoder gave up on a message")))
}
