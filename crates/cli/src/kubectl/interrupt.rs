//! SIGINT and SIGTERM, which end a command.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Failure, Outcome};

/// Listener for interruptions. One that comes while nobody waits is not lost.
pub struct Interrupt {
    interrupted: Signal,
    terminated: Signal,
}

impl Interrupt {
    /// Starts listening.
    pub fn listen() -> Outcome<Self> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")));
        Ok(Self { interrupted: listen(SignalKind::interrupt())?, terminated: listen(SignalKind::terminate())? })
    }

    /// Returns the outcome of `doing`, or [`Failure::Interrupted`] if that comes first.
    pub async fn or<T>(&mut self, doing: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        tokio::select! {
            biased;
            _ = self.interrupted.recv() => Err(Failure::Interrupted),
            _ = self.terminated.recv() => Err(Failure::Interrupted),
            done = doing => done,
        }
    }
}
