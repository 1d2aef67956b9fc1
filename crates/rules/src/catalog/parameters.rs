//! Types of the parameters of a query, as far as its text tells them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::datatypes::DataType;
use datafusion::sql::planner::SqlToRel;
use wanqu_model::refusal::Refusal;

use super::sql::{Names, parse_query, parsed_numbers, planning_state};
use super::stack::{self, with_room};
use super::{Catalog, weight};
use crate::workarounds::{self, NamedCasts};

impl Catalog {
    /// Returns the types of the parameters `$1` to `$count`; `None` for one whose type the text does not tell. A text that
    /// cannot be planned tells none.
    #[must_use]
    pub fn parameter_types(&self, sql: &str, count: usize, max_bytes: usize) -> Vec<Option<DataType>> {
        let typed = with_room(|| catch_unwind(AssertUnwindSafe(|| self.typed(sql, count, max_bytes))));
        typed.ok().and_then(Result::ok).unwrap_or_else(|| vec![None; count])
    }

    /// Plans the text as it stands. The plan is thrown away: nothing is judged by it.
    fn typed(&self, sql: &str, count: usize, max_bytes: usize) -> Result<Vec<Option<DataType>>, Refusal> {
        let mut statement = parse_query(sql, max_bytes)?;
        stack::check_statement(&statement)?;
        weight::check_statement(&statement)?;
        workarounds::prepare_statement(&mut statement)?;
        let names = Names { catalog: self, state: planning_state(), casts: NamedCasts::default() };
        let types = SqlToRel::new_with_options(&names, parsed_numbers())
            .sql_statement_to_plan(statement)
            .and_then(|plan| plan.get_parameter_types());
        let types = types.unwrap_or_default();
        let kind = |number: usize| types.get(&format!("${number}")).cloned().flatten();
        Ok((1..=count).map(kind).map(|kind| kind.filter(|kind| !kind.is_null())).collect())
    }
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
