//! Errors of the engine's planner in words for the one who wrote the query. No data has been read when they are made.
//!
//! The engine names its own rules, kinds of errors and types, prints parts of plans, and asks for bug reports. What a query's
//! writer can use is kept; where nothing of it is, there are no words.

use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, SchemaError};

/// The engine's own words for kinds of errors, in front of what it says.
const KINDS: [&str; 10] = [
    "Error during planning: ",
    "Schema error: ",
    "This feature is not implemented: ",
    "Arrow error: ",
    "Cast error: ",
    "Parser error: ",
    "Compute error: ",
    "Execution error: ",
    "SQL error: ",
    "sql parser error: ",
];

/// Parts of texts that show plans, expressions or faults of the engine.
const DUMPS: [&str; 14] = [
    "Internal error",
    "bug in DataFusion",
    "groupBy=[",
    "Projection:",
    "TableScan:",
    "Filter:",
    "SubqueryAlias:",
    "Subquery:",
    "<subquery>",
    "ScalarSubquery",
    "OuterReferenceColumn",
    "__correlated",
    "__checked",
    "{ ",
];

/// Types as the engine calls them, and as SQL does. Longer names come before those that begin like them.
const TYPES: [(&str, &str); 18] = [
    ("LargeUtf8", "VARCHAR"),
    ("Utf8View", "VARCHAR"),
    ("Utf8", "VARCHAR"),
    ("BinaryView", "BYTEA"),
    ("Int64", "BIGINT"),
    ("Int32", "INT"),
    ("Int16", "SMALLINT"),
    ("Int8", "TINYINT"),
    ("Float64", "DOUBLE"),
    ("Float32", "REAL"),
    ("Decimal128", "DECIMAL"),
    ("Decimal256", "DECIMAL"),
    ("Date32", "DATE"),
    ("Boolean", "BOOLEAN"),
    ("Interval(MonthDayNano)", "INTERVAL"),
    ("Duration(µs)", "INTERVAL"),
    ("Timestamp(µs)", "TIMESTAMP"),
    ("Timestamp(ns)", "TIMESTAMP"),
];

/// The engine's words for operands that do not fit together: what stands before them, what behind them, and words for both.
const OPERANDS: [(&str, &str, &str); 6] = [
    ("Cannot infer common argument type for comparison operation ", "", "there is no comparison "),
    ("Cannot infer common argument type for logical boolean operation ", "", "there is no operation "),
    ("Cannot coerce arithmetic expression ", " to valid types", "there is no operation "),
    ("Cannot get result type for temporal operation ", ": ", "there is no operation "),
    ("Can not find compatible types to compare ", "", "there is no comparison of "),
    ("Function '", "' user-defined coercion failed", "the types of the arguments do not fit together in the function "),
];

/// Returns what an error of planning says; `None` if it is of no use to the one who wrote the query.
#[must_use]
pub(crate) fn planning_words(error: &DataFusionError) -> Option<String> {
    match error.find_root() {
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::Configuration(text)
        | DataFusionError::NotImplemented(text) => said(text),
        // Inside of a rule it is the rule that lost the column.
        DataFusionError::SchemaError(schema, _) if !is_wrapped(error) => said(&of_schema(schema)),
        DataFusionError::SQL(parser, _) => said(&parser.to_string()),
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::DivideByZero => Some("a division by zero".to_owned()),
            ArrowError::CastError(text)
            | ArrowError::ComputeError(text)
            | ArrowError::ParseError(text)
            | ArrowError::InvalidArgumentError(text)
            | ArrowError::ArithmeticOverflow(text)
            | ArrowError::NotYetImplemented(text) => said(text),
            _ => None,
        },
        DataFusionError::External(external) => regex_words(&external.to_string()),
        _ => None,
    }
}

/// Returns what is wrong with a regular expression; `None` if an error is about something else.
pub(crate) fn regex_words(text: &str) -> Option<String> {
    let at = text.find("regex parse error")?;
    let why = text[at..].lines().find_map(|line| line.trim().strip_prefix("error: "))?;
    Some(format!("a regular expression cannot be read: {why}"))
}

fn is_wrapped(error: &DataFusionError) -> bool {
    matches!(error, DataFusionError::Context(rule, _) if rule.starts_with("Optimizer rule"))
}

fn of_schema(error: &SchemaError) -> String {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let there: Vec<String> = valid_fields.iter().map(|column| column.name.clone()).collect();
            let mut names: Vec<String> = vec![];
            for name in there {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let there = if names.is_empty() { String::new() } else { format!("; there are {}", names.join(", ")) };
            format!("there is no column {}{there}", field.flat_name())
        }
        SchemaError::AmbiguousReference { field } => {
            format!("the column {} could be that of several tables", field.flat_name())
        }
        SchemaError::DuplicateQualifiedField { qualifier, name } => {
            format!("two tables of the query are called {qualifier}, and both have a column {name}")
        }
        SchemaError::DuplicateUnqualifiedField { name } => format!("two columns are called {name}"),
    }
}

/// Returns a text without the engine's own words; `None` if nothing is left that says something.
fn said(text: &str) -> Option<String> {
    if let Some(call) = text.split("argument types '").nth(1).and_then(|rest| rest.split('\'').next()) {
        return Some(format!("no function has these arguments: {}", with_sql_types(call)));
    }
    if text.contains("would exceed max scale") {
        return Some("a product of decimals has more than 38 digits after the point".to_owned());
    }
    let mut text = text.lines().next().unwrap_or_default().trim();
    while let Some(rest) = KINDS.iter().find_map(|kind| text.strip_prefix(kind)) {
        text = rest;
    }
    let operands = OPERANDS.iter().find_map(|(before, behind, words)| {
        let operands = text.strip_prefix(before)?;
        let operands = if behind.is_empty() { operands } else { operands.split(behind).next()? };
        Some(format!("{words}{operands}"))
    });
    let text = operands.unwrap_or_else(|| text.to_owned());
    // A table that is called like a column has another name while its query is planned.
    let text = with_sql_types(&text.replace("count(Int64(1))", "count(*)").replace(":table.", "."));
    (!text.is_empty() && !DUMPS.iter().any(|dump| text.contains(dump))).then_some(text)
}

/// Returns a text with types as SQL calls them. Names of columns such as `Int64(1)` stay.
pub(crate) fn with_sql_types(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    let mut inside_word = false;
    while let Some(next) = rest.chars().next() {
        let found = TYPES.iter().find(|(engine, _)| {
            !inside_word
                && rest.strip_prefix(engine).is_some_and(|after| {
                    let ends = |c: char| !c.is_alphanumeric() && c != '_';
                    after.chars().next().is_none_or(|c| ends(c) && (c != '(' || engine.starts_with("Decimal")))
                })
        });
        if let Some((engine, sql)) = found {
            said.push_str(sql);
            rest = &rest[engine.len()..];
            inside_word = true;
        } else {
            said.push(next);
            rest = &rest[next.len_utf8()..];
            inside_word = next.is_alphanumeric() || next == '_';
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_writer_can_use_is_said() {
        let plan = |text: &str| planning_words(&DataFusionError::Plan(text.to_owned()));
        assert_eq!(
            plan("Cannot coerce arithmetic expression Int64 + Utf8View to valid types").as_deref(),
            Some("there is no operation BIGINT + VARCHAR"),
        );
        for (engine, words) in [
            (
                "Cannot infer common argument type for comparison operation Interval(MonthDayNano) = Utf8",
                "there is no comparison INTERVAL = VARCHAR",
            ),
            (
                "Cannot get result type for temporal operation Date32 * Int64: Invalid argument error: Invalid date",
                "there is no operation DATE * BIGINT",
            ),
            (
                "Function 'coalesce' user-defined coercion failed with: Execution error: Expect to get struct",
                "the types of the arguments do not fit together in the function coalesce",
            ),
        ] {
            assert_eq!(plan(engine).as_deref(), Some(words));
        }
        let sum = "Internal error: Function 'sum' failed to match any signature. No function matches the given name and \
                   argument types 'sum(Utf8View)'. You might need to add explicit type casts.";
        assert_eq!(plan(sum).as_deref(), Some("no function has these arguments: sum(VARCHAR)"));
        for dump in ["Aggregate: groupBy=[[a]]", "Correlated scalar subquery in Subquery: x", "Internal error: x"] {
            assert_eq!(plan(dump), None, "{dump}");
        }
        assert_eq!(plan("one column: k:table.k, k:table.v").as_deref(), Some("one column: k.k, k.v"));
        assert_eq!(plan("Int64(1) > Int64 and MyInt64").as_deref(), Some("Int64(1) > BIGINT and MyInt64"));
    }

    #[test]
    fn a_column_that_a_rule_lost_is_not_the_writers() {
        let lost = || {
            let field = Box::new(datafusion::common::Column::from_name("k"));
            DataFusionError::SchemaError(
                Box::new(SchemaError::FieldNotFound { field, valid_fields: vec![] }),
                Box::new(None),
            )
        };
        assert_eq!(planning_words(&lost()).as_deref(), Some("there is no column k"));
        let in_a_rule = DataFusionError::Context("Optimizer rule 'x' failed".to_owned(), Box::new(lost()));
        assert_eq!(planning_words(&in_a_rule), None);
    }

    #[test]
    fn a_pattern_that_cannot_be_read_is_said_to_be_one() {
        let text = "regex parse error:\n    (\n    ^\nerror: unclosed group";
        let error = DataFusionError::External(text.into());
        assert_eq!(planning_words(&error).as_deref(), Some("a regular expression cannot be read: unclosed group"));
    }
}
