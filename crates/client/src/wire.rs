//! Messages that carry no rows, and how large any message may be: the same at the border and at the gateway.

use arrow_flight::FlightData;
use serde::Serialize;
use tonic::Status;

use crate::status::{internal, to_status};

/// The largest message that is taken, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// A message that carries no rows, only a value as JSON beside them.
pub fn note(value: &impl Serialize) -> Result<FlightData, Status> {
    let json = serde_json::to_vec(value).map_err(|_| to_status(internal()))?;
    Ok(FlightData { app_metadata: json.into(), ..FlightData::default() })
}

/// Whether a message is a [`note`].
#[must_use]
pub fn is_note(data: &FlightData) -> bool {
    data.data_header.is_empty() && data.data_body.is_empty()
}
