//! The owner's audit log: what was released and refused, to whom, why, and by which rule; and when the node could not use or
//! read its bundle.
//!
//! A log is one folder of segments, files of one JSON object a line:
//!
//! ```text
//! audit.ndjson          the open segment: entries are added to it
//! audit-000001.ndjson   sealed segments: full, read-only; they may be moved away
//! audit-000002.ndjson
//!
//! {"digest":"<SHA-256>","head":{"previous":"<digest before>","segment":3,"sequence":6}}
//! {"digest":"<SHA-256>","record":{"entry":{…},"nonce":"<256 bits>","previous":"<digest before>","sequence":7,"time":"…"}}
//! {"digest":"<SHA-256>","seal":{"entries":1,"previous":"<digest before>","segment":3,"sequence":7,"time":"…"}}
//! ```
//!
//! Entries are numbered from 1 without gaps through all segments, and each line holds the digest of the line before it
//! (the idea of RFC 9162, as a plain chain), so that nothing before the last entry can be changed, taken out or put in
//! unnoticed. The digest of an entry is in the report of its release, so whoever asked can hold the owner to its last
//! entry too. The secret nonce keeps that digest from telling what else is in the entry; entries from before there was one
//! are verified without. A segment that is full ends with a seal, and the next begins with a head that holds the seal's digest; the
//! first segment has no head.
//!
//! Whoever holds the disk can still cut the end, or write all of it anew. So members hold each other's
//! [`Checkpoint`](wanqu_model::receipt::Checkpoint)s, and researchers the [`Receipt`](wanqu_model::receipt::Receipt)s of their releases.
//!
//! [`Log::append`] returns when the entry is on the disk. If it cannot be written, nothing may be released. Opening a log
//! verifies the open segment and the seal before it, however long the history is; [`verify`] checks everything.

mod chain;
mod entry;
mod error;
mod folder;
mod line;
mod log;
mod nonce;
mod open;
mod read;
mod repeated;
mod segments;
mod settings;
mod tail;
mod walk;

pub use entry::{BundleStanding, CutText, Entry, Event, FragmentRequest};
pub use error::AuditError;
pub use line::Record;
pub use log::{Appended, Log, Recovery};
pub use nonce::Nonce;
pub use read::{Entries, Expected, Filter, Verified, entries, log_id, read, verify, verify_holds};
pub use repeated::RepeatedRefusals;
pub use settings::AuditSettings;

#[cfg(test)]
mod tests;
