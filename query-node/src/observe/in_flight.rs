//! One question or fragment that is being answered: counted and timed when it ends, however it ends.

use std::time::Instant;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use tonic::Status;
use wanqu_client::status::from_status;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use super::Metrics;
use crate::trace::Step;

/// Code of what was answered in full.
const ANSWERED: &str = "answered";

/// One question or fragment that is being answered. It is counted when this is dropped: as cancelled, unless its end was
/// noted before. Its step of a trace, if it has one, ends with it.
#[derive(Debug)]
pub struct InFlight {
    metrics: Metrics,
    peer: Option<JurisdictionId>,
    began: Instant,
    code: Option<String>,
    step: Option<Step>,
    counted: bool,
}

impl InFlight {
    /// Begins a researcher's question.
    #[must_use]
    pub fn question(metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), peer: None, began: Instant::now(), code: None, step: None, counted: true }
    }

    /// Begins another node's fragment.
    #[must_use]
    pub fn fragment(metrics: &Metrics, peer: &JurisdictionId) -> Self {
        Self {
            metrics: metrics.clone(),
            peer: Some(peer.clone()),
            began: Instant::now(),
            code: None,
            step: None,
            counted: true,
        }
    }

    /// Takes the step of a trace that ends with it.
    pub fn set_step(&mut self, step: Step) {
        self.step = Some(step);
    }

    /// Ends it with a refusal.
    pub fn refused(mut self, refusal: &Refusal) {
        self.code = Some(refusal.code.to_string());
    }

    /// Ends a call that asks nothing, and is no question of its own: it is not counted.
    pub fn passed(mut self) {
        self.code = Some(ANSWERED.to_owned());
        self.counted = false;
    }

    /// Ends it with an answer in full.
    pub fn answered(mut self) {
        self.code = Some(ANSWERED.to_owned());
    }

    /// Returns the messages of its answer; it ends as they do, or when they are dropped.
    pub fn follow<T: Send + 'static>(
        self,
        messages: impl Stream<Item = Result<T, Status>> + Send + 'static,
    ) -> BoxStream<'static, Result<T, Status>> {
        stream::unfold((messages.boxed(), self), |(mut messages, mut request)| async move {
            let next = messages.next().await;
            let code = match &next {
                Some(Ok(_)) => None,
                Some(Err(status)) => Some(from_status(status, None).code.to_string()),
                None => Some(ANSWERED.to_owned()),
            };
            // The first end is the end: a failure is followed by nothing.
            if request.code.is_none() {
                request.code = code;
            }
            next.map(|message| (message, (messages, request)))
        })
        .boxed()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let code = self.code.take().unwrap_or_else(|| Code::Cancelled.to_string());
        if let Some(step) = self.step.as_mut().filter(|_| code != ANSWERED) {
            step.failed(&code);
        }
        match &self.peer {
            _ if !self.counted => {}
            None => self.metrics.question(code, self.began.elapsed()),
            Some(peer) => self.metrics.fragment(peer, code, self.began.elapsed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;
    use wanqu_client::status::to_status;

    fn counted(metrics: &Metrics, code: &str) -> bool {
        metrics.text().contains(&format!("wanqu_questions_total{{code=\"{code}\"}} 1"))
    }

    #[tokio::test]
    async fn every_end_is_counted_once_and_by_its_name() {
        let metrics = Metrics::default();
        let request = || InFlight::question(&metrics);
        request().follow(stream::iter([Ok(1), Ok(2)])).collect::<Vec<_>>().await;
        assert!(counted(&metrics, "answered"));
        let failed = Refusal::new(Code::Source, "x");
        request().follow(stream::iter([Ok(1), Err(to_status(failed))])).collect::<Vec<_>>().await;
        assert!(counted(&metrics, "source"));
        let mut left = request().follow(stream::iter([Ok(1), Ok(2)]));
        left.next().await.unwrap().unwrap();
        drop(left);
        assert!(counted(&metrics, "cancelled"));
        request().refused(&Refusal::new(Code::NoAgreement, "x"));
        assert!(counted(&metrics, "no-agreement"));
        assert!(metrics.text().contains("wanqu_question_duration_seconds_count 4"));
    }
}
