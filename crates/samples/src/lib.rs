//! Synthetic sample data for three jurisdictions, and the manifests that describe it.
//!
//! Nobody in it exists. [`ensure`] writes one folder for each city, in the city's own format, with its own column names,
//! codes, units, dates and scripts, so that a query over all three has to harmonise them; the manifests that say how are
//! in `examples/gba` and in [`manifests`]. The same [`Options`] always give the same bytes.
//!
//! ```text
//! shenzhen/   Parquet   ICD-10       CNY   simplified Chinese     resident identity numbers
//! hongkong/   CSV       ICD-9-CM     HKD   traditional Chinese    identity card numbers
//! macau/      NDJSON    ICD-10       MOP   Portuguese             resident card numbers
//! ```
//!
//! A few cells are planted: fewer people than any rule would release ([`planted`]). On request so are canaries
//! ([`canary`]): values that a test can look for on a wire that no raw value may cross.

#![forbid(unsafe_code)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "what is narrowed here was drawn below a bound, or counts what three cities have"
)]

pub mod air;
pub mod calendar;
pub mod canary;
mod canary_values;
pub mod city;
pub mod codes;
mod error;
pub mod ids;
mod manifest;
mod options;
pub mod people;
pub mod places;
pub mod planted;
pub mod random;
pub mod rates;
mod store;
mod text;
pub mod visits;
mod volume;
mod write;

pub use canary_values::{canaries, canary_amounts};
pub use error::Error;
pub use manifest::{manifests, write_manifests};
pub use options::{Options, Progress};
pub use store::{ensure, generate};
pub use volume::ensure_city;
