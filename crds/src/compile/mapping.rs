//! Check of a mapping's SQL expression, and the columns that it reads.
//!
//! A mapping is written by the owner and trusted to be what the owner wants to share; it is not trusted to be well made. It
//! is evaluated row by row and always the same way, so it has no aggregate, window, subquery or clock in it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, Ident, Query, Value, ValueWithSpan, Visit, Visitor};
use sqlparser::tokenizer::Token;

use wanqu_model::aggregates::{WINDOW_FUNCTIONS, aggregate};
use wanqu_sql::{Text, Unread};

/// Deeper nesting than this is refused.
const RECURSION_LIMIT: usize = 64;

/// Columns that a mapping expression reads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reads {
    /// All columns that it names.
    pub(super) columns: BTreeSet<String>,
    /// The column, if the whole expression is one column.
    pub(super) bare: Option<String>,
}

/// Functions that do not give the same value for the same row every time.
const VOLATILE: &[&str] = &[
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "now",
    "rand",
    "random",
    "today",
    "uuid",
    "gen_random_uuid",
    "version",
];

/// Parses an expression and checks that it may stand in a mapping.
///
/// # Errors
/// The fault and its remedy.
pub(super) fn read(expression: &str) -> Result<Reads, (String, &'static str)> {
    let text = Text::new(expression).map_err(|unread| not_sql(&unread))?;
    // The node puts the text into a statement of its own; a comment could swallow what stands behind it.
    if text.has_comment() {
        return Err(("it has a comment".to_owned(), "say it in a comment of the manifest"));
    }
    let read = text.parse(RECURSION_LIMIT, |parser| {
        let parsed = parser.parse_expr()?;
        if parser.peek_token_ref().token != Token::EOF {
            return Ok(Err((format!("not an SQL expression: there is more after {parsed}"), "write one expression")));
        }
        let mut reader = Reader { columns: BTreeSet::new() };
        if let ControlFlow::Break(problem) = parsed.visit(&mut reader) {
            return Ok(Err(problem));
        }
        let bare = match &parsed {
            Expr::Identifier(name) => Some(normal(name)),
            _ => None,
        };
        Ok(Ok(Reads { columns: reader.columns, bare }))
    });
    read.map_err(|unread| not_sql(&unread))?
}

/// Returns what is wrong with a text that was not read, and what to do.
fn not_sql(unread: &Unread) -> (String, &'static str) {
    match unread {
        Unread::Invalid(error) => (format!("not an SQL expression: {error}"), ""),
        Unread::TooLong { .. } => (
            format!("not an SQL expression that can be read: {unread}"),
            "look for an error in the innermost brackets, or use fewer within each other",
        ),
        Unread::TooDeep { .. } => {
            (format!("not an SQL expression that can be read: {unread}"), "use fewer brackets within each other")
        }
    }
}

/// Returns a name as the engine compares it: lower case, unless it is quoted.
fn normal(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

struct Reader {
    columns: BTreeSet<String>,
}

type Step = ControlFlow<(String, &'static str)>;

fn refuse(problem: impl Into<String>, remedy: &'static str) -> Step {
    ControlFlow::Break((problem.into(), remedy))
}

impl Visitor for Reader {
    type Break = (String, &'static str);

    fn pre_visit_query(&mut self, _: &Query) -> Step {
        refuse("it has a subquery", "use only the columns of the row")
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Step {
        match expr {
            Expr::Identifier(name) => {
                self.columns.insert(normal(name));
                Step::Continue(())
            }
            Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => {
                refuse(format!("{expr} is a name of several parts"), "name a column of the dataset by itself")
            }
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => refuse("it has a wildcard", "name the columns"),
            Expr::Lambda(_) => refuse("it has a function of its own", "use only functions that the engine has"),
            Expr::Function(function) => check_function(function),
            _ => Step::Continue(()),
        }
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> Step {
        if matches!(value.value, Value::Placeholder(_)) {
            return refuse("it has a placeholder", "write the value itself");
        }
        Step::Continue(())
    }
}

fn check_function(function: &Function) -> Step {
    const ROWWISE: &str = "a mapping is evaluated row by row";
    let name = function.name.to_string().to_lowercase();
    // The engine knows these too and refuses them where they cannot stand; here they are refused before a node starts.
    if function.over.is_some() || WINDOW_FUNCTIONS.contains(&name.as_str()) {
        return refuse(format!("{name} is a window function here"), ROWWISE);
    }
    if aggregate(&name).is_some() || function.filter.is_some() || !function.within_group.is_empty() {
        return refuse(format!("{name} is an aggregate"), ROWWISE);
    }
    if VOLATILE.contains(&name.as_str()) {
        return refuse(format!("{name} gives another value every time"), "use only what is in the row");
    }
    Step::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wanqu_model::aggregates::AGGREGATES;

    fn columns(expression: &str) -> Vec<String> {
        read(expression).unwrap().columns.into_iter().collect()
    }

    #[test]
    fn every_column_of_a_mapping_is_found() {
        assert_eq!(columns("Cost * 1.1 + COALESCE(extra, 0)"), ["cost", "extra"]);
        assert_eq!(columns("CASE WHEN sex = 'M' THEN 'male' ELSE other END"), ["other", "sex"]);
        assert_eq!(columns("\"Cost\""), ["Cost"]);
        assert_eq!(columns("extract(year from seen_on)"), ["seen_on"]);
        assert_eq!(columns("CAST(a AS DATE) BETWEEN b AND c"), ["a", "b", "c"]);
        assert_eq!(columns("position(a IN b) + substring(c FROM d FOR e)"), ["a", "b", "c", "d", "e"]);
        assert_eq!(columns("x IN (y, z)"), ["x", "y", "z"]);
        assert_eq!(columns("NULL"), Vec::<String>::new());
    }

    #[test]
    fn a_mapping_is_bare_only_if_it_is_a_column_alone() {
        assert_eq!(read("Cost").unwrap().bare.as_deref(), Some("cost"));
        assert_eq!(read("cost + 0").unwrap().bare, None);
    }

    #[test]
    fn no_aggregate_may_stand_in_a_mapping() {
        for row in AGGREGATES {
            for name in row.aliases.iter().chain([&row.name]) {
                let problem = read(&format!("cost + {name}(cost)")).unwrap_err().0;
                assert_eq!(problem, format!("{name} is an aggregate"));
            }
        }
    }

    #[test]
    fn expressions_that_cannot_stand_in_a_mapping_are_refused() {
        let cases = [
            ("sum(cost)", "sum is an aggregate"),
            ("cost - AVG(cost)", "avg is an aggregate"),
            ("mean(cost)", "mean is an aggregate"),
            ("any_value(cost)", "any_value is an aggregate"),
            ("rank()", "rank is a window function here"),
            ("row_number() OVER (ORDER BY cost)", "row_number is a window function here"),
            ("first_value(cost) OVER ()", "first_value is a window function here"),
            ("(SELECT max(cost) FROM t)", "it has a subquery"),
            ("cost IN (SELECT 1)", "it has a subquery"),
            ("EXISTS (SELECT 1)", "it has a subquery"),
            ("now()", "now gives another value every time"),
            ("current_date", "current_date gives another value every time"),
            ("CASE WHEN random() < 0.5 THEN 1 END", "random gives another value every time"),
            ("v.cost", "v.cost is a name of several parts"),
            ("count(*)", "count is an aggregate"),
            ("$1", "it has a placeholder"),
            ("cost -- in yuan", "it has a comment"),
            ("cost /* in yuan */", "it has a comment"),
            ("cost, sex", "not an SQL expression: there is more after cost"),
            ("cost; DROP TABLE t", "not an SQL expression: there is more after cost"),
        ];
        for (expression, problem) in cases {
            assert_eq!(read(expression).unwrap_err().0, problem, "{expression}");
        }
        for bad in ["", "cost +", "'open", "(((("] {
            assert!(read(bad).unwrap_err().0.starts_with("not an SQL expression"), "{bad}");
        }
        assert!(read(&"(".repeat(100_000)).is_err());
    }

    #[test]
    fn an_error_deep_within_brackets_is_refused_in_a_bounded_number_of_steps() {
        let deep = |open: &str, close: &str| format!("{}1 1{}", open.repeat(24), close.repeat(24));
        for expression in [deep("CAST((", ") AS INT)"), deep("CASE (", ") WHEN 1 THEN 2 END")] {
            let (problem, remedy) = read(&expression).unwrap_err();
            assert_eq!(
                problem, "not an SQL expression that can be read: it takes too many steps to read",
                "{expression}"
            );
            assert!(remedy.contains("innermost brackets"), "{remedy}");
        }
    }
}
