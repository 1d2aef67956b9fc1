//! What strangers send, as bytes: for each kind a function that reads it as a node does, and panics if it is believed where it
//! must not be. One function serves the ordinary tests, which feed it changed seeds ([`Target::try_mutations`]), and the
//! programs of `fuzz/`, in which a fuzzer looks for new paths for as long as one likes.

use std::path::Path;
use std::{fs, io};

mod mutate;
mod seeds;
mod sql;
mod wire;

/// A kind of what strangers send.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is that of the program in `fuzz/fuzz_targets` and of the folder of its corpus.
    pub name: &'static str,
    /// Reads bytes as a node does. It panics if more is believed than may be.
    pub read: fn(&[u8]),
    /// Returns right ones to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All kinds.
pub const TARGETS: [Target; 8] = [
    Target { name: "envelope", read: wire::envelope, seeds: seeds::envelopes },
    Target { name: "ticket", read: wire::ticket, seeds: seeds::tickets },
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
