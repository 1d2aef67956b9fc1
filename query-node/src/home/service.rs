//! Service of a home node: what a front door asks of it, whatever the door speaks.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wanqu_model::answer::{Answer, Question};
use wanqu_model::bundle::Subject;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::Catalog;

/// What a home node does with a question.
#[async_trait]
pub trait HomeService: Send + Sync + 'static {
    /// Plans, asks the owners and merges. It returns as soon as events can come, the first progress among them.
    /// `cancel` is cancelled when the researcher hangs up or the time is over; so is dropping the answer.
    async fn ask(&self, requester: Subject, question: Question, cancel: CancellationToken) -> Result<Answer, Refusal>;

    /// An answer that was kept for this requester. Whether there is none, it is somebody else's or it has expired is not
    /// told apart.
    async fn fetch(&self, _requester: Subject, _result: Uuid) -> Result<Answer, Refusal> {
        Err(no_such_result())
    }

    /// What a question can name here.
    fn catalog(&self) -> Arc<Catalog>;
}

/// There is no such result, whatever the reason.
#[must_use]
pub fn no_such_result() -> Refusal {
    Refusal::new(Code::UnknownName, "there is no such result")
        .with_rule("a result is kept for the one who asked, until it expires")
        .with_remedy("ask again, or ask the node that answered")
}
