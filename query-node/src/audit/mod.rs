//! The owner's audit log: what was released and refused, to whom, why, and by which rule.
//!
//! One folder, one file, one JSON object a line:
//!
//! ```text
//! {"digest":"<SHA-256 of the record>","record":{"entry":{…},"previous":"<digest before>","sequence":7,"time":"…"}}
//! ```
//!
//! Entries are numbered from 1 without gaps, and each holds the digest of the one before it (the idea of RFC 9162, as a
//! plain chain), so that nothing before the last entry can be changed, taken out or put in unnoticed. The digest is in
//! the report of the release, so whoever asked can hold the owner to its last entry too.
//!
//! [`Log::append`] returns when the entry is on the disk. If it cannot be written, nothing may be released.

mod entry;
mod error;
mod flood;
mod log;
mod medium;
mod read;
mod record;

pub use entry::{Asked, Entry, Event};
pub use error::AuditError;
pub use flood::Floods;
pub use log::{Log, Receipt, Recovery};
pub use read::{Filter, Verified, read, verify};
pub use record::Record;

#[cfg(test)]
mod tests;
