//! Metrics of a node: numbers of questions, fragments, bytes and reloads, and how long they took. Nothing of the data, of a
//! question's text or of a person is in them.

mod in_flight;
mod metrics;

pub use in_flight::InFlight;
pub use metrics::{Door, Metrics};
