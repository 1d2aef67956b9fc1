//! Messages in a row, as a file or a `ConfigMap` holds them: Arrow's IPC stream.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;

use super::head::Head;
use super::{Unreadable, columns, rows};

/// Mark before the length of a head.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Returns the columns and the rows of an IPC stream.
///
/// # Errors
/// If it does not begin with its columns, is cut off, or has a message that cannot be read.
pub fn ipc_stream(mut bytes: &[u8]) -> Result<(SchemaRef, Vec<RecordBatch>), Unreadable> {
    let first = next(&mut bytes)?.ok_or(Unreadable("a stream is empty"))?;
    let schema = Arc::new(columns(&first)?);
    let mut batches = Vec::new();
    while let Some(message) = next(&mut bytes)? {
        batches.push(rows(&message, &schema)?);
    }
    Ok((schema, batches))
}

/// Takes the next message; `None` at the end of the stream.
fn next(bytes: &mut &[u8]) -> Result<Option<FlightData>, Unreadable> {
    const CUT: Unreadable = Unreadable("a stream is cut off");
    if bytes.is_empty() {
        return Ok(None);
    }
    let mark = bytes.split_off(..4).ok_or(CUT)?;
    if mark != CONTINUATION {
        return Err(Unreadable("a stream has something else than messages"));
    }
    let length = bytes.split_off(..4).and_then(|length| length.try_into().ok()).map(i32::from_le_bytes).ok_or(CUT)?;
    if length == 0 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| Unreadable("a message has a head of a negative length"))?;
    let head = bytes.split_off(..length).ok_or(CUT)?;
    let body = Head::read(head)?.body_length()?;
    let body = bytes.split_off(..body).ok_or(CUT)?;
    Ok(Some(FlightData { data_header: head.to_vec().into(), data_body: body.to_vec().into(), ..FlightData::default() }))
}
