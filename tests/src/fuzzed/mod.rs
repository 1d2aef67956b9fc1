//! Bytes of strangers. For each kind of them a function reads bytes as a node does, and panics if more is believed than may be.
//!
//! The ordinary tests feed these functions with seeds that are changed at random ([`Target::try_mutations`]); the programs of
//! `fuzz/` feed them with the inputs of a fuzzer, which looks for new paths.

use std::path::Path;
use std::{fs, io};

mod mutate;
mod seeds;
mod sql;
mod wire;

/// Kind of bytes that strangers send.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the kind, of its program in `fuzz/fuzz_targets`, and of the folder of its corpus.
    pub name: &'static str,
    /// Reads bytes as a node does. Panics if more is believed than may be.
    pub read: fn(&[u8]),
    /// Returns valid inputs, which the changed ones are made of.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All kinds.
pub const TARGETS: [Target; 9] = [
    Target { name: "envelope", read: wire::envelope, seeds: seeds::envelopes },
    Target { name: "ticket", read: wire::ticket, seeds: seeds::tickets },
    Target { name: "flight_sql", read: query_node::gateway::read_request, seeds: seeds::flight_sql },
    Target { name: "handshake", read: wire::handshake, seeds: seeds::handshakes },
    Target { name: "rows", read: wire::rows, seeds: seeds::rows },
    Target { name: "bundle", read: wire::bundle, seeds: seeds::bundles },
    Target { name: "token", read: wire::token, seeds: seeds::tokens },
    Target { name: "literal", read: sql::literal, seeds: seeds::literals },
    Target { name: "query", read: sql::query, seeds: seeds::queries },
];

/// Reads bytes as the kind of this name does.
///
/// # Panics
/// If there is no such kind, or more is believed than may be.
pub fn read(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the name of a target");
    (target.read)(bytes);
}

impl Target {
    /// Writes the seeds into the folder of the target below another.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_seeds(&self, folder: &Path) -> io::Result<()> {
        let folder = folder.join(self.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (self.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:03}")), seed)?;
        }
        Ok(())
    }

    /// Reads the seeds, then so many changed ones, which are the same every time.
    ///
    /// # Panics
    /// If more of one is believed than may be.
    pub fn try_mutations(&self, rounds: usize) {
        let seeds = (self.seeds)();
        for seed in &seeds {
            (self.read)(seed);
        }
        for changed in mutate::mutations(&seeds, rounds) {
            (self.read)(&changed);
        }
    }
}
