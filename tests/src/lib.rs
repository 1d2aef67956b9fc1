//! Tools of the end-to-end suites: worlds of test data, an oracle over all of it, comparison of answers, attacks, and
//! recorders of what crosses and what is logged.

#![allow(
    clippy::too_many_lines,
    clippy::type_complexity,
    reason = "lists of attacks and tables of cases are long, and not better in pieces"
)]
#![allow(clippy::must_use_candidate, clippy::format_collect, reason = "called by tests alone")]
#![allow(clippy::explicit_auto_deref, reason = "without the dereference the types of random choices do not match")]

pub mod architecture;
pub mod attacks;
pub mod bench;
pub mod check;
pub mod clients;
pub mod columns;
pub mod compare;
pub mod constructs;
pub mod duck;
pub mod edges;
pub mod federation;
pub mod files;
pub mod fuzzed;
pub mod go;
pub mod grammar;
pub mod health;
pub mod idle;
pub mod impostor;
pub mod java;
pub mod logs;
pub mod made;
pub mod oracle;
pub mod package;
pub mod python;
pub mod relay;
pub mod slt;
pub mod strangers;
pub mod tap;
pub mod threats;
pub mod tpch;
pub mod villains;
pub mod watch;
pub mod world;
