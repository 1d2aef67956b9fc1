//! Bodies of calls: how long one may take, and how much of them may lie in memory unfinished.
//!
//! A body is read only after its head has proved who sends it. It must go on: without a pause that is too long, at no
//! less than a slow line's pace, and to its end within a bound. All unfinished bodies of a door share a bound on memory, of
//! which one caller has a part. A body counts before any of it has come, so that calls without number are no way around it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;
use wanqu_client::status::to_status;
use wanqu_model::refusal::{Code, Refusal};

/// Times that the body of a call has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyTimes {
    /// Longest pause.
    pub idle: Duration,
    /// Longest time until the end.
    pub total: Duration,
    /// Time before the pace counts.
    pub grace: Duration,
    /// Least bytes per second after that.
    pub pace: u32,
}

impl Default for BodyTimes {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(20),
            total: Duration::from_mins(1),
            grace: Duration::from_secs(20),
            pace: 8 * 1024,
        }
    }
}

impl BodyTimes {
    /// Returns the time at which a body is given up if nothing more comes.
    fn due(&self, begun: Instant, last: Instant, bytes: u64) -> Instant {
        let paced = Duration::from_millis(bytes.saturating_mul(1000) / u64::from(self.pace.max(1)));
        (last + self.idle).min(begun + self.total).min(begun + (self.grace + paced).min(self.total))
    }
}

/// Bytes of all unfinished bodies of one door, at most.
const UNFINISHED: usize = 64 << 20;

/// Part of them that one caller may have.
const OF_CALLER: usize = UNFINISHED / 4;

/// Bytes that a call counts for beside those of its body: its head, its stream and its task.
const OF_CALL: usize = 4 * 1024;

/// Bytes of unfinished bodies: of all of them, and of each caller's.
type Received = (usize, HashMap<Arc<str>, usize>);

/// Unfinished bodies of one door. Clones share one state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unfinished(Arc<Mutex<Received>>);

impl Unfinished {
    /// Counts a call of `caller`, of whose body nothing has come.
    ///
    /// # Errors
    /// [`Code::Limit`] if too much is being received, from all callers or from this one.
    pub fn begin(&self, caller: Arc<str>) -> Result<Held, Refusal> {
        let mut held = Held { all: self.clone(), caller, bytes: 0 };
        held.grow(OF_CALL)?;
        Ok(held)
    }
}

/// Bytes that one call holds until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    all: Unfinished,
    caller: Arc<str>,
    bytes: usize,
}

impl Held {
    /// Counts bytes that have come.
    ///
    /// # Errors
    /// [`Code::Limit`] if too much is being received, from all callers or from this one.
    pub fn grow(&mut self, more: usize) -> Result<(), Refusal> {
        let mut state = self.all.0.lock();
        let own = state.1.get(&self.caller).copied().unwrap_or_default();
        if state.0 + more > UNFINISHED || own + more > OF_CALLER {
            return Err(Refusal::new(Code::Limit, "too many calls are being received at once")
                .with_rule(format!(
                    "unfinished calls hold at most {} MiB, those of one caller a quarter; each counts for its bytes and {} KiB",
                    UNFINISHED >> 20,
                    OF_CALL >> 10
                ))
                .with_remedy("finish a call before the next one is begun"));
        }
        state.0 += more;
        state.1.insert(Arc::clone(&self.caller), own + more);
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.all.0.lock();
        state.0 -= self.bytes;
        if let Some(own) = state.1.get_mut(&self.caller) {
            *own -= self.bytes;
            if *own == 0 {
                state.1.remove(&self.caller);
            }
        }
    }
}

/// The body of one call, which fails when it takes too long or too much.
pub(super) struct Timed {
    body: Body,
    times: BodyTimes,
    begun: Instant,
    last: Instant,
    /// Bytes that have come.
    came: u64,
    held: Held,
    due: Pin<Box<Sleep>>,
    /// It is being read: what it waited before that was not its sender's time.
    reading: bool,
}

impl Timed {
    /// Returns the body of a call, whose time begins when it is first asked for.
    pub fn new(body: Body, times: BodyTimes, held: Held) -> Self {
        let now = Instant::now();
        Self {
            body,
            times,
            begun: now,
            last: now,
            came: 0,
            held,
            due: Box::pin(sleep_until(times.due(now, now, 0))),
            reading: false,
        }
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.reading {
            let now = Instant::now();
            (self.reading, self.begun, self.last) = (true, now, now);
            let due = self.times.due(now, now, 0);
            self.due.as_mut().reset(due);
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                if let Err(refusal) = self.held.grow(bytes) {
                    return Poll::Ready(Some(Err(to_status(refusal))));
                }
                // Empty frames are no progress.
                if bytes > 0 {
                    self.last = Instant::now();
                }
                self.came += bytes as u64;
                let due = self.times.due(self.begun, self.last, self.came);
                self.due.as_mut().reset(due);
                // A stream of empty frames that are always ready never comes to the timer below.
                if due <= Instant::now() {
                    return Poll::Ready(Some(Err(to_status(too_slow(self.times)))));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => match self.due.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(to_status(too_slow(self.times))))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn too_slow(times: BodyTimes) -> Refusal {
    Refusal::new(Code::Limit, "the call was not received in time").with_rule(format!(
        "a call is received whole within {} s, without a pause of {} s, and after the first {} s at no less than {} KiB/s",
        times.total.as_secs(),
        times.idle.as_secs(),
        times.grace.as_secs(),
        times.pace / 1024
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_given_up_when_it_pauses_drips_or_never_ends() {
        let times = BodyTimes::default();
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        // Nothing has come; something came a moment ago, and so little that the pace decides; all is well until the end.
        assert_eq!(times.due(begun, begun, 0), at(20));
        assert_eq!(times.due(begun, at(9), 100), begun + Duration::from_millis(20_012));
        assert_eq!(times.due(begun, at(9), 5 * 8 * 1024), at(25));
        assert_eq!(times.due(begun, at(9), 1 << 20), at(29), "a pause");
        assert_eq!(times.due(begun, at(55), 1 << 20), at(60), "the end");
        assert_eq!(times.due(begun, at(55), u64::MAX), at(60));
    }

    #[test]
    fn unfinished_bodies_hold_so_much_and_one_caller_a_quarter() {
        let all = Unfinished::default();
        let body = |caller: &str| all.begin(caller.into());
        let mut wei = body("wei").unwrap();
        wei.grow(OF_CALLER - OF_CALL).unwrap();
        assert_eq!(wei.grow(1).unwrap_err().code, Code::Limit);
        assert_eq!(body("wei").unwrap_err().code, Code::Limit);
        let mut others: Vec<Held> = ["a", "b", "c"].map(|other| body(other).unwrap()).into();
        for other in &mut others {
            other.grow(OF_CALLER - OF_CALL).unwrap();
        }
        assert_eq!(body("d").unwrap_err().code, Code::Limit, "all of it is taken");
        drop(wei);
        body("d").unwrap().grow(OF_CALLER - OF_CALL).unwrap();
        drop(others);
        // Calls of which nothing comes count too.
        let silent: Vec<Held> = std::iter::from_fn(|| body("wei").ok()).collect();
        assert_eq!(silent.len(), OF_CALLER / OF_CALL);
        body("ana").unwrap();
        drop(silent);
        let left = all.0.lock();
        assert_eq!((left.0, left.1.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_body_that_never_comes_fails() {
        let times = BodyTimes { idle: Duration::from_millis(20), ..BodyTimes::default() };
        let mut body = Timed::new(silent_body(), times, Unfinished::default().begin("wei".into()).unwrap());
        let failed = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        assert!(matches!(failed, Some(Err(status)) if status.code() == tonic::Code::ResourceExhausted));
    }

    /// A body of which nothing comes.
    fn silent_body() -> Body {
        struct Silent;
        impl HttpBody for Silent {
            type Data = Bytes;
            type Error = Status;
            fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
                Poll::Pending
            }
        }
        Body::new(Silent)
    }
}
