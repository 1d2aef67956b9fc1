//! The owner's ledger of released cells, durable in a folder within that of the audit log.
//!
//! What a cell's values were made of is written down before the release is recorded and leaves: the gate decides
//! ([`wanqu_gate::ledger`]), this room keeps. One lock is held from the comparison to the flush, so that two fragments that run
//! at once are decided one after the other. A crash leaves at most a part of the last record, for which nothing was released,
//! and it is cut off. Any other damage closes the ledger: what it would have to remember is refused until somebody puts back what
//! was there. The folder is made when the first cell is remembered.

mod error;
mod file;
mod record;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use parking_lot::Mutex;
use wanqu_client::status::internal;
use wanqu_gate::Ledger;
use wanqu_gate::ledger::{Asked, Memory, Settled};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::row::RowKey;

pub use error::LedgerError;
use file::LedgerFile;

/// Greatest number of populations that are remembered for one asking member. Their sketches take 51 MB of memory, and each value
/// of them 48 bytes more.
pub const MOST_POPULATIONS: usize = 50_000;

/// Name of the ledger's folder in that of the audit log.
pub const FOLDER: &str = "ledger";

/// Ledger in a folder.
pub struct DurableLedger {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    most: usize,
    key: OnceLock<RowKey>,
    state: Mutex<State>,
}

enum State {
    /// Nothing was remembered yet, and the folder is not there.
    Absent,
    Open {
        file: LedgerFile,
        memory: Memory,
    },
    Closed,
}

/// State of a ledger, for the node's readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It compares and remembers.
    Open,
    /// It compares, and for some member values of populations that it does not know are withheld.
    Full,
    /// It cannot be used: releases that it would have to remember are refused.
    Closed,
}

impl DurableLedger {
    /// Opens the ledger in a folder, if it is there. One that cannot be used is closed, and the node's log says why.
    #[must_use]
    pub fn open(folder: PathBuf) -> Self {
        Self::with_room(folder, MOST_POPULATIONS)
    }

    /// Opens a ledger likewise that remembers at most so many populations for each circle of requesters.
    #[must_use]
    pub fn with_room(folder: PathBuf, most: usize) -> Self {
        let there = folder.exists();
        let inner = Inner { folder, most, key: OnceLock::new(), state: Mutex::new(State::Absent) };
        if there {
            // The reason is in the log, and whoever asks for something to be remembered is refused.
            let _ = inner.ready(&mut inner.state.lock());
        }
        Self { inner: Arc::new(inner) }
    }

    /// Returns whether it can be used.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match &*self.inner.state.lock() {
            State::Open { memory, .. } if memory.room() == 0 => Standing::Full,
            State::Absent | State::Open { .. } => Standing::Open,
            State::Closed => Standing::Closed,
        }
    }

    /// Returns the number of populations that are remembered, and of those for which the member that asked most has room.
    #[must_use]
    pub fn room(&self) -> (usize, usize) {
        match &*self.inner.state.lock() {
            State::Absent => (0, self.inner.most),
            State::Open { memory, .. } => (memory.populations(), memory.room()),
            State::Closed => (0, 0),
        }
    }
}

impl Inner {
    /// Opens the ledger unless it is open.
    fn ready<'s>(&self, state: &'s mut State) -> Result<(&'s mut LedgerFile, &'s mut Memory), Refusal> {
        if matches!(state, State::Absent) {
            let mut memory = Memory::new(self.most);
            *state = match LedgerFile::open(&self.folder, |entry| memory.remember(entry)) {
                Ok(file) => {
                    let _ = self.key.set(file.key());
                    State::Open { file, memory }
                }
                Err(error) => {
                    tracing::error!(%error, "the ledger of released cells is closed: what it would have to remember is refused");
                    State::Closed
                }
            };
        }
        match state {
            State::Open { file, memory } => Ok((file, memory)),
            State::Absent | State::Closed => Err(closed()),
        }
    }

    fn settle(&self, asked: &Asked) -> Result<Settled, Refusal> {
        let mut state = self.state.lock();
        let (file, memory) = self.ready(&mut state)?;
        let decision = memory.decide(asked);
        if decision.settled.full {
            tracing::warn!(
                circle = asked.circle,
                populations = memory.populations(),
                "the ledger of released cells is full for this member: values of populations that it does not know are withheld"
            );
        }
        if !decision.entry.additions.is_empty() {
            if let Err(error) = file.append(&decision.entry) {
                tracing::error!(%error, "the ledger of released cells cannot be written");
                if !file.is_usable() {
                    *state = State::Closed;
                }
                return Err(closed());
            }
            memory.remember(decision.entry);
        }
        Ok(decision.settled)
    }
}

#[async_trait]
impl Ledger for DurableLedger {
    fn key(&self) -> Result<RowKey, Refusal> {
        match self.inner.key.get() {
            Some(key) => Ok(*key),
            None => self.inner.ready(&mut self.inner.state.lock()).map(|(file, _)| file.key()),
        }
    }

    async fn settle(&self, asked: Asked) -> Result<Settled, Refusal> {
        let inner = Arc::clone(&self.inner);
        // It goes on if the caller leaves: what was decided is remembered, or nothing is.
        let settled = tokio::task::spawn_blocking(move || inner.settle(&asked)).await;
        settled.unwrap_or_else(|_| Err(internal()))
    }
}

impl std::fmt::Debug for DurableLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DurableLedger").field("folder", &self.inner.folder).finish_non_exhaustive()
    }
}

/// Returns the refusal of what would have to be remembered.
fn closed() -> Refusal {
    Refusal::new(
        Code::OwnerUnavailable,
        "the owner's ledger of released cells cannot be used, so nothing is released that it would have to remember",
    )
    .with_rule("a released cell is in the ledger before it leaves (rememberCells)")
    .with_remedy("tell the owner's administrator; the node's log has the cause")
}
