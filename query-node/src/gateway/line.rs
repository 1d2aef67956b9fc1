//! Answers that are still to be begun: their clients are told how many questions go first.

use arrow_flight::FlightData;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use wanqu_client::note::Note;
use wanqu_client::status::{internal, to_status};
use wanqu_client::wire::note;
use wanqu_model::answer::Progress;
use wanqu_model::refusal::Refusal;

use super::work::{Standing, Turn, Work};
use crate::doors::flight::Messages;

/// What begins an answer when there is a place for it.
pub(super) type Begin = Box<dyn FnOnce(Work) -> BoxFuture<'static, Begun> + Send>;

/// An answer that was begun.
pub(super) type Begun = Result<Messages<FlightData>, Refusal>;

/// What a client is to be told.
enum Stage {
    Waiting { ahead: watch::Receiver<usize>, begun: oneshot::Receiver<Begun>, _task: JoinSet<()> },
    Answering(Messages<FlightData>),
    Over,
}

/// Returns the messages of an answer that is still to be begun, behind `ahead` others: first those that tell of its place in the
/// line.
///
/// It waits and begins on a task, which ends when nobody waits for it. So an answer begins when its turn comes, and not when its
/// client takes a message: from then on its own deadline holds, and no place is kept for one who takes nothing.
pub(super) fn waited(mut turn: Turn, ahead: usize, begin: Begin) -> Messages<FlightData> {
    let (tell, mut ahead) = watch::channel(ahead);
    let (done, begun) = oneshot::channel();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let work = loop {
            match turn.next().await {
                Ok(Standing::Begun(work)) => break Ok(work),
                Ok(Standing::Ahead(ahead)) => {
                    tell.send_replace(ahead);
                }
                Err(refusal) => break Err(refusal),
            }
        };
        let begun = match work {
            Ok(work) => begin(work).await,
            Err(refusal) => Err(refusal),
        };
        // Nobody is told of it who has left.
        let _ = done.send(begun);
    });
    ahead.mark_changed();
    let first = Stage::Waiting { ahead, begun, _task: task };
    stream::unfold(first, told).boxed()
}

/// Returns the next message, and what comes after it.
async fn told(mut stage: Stage) -> Option<(<Messages<FlightData> as futures::Stream>::Item, Stage)> {
    if let Stage::Waiting { ahead, begun, .. } = &mut stage {
        let begun = tokio::select! {
            biased;
            begun = &mut *begun => begun.unwrap_or_else(|_| Err(internal())),
            Ok(()) = ahead.changed() => {
                let ahead = u32::try_from(*ahead.borrow_and_update()).unwrap_or(u32::MAX);
                return Some((note(&Note::Progress(Progress::Waiting { ahead })), stage));
            }
        };
        stage = match begun {
            Ok(messages) => Stage::Answering(messages),
            Err(refusal) => return Some((Err(to_status(refusal)), Stage::Over)),
        };
    }
    match stage {
        Stage::Answering(mut messages) => Some((messages.next().await?, Stage::Answering(messages))),
        Stage::Waiting { .. } | Stage::Over => None,
    }
}
