//! One trace for one question, over all the nodes that take part in it.
//!
//! ```text
//! question (home) ─▶ ask (home, one for each fragment) ══ traceparent in the envelope ══▶ fragment (owner)
//! ```
//!
//! A step is a span of the log, so that every line of it has the trace's id, and if an exporter is set, a span that is
//! sent to a collector. What is sent is a name, times, ids, members and codes: no text of a question, no event of the
//! engine, nothing of the data.

mod context;
mod export;
mod step;

pub use context::{NoTraceparent, TraceContext};
pub use export::{EndpointError, Exporter, ExporterError};
pub use step::{Kind, Step};

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// Runs a future at a position of a trace, which [`current`] returns inside it.
pub fn within<F: Future>(context: TraceContext, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, future)
}

/// Returns the position of a trace at which this runs, if there is one. A task that is spawned has none.
#[must_use]
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok()
}

/// Takes the present position of a trace along to a task of its own.
pub fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    at(current(), future)
}

/// Runs a future at a position of a trace, if there is one.
pub async fn at<F: Future>(position: Option<TraceContext>, future: F) -> F::Output {
    match position {
        Some(position) => within(position, future).await,
        None => future.await,
    }
}
