//! Batches as Flight messages, the same at the border and at the gateway.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt, stream};
use tonic::Status;
use wanqu_client::decode::MAX_ROWS_WITHOUT_BYTES;
use wanqu_client::status::{internal, to_status};
use wanqu_client::wire::MAX_MESSAGE;
use wanqu_model::refusal::Refusal;

use super::clear::{bare_schema, cleared};

/// Size that messages are split to, in bytes; a single row may be larger.
const TARGET_MESSAGE: usize = 2 * 1024 * 1024;

/// Encodes a schema and rows as messages, which hold nothing but the visible values.
pub(crate) fn encode<S>(
    schema: &SchemaRef,
    batches: S,
) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static + use<S>
where
    S: Stream<Item = Result<RecordBatch, Refusal>> + Send + 'static,
{
    let schema = bare_schema(schema);
    let bare = Arc::clone(&schema);
    let clean = batches.flat_map(move |batch| {
        let pieces = batch.and_then(|batch| pieces(&batch, &bare)).map_or_else(
            |refusal| vec![Err(FlightError::from(to_status(refusal)))],
            |pieces| pieces.into_iter().map(Ok).collect(),
        );
        stream::iter(pieces)
    });
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        // The pieces are small already; splitting them again would send a view array's buffers with every part.
        .with_max_flight_data_size(MAX_MESSAGE)
        .build(clean)
        .map(|message| {
            message.map_err(|error| match error {
                FlightError::Tonic(status) => *status,
                error => {
                    tracing::error!(%error, "a batch could not be encoded");
                    to_status(internal())
                }
            })
        })
}

/// Splits a batch into pieces of about the target size, each rebuilt from its visible values.
fn pieces(batch: &RecordBatch, schema: &SchemaRef) -> Result<Vec<RecordBatch>, Refusal> {
    let clear = |batch: &RecordBatch| {
        cleared(batch, schema).map_err(|error| {
            tracing::error!(%error, "a batch could not be rebuilt");
            internal()
        })
    };
    let whole = clear(batch)?;
    let size: usize = whole.columns().iter().map(|column| column.get_buffer_memory_size()).sum();
    // Rows of NULLs alone take no byte; a reader takes only so many of those in one message.
    let parts = size.div_ceil(TARGET_MESSAGE).max(whole.num_rows().div_ceil(MAX_ROWS_WITHOUT_BYTES));
    if parts <= 1 || whole.num_rows() <= 1 {
        return Ok(vec![whole]);
    }
    let step = whole.num_rows().div_ceil(parts);
    (0..whole.num_rows()).step_by(step).map(|at| clear(&whole.slice(at, step.min(whole.num_rows() - at)))).collect()
}
