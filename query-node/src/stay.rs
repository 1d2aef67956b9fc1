//! Places that work holds until all of it has ended.
//!
//! A question or fragment holds a place. Whoever asked may leave, and then its work is cancelled; but planning goes on until
//! its next look, and operators end when they come to it. Were the place free before that, a client that asks and leaves could
//! have any amount of work done at once. So the task that answers runs [`within`] its place, and all that works for it keeps
//! [`current`]: plans that are made on other threads, and the memory pool that every operator of the query has.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

tokio::task_local! {
    static STAY: Stay;
}

/// Something that is given back when the last clone of this is dropped.
#[derive(Clone)]
pub struct Stay(Arc<dyn Any + Send + Sync>);

impl Stay {
    /// Holds something.
    pub fn new(what: Arc<impl Any + Send + Sync>) -> Self {
        Self(what)
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stay").field(&Arc::strong_count(&self.0)).finish()
    }
}

/// Runs a future as work that holds a place.
pub fn within<F: Future>(stay: Stay, future: F) -> impl Future<Output = F::Output> {
    STAY.scope(stay, future)
}

/// Returns what the work that runs here holds; `None` outside [`within`].
#[must_use]
pub fn current() -> Option<Stay> {
    STAY.try_with(Clone::clone).ok()
}

/// Returns the future as a part of the work that runs here, for a task of its own.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let stay = current();
    async move {
        match stay {
            Some(stay) => within(stay, future).await,
            None => future.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;

    #[tokio::test]
    async fn a_place_is_held_until_the_last_of_the_work_has_ended() {
        let place = Arc::new(());
        let seen: Weak<()> = Arc::downgrade(&place);
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let (begun, work) = tokio::sync::oneshot::channel();
        within(Stay::new(place), async move {
            let task = tokio::spawn(carried(async move {
                let kept = current();
                let _ = ended.await;
                kept.is_some()
            }));
            begun.send(task).unwrap();
        })
        .await;
        let work = work.await.unwrap();
        assert!(seen.upgrade().is_some(), "its task works still");
        end.send(()).unwrap();
        assert!(work.await.unwrap());
        assert!(seen.upgrade().is_none());
        assert!(current().is_none());
    }
}
