//! `wanqu`: the command line. It starts a local federation, and asks one that runs.

pub mod args;
pub mod audit;
pub mod catalog;
pub mod check;
pub mod connect;
pub mod deliver;
pub mod failure;
pub mod input;
pub mod query;
pub mod render;
pub mod state;
pub mod tour;

use std::io::{self, Write};

use failure::{Failure, Outcome};

/// Writes to standard output; `println!` would panic where nobody reads.
pub(crate) fn put(text: &str) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))
}
