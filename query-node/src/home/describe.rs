//! Description of a question: it is read, planned and judged as one that is asked, and nobody is asked.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use tokio_util::sync::CancellationToken;
use wanqu_model::answer::Question;
use wanqu_model::bundle::Subject;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::admission;
use wanqu_rules::catalog::arrow_schema;
use wanqu_rules::parameters::{Parameters, literal};

use super::keepable::keepable;
use super::kind::{Kind, kind_of};
use super::shown::Marks;
use super::{Described, Home, planned, settings, text_columns};
use crate::state::NodeState;
use crate::stay;

impl Home {
    /// Returns the columns of a question's answer, and the types of its parameters.
    pub(super) async fn described(
        &self,
        requester: &Subject,
        question: Question,
        cancel: &CancellationToken,
    ) -> Result<Described, Refusal> {
        let state = self.live.now();
        state.grants()?;
        let question = settings::settled(question)?;
        let parameters = Parameters::of(&question.sql)?;
        if parameters.count() == 0 {
            let columns = self.columns(&state, requester, &question, cancel).await?;
            return Ok(Described { columns: Some(columns), parameters: Vec::new() });
        }
        let types = types(&state, &parameters, &question.sql).await?;
        let unknown = types.iter().map(|kind| unknown_value(kind.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let question = Question { sql: parameters.bound(&question.sql, &unknown)?, ..question };
        let columns = match self.columns(&state, requester, &question, cancel).await {
            Ok(columns) => Some(columns),
            Err(refusal) if depends_on_values(refusal.code) => None,
            Err(refusal) => return Err(refusal),
        };
        Ok(Described { columns, parameters: types })
    }

    /// Returns the columns of the answer to a question without parameters.
    async fn columns(
        &self,
        state: &NodeState,
        requester: &Subject,
        question: &Question,
        cancel: &CancellationToken,
    ) -> Result<SchemaRef, Refusal> {
        let plan = match kind_of(&question.sql) {
            Kind::Query(sql) => planned(state, sql, cancel).await?.verdict?,
            Kind::Explain(sql) => {
                planned(state, sql, cancel).await?.verdict?;
                return Ok(text_columns("plan"));
            }
            Kind::ExplainPolicy(sql) => {
                let planned = planned(state, sql, cancel).await?;
                return match planned.verdict {
                    Err(refusal) if planned.findings.is_empty() => Err(refusal),
                    _ => Ok(admission::to_batch(&[]).schema()),
                };
            }
        };
        if question.keep.is_some() {
            keepable(&arrow_schema(&plan.merge))?;
        }
        self.agreements(state, requester, question, &plan, |_| question.partial)?;
        let marks = Marks { in_plan: plan.marked, untold: false, shown: question.mark_incomplete };
        Ok(marks.schema(&arrow_schema(&plan.merge)))
    }
}

/// Returns the types of parameters. Planning may take a while for a large text: not on a thread that serves others.
async fn types(state: &NodeState, parameters: &Parameters, sql: &str) -> Result<Vec<Option<DataType>>, Refusal> {
    let (catalog, bytes) = (state.planner.catalog().clone(), state.bundle.limits.sql_bytes as usize);
    let (text, count, held) = (parameters.numbered(sql), parameters.count(), stay::current());
    let types = tokio::task::spawn_blocking(move || {
        let _held = held;
        catalog.parameter_types(&text, count, bytes)
    });
    types.await.map_err(|_| Refusal::new(Code::Internal, "the planner failed on this query"))
}

/// Returns the literal that stands for a value which is not known yet: NULL of its type.
fn unknown_value(kind: Option<&DataType>) -> Result<String, Refusal> {
    let null = kind.map_or(Ok(ScalarValue::Null), ScalarValue::try_from);
    literal(&null.unwrap_or(ScalarValue::Null)).or_else(|_| literal(&ScalarValue::Null))
}

/// Returns true for a refusal that values of the parameters could lift: with NULL in their places a condition is another.
fn depends_on_values(code: Code) -> bool {
    !matches!(
        code,
        Code::UnknownName | Code::NotAQuery | Code::Purpose | Code::Requester | Code::Limit | Code::Cancelled
    )
}
