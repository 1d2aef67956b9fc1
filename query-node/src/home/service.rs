//! Service of a home node, as its front doors use it, whatever protocol they speak.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wanqu_model::answer::{Answer, Question};
use wanqu_model::bundle::Subject;
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::Catalog;

use crate::engine::Unavailable;

/// A question as it is understood before it is asked.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// Columns of its answer; `None` if they cannot be told before its parameters have values.
    pub columns: Option<SchemaRef>,
    /// Types of its parameters; `None` for one whose type its text does not tell.
    pub parameters: Vec<Option<DataType>>,
}

/// A home node's handling of questions.
#[async_trait]
pub trait HomeService: Send + Sync + 'static {
    /// Plans, asks the owners and merges. It returns as soon as events can come, the first progress among them.
    /// `cancel` is cancelled when the researcher hangs up or the time is over; so is dropping the answer.
    async fn ask(&self, requester: Subject, question: Question, cancel: CancellationToken) -> Result<Answer, Refusal>;

    /// Reads, plans and judges a question as [`ask`](Self::ask) does, and asks nobody: no data is read and no quota is used.
    /// Its parameters may have no values yet.
    ///
    /// # Errors
    /// The refusal that asking it would meet at home.
    async fn describe(
        &self,
        requester: Subject,
        question: Question,
        cancel: CancellationToken,
    ) -> Result<Described, Refusal>;

    /// Returns true if answers can be kept here.
    fn keeps(&self) -> bool {
        false
    }

    /// Returns an answer that was kept for this requester.
    ///
    /// # Errors
    /// The same refusal whether there is none, it is somebody else's, or it has expired.
    async fn fetch(&self, _requester: Subject, _result: Uuid) -> Result<Answer, Refusal> {
        Err(no_such_result())
    }

    /// Checks that an answer that was kept may still be given: the question might be asked today, as far as its parts came
    /// from `contributed`. Nothing is asked.
    ///
    /// # Errors
    /// The project, purpose or agreement that it lacks now.
    async fn still_granted(
        &self,
        _requester: &Subject,
        _question: Question,
        _contributed: &[JurisdictionId],
    ) -> Result<(), Refusal> {
        Ok(())
    }

    /// Returns the tables that a question can name here.
    fn catalog(&self) -> Arc<Catalog>;

    /// Returns this node's jurisdiction, and those of its tables that cannot be read.
    fn unavailable(&self) -> Option<(JurisdictionId, Vec<Unavailable>)> {
        None
    }

    /// Returns the tables that other members cannot read, as they told last.
    fn unavailable_elsewhere(&self) -> BTreeMap<JurisdictionId, Vec<TableRef>> {
        BTreeMap::new()
    }
}

/// Returns the refusal for a result that cannot be fetched, whatever the reason.
#[must_use]
pub fn no_such_result() -> Refusal {
    Refusal::new(Code::UnknownName, "there is no such result")
        .with_rule("a result is kept for the one who asked, until it expires")
        .with_remedy("ask again, or ask the node that answered")
}
