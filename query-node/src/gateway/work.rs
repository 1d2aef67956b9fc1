//! Work for one call of a researcher: its place, its deadline and its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use wanqu_client::status::internal;
use wanqu_model::bundle::Subject;
use wanqu_model::refusal::Refusal;

use crate::doors::bounded::{cut_short, deadline_passed};
use crate::doors::{Doorway, Place, Share};
use crate::stay::{self, Stay};

/// Share of one researcher in the places for questions: three quarters of them, if nobody else asks.
const SHARE: Share = Share(3);

/// Work for one call. It is cancelled when this is dropped, as it is when the client hangs up.
pub(super) struct Work {
    /// Time at which the call ends.
    pub deadline: Instant,
    /// Cancelled with the call, and when the node ends.
    pub cancel: CancellationToken,
    place: Arc<Place>,
    _guard: DropGuard,
}

impl Work {
    /// Takes a place for a call.
    ///
    /// # Errors
    /// If there is none.
    pub fn begin(door: &Doorway, requester: &Subject) -> Result<Self, Refusal> {
        let limits = door.limits.now();
        let caller = format!("{}\n{}", requester.issuer, requester.subject);
        let place = Arc::new(door.places.take_for(&caller, SHARE, limits.concurrent_queries as usize)?);
        let deadline = Instant::now() + Duration::from_secs(limits.deadline_seconds.into());
        let cancel = door.drain.token();
        Ok(Self { deadline, place, _guard: cancel.clone().drop_guard(), cancel })
    }

    /// Runs a part of the work, until the deadline or the end of the node.
    ///
    /// # Errors
    /// Its refusal, or the one for its end.
    pub async fn run<T>(&self, part: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        // The text of a panic can quote a value: it goes no further than this.
        let part = stay::within(Stay::new(Arc::clone(&self.place)), AssertUnwindSafe(part).catch_unwind());
        tokio::select! {
            done = tokio::time::timeout_at(self.deadline, part) => {
                done.map_err(|_| deadline_passed())?.unwrap_or_else(|_| Err(internal()))
            }
            () = self.cancel.cancelled() => Err(cut_short()),
        }
    }
}
