//! Ctrl-C, and what else ends a command from outside.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Failure, Outcome};

/// Knows of an interruption from the moment that it listens, also while nobody waits for one.
pub struct Interrupt {
    interrupted: Signal,
    terminated: Signal,
}

impl Interrupt {
    /// Listens from now on.
    pub fn listen() -> Outcome<Self> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")));
        Ok(Self { interrupted: listen(SignalKind::interrupt())?, terminated: listen(SignalKind::terminate())? })
    }

    /// What comes of `doing`, unless it is interrupted before.
    pub async fn or<T>(&mut self, doing: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        tokio::select! {
            biased;
            _ = self.interrupted.recv() => Err(Failure::Interrupted),
            _ = self.terminated.recv() => Err(Failure::Interrupted),
            done = doing => done,
        }
    }
}
