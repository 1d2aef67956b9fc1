//! Text files of records, CSV and NDJSON, as Arrow batches: whatever encoding, compression and syntax the manifest declares.
//!
//! ```text
//! bytes ─▶ input      decompressed, and decoded to UTF-8
//!       ─▶ split      blocks of whole records, not decoded
//!       ─▶ csv, json  the fields of a record; places: which of CSV's are the declared columns; header: whether a line has
//!                     names or data
//!       ─▶ values     a field's text as its declared type, or a reason why not
//!       ─▶ file       one file put together: its blocks, and a decoder for them
//! ```
//!
//! Nothing is guessed, cut or rounded: a value is read exactly, or the record is bad. What a file shows of a declaration that
//! is missing (an encoding, a separator, lines above the header) is a [`Fault`] that names the setting to write.

mod columns;
mod csv;
mod fault;
mod file;
mod guess;
mod header;
mod input;
mod json;
mod places;
mod split;
mod values;

pub use columns::Columns;
pub use fault::{BadRecord, DecodeError, Fault, Reason};
pub use file::{Decoder, TextFile, TextFormat};
pub use split::{BLOCK_RECORDS, Block};
