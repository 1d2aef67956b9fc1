//! Work for one call of a researcher: its place, its deadline and its end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use wanqu_client::status::internal;
use wanqu_model::bundle::Subject;
use wanqu_model::refusal::{Code, Refusal};

use crate::doors::bounded::{cut_short, deadline_passed};
use crate::doors::{Doorway, News, Place, Share, Waiting};
use crate::stay::{self, Stay};

/// Share of one researcher in the places for questions, and in those where questions wait: three quarters of them, if nobody
/// else asks.
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

/// A call that waits for its place.
pub(super) struct Turn {
    waiting: Waiting,
    /// Time at which it gives up.
    due: Instant,
    deadline: Duration,
    /// Cancelled when the node ends.
    cut: CancellationToken,
}

/// What a call that waits is told.
pub(super) enum Standing {
    /// It waits no longer.
    Begun(Work),
    /// So many questions go before it.
    Ahead(usize),
}

impl Turn {
    /// Stands in line for a place for a call.
    ///
    /// # Errors
    /// If no more may wait.
    pub fn of(door: &Doorway, requester: &Subject) -> Result<Self, Refusal> {
        let limits = door.limits.now();
        let caller = format!("{}\n{}", requester.issuer, requester.subject);
        let waiting = door.places.queue_for(&caller, SHARE, limits.concurrent_queries as usize)?;
        let deadline = Duration::from_secs(limits.deadline_seconds.into());
        Ok(Self { waiting, due: Instant::now() + deadline, deadline, cut: door.drain.token() })
    }

    /// Returns the work when there is a place for it; before that, each time it changes, the number of questions that go first.
    /// The time of the work begins with its place.
    ///
    /// # Errors
    /// If there is no place within the deadline, or the node ends.
    pub async fn next(&mut self) -> Result<Standing, Refusal> {
        match tokio::time::timeout_at(self.due, self.waiting.news()).await.map_err(|_| waited_too_long())?? {
            News::Ahead(ahead) => Ok(Standing::Ahead(ahead)),
            News::Place(place) => {
                let cancel = self.cut.child_token();
                let (place, deadline) = (Arc::new(place), Instant::now() + self.deadline);
                Ok(Standing::Begun(Work { deadline, place, _guard: cancel.clone().drop_guard(), cancel }))
            }
        }
    }
}

/// Returns the refusal for a call that has waited for a place until its deadline.
fn waited_too_long() -> Refusal {
    Refusal::new(Code::Limit, "the node answered other questions until the deadline of this one")
        .with_rule("a question waits for a place no longer than it may take")
        .with_remedy("ask again later")
}

impl Work {
    /// Waits for a place for a call. `told` hears how many go first.
    ///
    /// # Errors
    /// If no more may wait, there is none within the deadline, or the node ends.
    pub async fn begin(door: &Doorway, requester: &Subject, told: impl Fn(usize) + Send) -> Result<Self, Refusal> {
        let mut turn = Turn::of(door, requester)?;
        loop {
            match turn.next().await? {
                Standing::Begun(work) => return Ok(work),
                Standing::Ahead(ahead) => told(ahead),
            }
        }
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
