//! Answers on their way out: to their end, to the first failure, or to their deadline, whether anybody takes them or not.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_flight::FlightData;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::Status;
use wanqu_client::status::{internal, to_status};
use wanqu_model::refusal::{Code, Refusal};

/// Time after the deadline in which a reader is still told that it has passed. Then the answer ends unread.
const UNTAKEN: Duration = Duration::from_secs(5);

/// Returns the refusal that ends a call at its deadline.
pub(crate) fn deadline_passed() -> Refusal {
    Refusal::too_late("the deadline passed before the answer was complete")
}

/// Returns the refusal that ends a call that still runs when the node ends.
pub(crate) fn cut_short() -> Refusal {
    Refusal::new(Code::Draining, "the node ended before the answer was complete")
        .with_remedy("ask again: another replica answers, or this one when it is back")
}

/// Returns the messages up to the first failure; a panic, the deadline (with `late` for its refusal) and the node's end (`cut`)
/// are failures too. `kept` is dropped with the messages: a guard in it acts when the client goes away.
///
/// A server asks for the next message only when the connection has room for it, so whoever asks and takes nothing would keep the
/// messages and `kept` for as long as the connection lives. Both are dropped soon after the deadline, whether anybody asks
/// for more or not.
pub(crate) fn bounded<K: Send + 'static>(
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
    due: (Instant, Refusal),
    cut: CancellationToken,
    kept: K,
) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
    let messages = AssertUnwindSafe(messages)
        .catch_unwind()
        .map(|message| message.unwrap_or_else(|_| Err(to_status(internal()))))
        .map(move |message| {
            let _ = &kept;
            message
        });
    Bounded::new(messages.boxed(), due, cut, UNTAKEN)
}

/// Messages that are still to come, shared by the call and by the task that gives them up.
#[derive(Clone)]
struct Running(Arc<Mutex<State>>);

enum State {
    Going(BoxStream<'static, Result<FlightData, Status>>),
    /// The answer has ended: with this refusal, if its reader has not been told.
    Ended(Option<Refusal>),
}

impl Running {
    /// Drops what is still to come, and with it all that it holds. A reader who asks for more is told `why`.
    fn end(&self, why: Option<Refusal>) {
        // Dropped when the lock is free: the guards in it do work of their own.
        let ended = std::mem::replace(&mut *self.0.lock(), State::Ended(why));
        drop(ended);
    }
}

/// The messages of one answer. Nothing comes after the first failure.
struct Bounded {
    running: Running,
    give_up: JoinHandle<()>,
    deadline: Pin<Box<Sleep>>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    late: Refusal,
}

impl Bounded {
    /// Returns the messages of an answer that ends unread `untaken` after its deadline or its node's end.
    fn new(
        messages: BoxStream<'static, Result<FlightData, Status>>,
        (deadline, late): (Instant, Refusal),
        cut: CancellationToken,
        untaken: Duration,
    ) -> Self {
        let running = Running(Arc::new(Mutex::new(State::Going(messages))));
        let (unread, ended, too_late) = (running.clone(), cut.clone(), late.clone());
        let give_up = tokio::spawn(async move {
            let cut = tokio::time::timeout_at(deadline, ended.cancelled()).await.is_ok();
            tokio::time::sleep(untaken).await;
            unread.end(Some(if cut { cut_short() } else { too_late }));
        });
        let cut = Box::pin(cut.cancelled_owned());
        Self { running, give_up, deadline: Box::pin(sleep_until(deadline)), cut, late }
    }

    /// Ends the answer with what its reader is told now; `None` if that is nothing.
    fn end(&self, told: Option<Result<FlightData, Status>>) -> Poll<Option<Result<FlightData, Status>>> {
        self.running.end(None);
        Poll::Ready(told)
    }

    fn fail(&self, refusal: Refusal) -> Poll<Option<Result<FlightData, Status>>> {
        self.end(Some(Err(to_status(refusal))))
    }
}

impl Stream for Bounded {
    type Item = Result<FlightData, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // First: what is dropped when an answer is given up can cancel its token.
        if let State::Ended(why) = &mut *self.running.0.lock() {
            return Poll::Ready(why.take().map(|why| Err(to_status(why))));
        }
        if self.cut.as_mut().poll(cx).is_ready() {
            return self.fail(cut_short());
        }
        let next = match &mut *self.running.0.lock() {
            State::Going(messages) => messages.poll_next_unpin(cx),
            State::Ended(why) => Poll::Ready(why.take().map(|why| Err(to_status(why)))),
        };
        match next {
            Poll::Pending if self.deadline.as_mut().poll(cx).is_ready() => self.fail(self.late.clone()),
            Poll::Ready(ended @ (None | Some(Err(_)))) => self.end(ended),
            other => other,
        }
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        self.give_up.abort();
        self.running.end(None);
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, stream};
    use wanqu_testing::until;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    /// A message that can be sent.
    fn message() -> FlightData {
        FlightData::default()
    }

    fn late() -> Refusal {
        Refusal::new(Code::Limit, "too late")
    }

    /// An answer without end, which holds `place`, and cancels its token when it is dropped, as the doors' do.
    fn endless(place: &Arc<()>, seconds: u64, cut: &CancellationToken) -> Bounded {
        let held = (Arc::clone(place), cut.clone().drop_guard());
        let messages = stream::repeat_with(move || {
            let _ = &held;
            Ok(message())
        });
        Bounded::new(messages.boxed(), (Instant::now() + Duration::from_secs(seconds), late()), cut.clone(), SOON)
    }

    async fn given_up(place: &Arc<()>) {
        let free = async || if Arc::strong_count(place) == 1 { Ok(()) } else { Err("it is held") };
        until("the place becoming free", Duration::from_secs(20), free).await;
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_ends_soon_after_its_deadline_or_with_its_node() {
        let place = Arc::new(());
        let mut overdue = endless(&place, 0, &CancellationToken::new());
        given_up(&place).await;
        assert_eq!(overdue.next().await.unwrap().unwrap_err().code(), to_status(late()).code());
        assert!(overdue.next().await.is_none());

        let cut = CancellationToken::new();
        let mut begun = endless(&place, 3600, &cut);
        assert!(begun.next().await.unwrap().is_ok());
        assert_eq!(Arc::strong_count(&place), 2);
        cut.cancel();
        given_up(&place).await;
        assert_eq!(begun.next().await.unwrap().unwrap_err().code(), to_status(cut_short()).code());
        assert!(begun.next().await.is_none());
    }

    #[tokio::test]
    async fn an_answer_whose_reader_leaves_ends_at_once() {
        let place = Arc::new(());
        let answer = endless(&place, 3600, &CancellationToken::new());
        drop(answer);
        assert_eq!(Arc::strong_count(&place), 1);
    }

    #[tokio::test]
    async fn a_reader_that_waits_hears_of_the_deadline_and_of_the_end() {
        for end in [false, true] {
            let cut = CancellationToken::new();
            let deadline = Instant::now() + if end { Duration::from_hours(1) } else { SOON };
            let mut answer = Box::pin(bounded(stream::pending(), (deadline, late()), cut.clone(), ()));
            assert!(answer.next().now_or_never().is_none());
            if end {
                cut.cancel();
            }
            let told = answer.next().await.unwrap().unwrap_err();
            let expected = to_status(if end { cut_short() } else { late() });
            assert_eq!((told.code(), told.message()), (expected.code(), expected.message()));
            assert!(answer.next().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_panic_and_an_end_end_it_once() {
        let deadline = Instant::now() + Duration::from_mins(1);
        let panics = stream::iter([1, 2]).map(|n| if n == 1 { Ok(message()) } else { panic!("a value") });
        let told: Vec<_> = bounded(panics, (deadline, late()), CancellationToken::new(), ()).collect().await;
        assert_eq!(told.len(), 2);
        assert!(told[0].is_ok() && !told[1].as_ref().unwrap_err().message().contains("a value"));
        let one = stream::iter([Ok(message())]);
        let all: Vec<_> = bounded(one, (deadline, late()), CancellationToken::new(), ()).collect().await;
        assert!(all.len() == 1 && all[0].is_ok());
    }
}
