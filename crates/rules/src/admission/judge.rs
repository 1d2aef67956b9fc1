//! The state of one judgement, which the walk over a plan carries along.

use datafusion::common::{DFSchemaRef, Result as DfResult};
use datafusion::logical_expr::{Expr, LogicalPlan};
use wanqu_model::bundle::ReleaseRule;
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};

use super::base::{BaseExpr, BaseTables};
use super::finding::PolicyFinding;

/// The state of one judgement.
pub(super) struct Judge<'a> {
    pub(super) owner: &'a JurisdictionId,
    pub(super) rule: ReleaseRule,
    pub(super) tables: BaseTables,
    /// See [`GatedShape::must_be_empty`](super::GatedShape::must_be_empty).
    pub(super) must_be_empty: Vec<LogicalPlan>,
    /// Number of operators between the aggregate and the walk.
    pub(super) depth: usize,
    /// True once the walk is below the aggregate.
    pub(super) aggregating: bool,
    pub(super) findings: Vec<PolicyFinding>,
    pub(super) refusals: Vec<Refusal>,
}

impl<'a> Judge<'a> {
    /// Begins a judgement by the rule of `owner`.
    pub(super) fn new(owner: &'a JurisdictionId, rule: ReleaseRule) -> Self {
        Self {
            owner,
            tables: BaseTables::new(rule.min_units > 1),
            rule,
            must_be_empty: vec![],
            depth: 0,
            aggregating: false,
            findings: vec![],
            refusals: vec![],
        }
    }

    /// Returns true if cells need more than one unit, so that weights matter.
    pub(super) fn counts_units(&self) -> bool {
        self.tables.is_guarded()
    }

    /// Rewrites an expression over the columns of `input` into one over base columns. `None` if that is refused; the
    /// refusal is on record.
    pub(super) fn over_base(&mut self, expr: &Expr, input: &LogicalPlan, columns: &[BaseExpr]) -> Option<BaseExpr> {
        self.over_base_in(expr, input.schema(), columns)
    }

    /// Does the same for an expression over a schema.
    pub(super) fn over_base_in(&mut self, expr: &Expr, schema: &DFSchemaRef, columns: &[BaseExpr]) -> Option<BaseExpr> {
        match self.tables.over_base(expr, schema, columns) {
            Ok(rewritten) => Some(rewritten),
            Err(refusal) => {
                self.refuse("SELECT", refusal);
                None
            }
        }
    }

    /// Takes a plan node that was put together from checked parts. `None` if that failed; a refusal is on record.
    pub(super) fn built<T>(&mut self, built: DfResult<T>) -> Option<T> {
        match built {
            Ok(built) => Some(built),
            Err(error) => {
                tracing::error!(owner = %self.owner, "a judged plan cannot be put together: {}", error.strip_backtrace());
                self.refuse(
                    "SELECT",
                    Refusal::new(Code::InvalidSql, "the query cannot be planned as it would be released")
                        .with_remedy("write it in another form, with a name of its own for each column"),
                );
                None
            }
        }
    }
}
