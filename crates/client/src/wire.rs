//! Messages without rows, and the greatest size of a message: the same at the exchange and at the gateway.

use arrow_flight::FlightData;
use serde::Serialize;
use tonic::Status;

use crate::status::{internal, to_status};

/// Greatest size of a message, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Returns a message without rows that carries a value as JSON.
pub fn note(value: &impl Serialize) -> Result<FlightData, Status> {
    let json = serde_json::to_vec(value).map_err(|_| to_status(internal()))?;
    Ok(FlightData { app_metadata: json.into(), ..FlightData::default() })
}

/// Returns true if a message is a [`note`].
#[must_use]
pub fn is_note(data: &FlightData) -> bool {
    data.data_header.is_empty() && data.data_body.is_empty()
}
