//! Types of the parameters of a query, as far as its text tells them.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::datatypes::DataType;
use datafusion::common::Result as DfResult;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::planner::SqlToRel;
use wanqu_model::refusal::Refusal;

use super::sql::{Names, parse_query, parsed_numbers, planning_state};
use super::stack::{self, with_room};
use super::{Catalog, weight};
use crate::workarounds::NamedCasts;

impl Catalog {
    /// Returns the types of the parameters `$1` to `$count`; `None` for one whose type the text does not tell. A text that
    /// cannot be planned tells none.
    #[must_use]
    pub fn parameter_types(&self, sql: &str, count: usize, max_bytes: usize) -> Vec<Option<DataType>> {
        let typed = with_room(|| catch_unwind(AssertUnwindSafe(|| self.typed(sql, count, max_bytes))));
        typed.ok().and_then(Result::ok).unwrap_or_else(|| vec![None; count])
    }

    /// Plans the text as it stands, without the corrections that a query gets before it is judged: the plan is thrown away.
    fn typed(&self, sql: &str, count: usize, max_bytes: usize) -> Result<Vec<Option<DataType>>, Refusal> {
        let statement = parse_query(sql, max_bytes)?;
        stack::check_statement(&statement)?;
        weight::check_statement(&statement)?;
        let names = Names { catalog: self, state: planning_state(), casts: NamedCasts::default() };
        let plan = SqlToRel::new_with_options(&names, parsed_numbers()).sql_statement_to_plan(statement);
        let known = plan.and_then(|plan| {
            // A comparison decides before a cast does: a cast takes values of many types.
            let (compared, cast) = (plan.get_parameter_types()?, cast_types(&plan)?);
            Ok((compared, cast))
        });
        let (compared, cast) = known.unwrap_or_default();
        let kind = |number: usize| {
            let id = format!("${number}");
            compared.get(&id).cloned().flatten().or_else(|| cast.get(&id).cloned())
        };
        Ok((1..=count).map(kind).map(|kind| kind.filter(|kind| !kind.is_null())).collect())
    }
}

/// Returns the types that parameters are cast to.
fn cast_types(plan: &LogicalPlan) -> DfResult<HashMap<String, DataType>> {
    let mut types = HashMap::new();
    plan.apply_with_subqueries(|plan| {
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Cast(cast) = expr
                    && let Expr::Placeholder(placeholder) = cast.expr.as_ref()
                {
                    types.entry(placeholder.id.clone()).or_insert_with(|| cast.field.data_type().clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_by_what_a_parameter_is_compared_with() {
        let catalog = Catalog::default();
        let types = |sql: &str, count| catalog.parameter_types(sql, count, 1 << 20);
        assert_eq!(types("SELECT CAST($1 AS DATE) AS d, $2 AS x", 2), [Some(DataType::Date32), None]);
        let compared = "SELECT a FROM (VALUES (1)) AS t(a) WHERE a > $1 AND a < $2";
        assert_eq!(types(compared, 2), [Some(DataType::Int64), Some(DataType::Int64)]);
        assert_eq!(types("SELECT $1 +", 1), [None]);
        assert_eq!(types("SELECT 1 FROM no.such.table WHERE a = $1", 1), [None]);
    }
}
