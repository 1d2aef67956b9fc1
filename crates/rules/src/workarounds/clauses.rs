//! Clauses that sqlparser reads and DataFusion passes over without a word: `FOR UPDATE`, `PREWHERE`, `SETTINGS` and others.
//! No part of a query is ignored: it is done or refused.
//!
//! `FETCH FIRST n ROWS ONLY`, which DataFusion knows but does not plan, is written as LIMIT here.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::functions_window::all_default_window_functions;
use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Fetch, Function, FunctionArgumentClause, FunctionArguments, GroupByExpr, Join,
    JoinConstraint, JoinOperator, LimitClause, NamedWindowDefinition, NamedWindowExpr, Query, Select, SelectFlavor,
    SelectItem, TableFactor, Value, WindowSpec, WindowType,
};
use wanqu_model::refusal::{Code, Refusal};

/// Refuses a clause by its name.
pub(super) fn refuse<T>(clause: &str, remedy: &str) -> ControlFlow<Box<Refusal>, T> {
    ControlFlow::Break(Box::new(
        Refusal::new(Code::InvalidSql, format!("{clause} is not supported"))
            .with_rule("no part of a query is ignored: it is done or refused")
            .with_remedy(remedy),
    ))
}

/// Refuses the first of these clauses that is there.
fn refuse_any(clauses: &[(bool, &str, &str)]) -> ControlFlow<Box<Refusal>> {
    match clauses.iter().find(|(there, ..)| *there) {
        Some((_, clause, remedy)) => refuse(clause, remedy),
        None => ControlFlow::Continue(()),
    }
}

/// Checks the clauses of a query around its SELECT, and writes FETCH as LIMIT.
pub(super) fn check_query(query: &mut Query) -> ControlFlow<Box<Refusal>> {
    refuse_any(&[
        (!query.locks.is_empty(), "FOR UPDATE or FOR SHARE", "leave it out: a query only reads"),
        (query.for_clause.is_some(), "FOR XML, FOR JSON or FOR BROWSE", "choose the format where you ask"),
        (query.settings.is_some(), "SETTINGS", "leave it out"),
        (query.format_clause.is_some(), "FORMAT", "choose the format where you ask"),
        (
            query.order_by.as_ref().is_some_and(|order| order.interpolate.is_some()),
            "INTERPOLATE in ORDER BY",
            "leave it out",
        ),
    ])?;
    let Some(fetch) = query.fetch.take() else { return ControlFlow::Continue(()) };
    let Fetch { with_ties, percent, quantity } = fetch;
    refuse_any(&[
        (with_ties, "FETCH … WITH TIES", "filter by rank() in a derived table"),
        (percent, "FETCH … PERCENT", "write FETCH FIRST n ROWS ONLY"),
    ])?;
    let rows = quantity.unwrap_or_else(|| Expr::value(Value::Number("1".to_owned(), false)));
    query.limit_clause = match query.limit_clause.take() {
        None => Some(LimitClause::LimitOffset { limit: Some(rows), offset: None, limit_by: vec![] }),
        Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) => {
            Some(LimitClause::LimitOffset { limit: Some(rows), offset, limit_by })
        }
        Some(_) => return refuse("FETCH beside LIMIT", "write one of them"),
    };
    ControlFlow::Continue(())
}

/// Checks the clauses of a SELECT.
pub(super) fn check_select(select: &Select) -> ControlFlow<Box<Refusal>> {
    let modifiers = match &select.group_by {
        GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => !modifiers.is_empty(),
    };
    refuse_any(&[
        (select.into.is_some(), "SELECT INTO", "a query only reads: leave INTO out"),
        (select.top.is_some() || select.top_before_distinct, "TOP", "write LIMIT"),
        (!select.lateral_views.is_empty(), "LATERAL VIEW", "join LATERAL or unnest(…)"),
        (select.prewhere.is_some(), "PREWHERE", "write WHERE"),
        (!select.connect_by.is_empty(), "CONNECT BY", "write WITH RECURSIVE"),
        (!select.cluster_by.is_empty(), "CLUSTER BY", "leave it out"),
        (!select.distribute_by.is_empty(), "DISTRIBUTE BY", "leave it out"),
        (!select.sort_by.is_empty(), "SORT BY", "write ORDER BY"),
        (select.value_table_mode.is_some(), "SELECT AS STRUCT or AS VALUE", "name the columns"),
        (select.exclude.is_some(), "EXCLUDE behind the columns", "write * EXCLUDE (…)"),
        (select.select_modifiers.is_some(), "a modifier behind SELECT", "leave it out"),
        (select.flavor == SelectFlavor::FromFirstNoSelect, "FROM without SELECT", "write SELECT * FROM …"),
        (modifiers, "WITH ROLLUP, CUBE or TOTALS", "write GROUP BY ROLLUP (…)"),
    ])?;
    let picks = |item: &SelectItem| match item {
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => options.opt_ilike.is_some(),
        _ => false,
    };
    refuse_any(&[(select.projection.iter().any(picks), "* ILIKE", "name the columns, or write * EXCLUDE (…)")])?;
    for NamedWindowDefinition(_, window) in &select.named_window {
        if let NamedWindowExpr::WindowSpec(window) = window {
            check_refined(window)?;
        }
    }
    for join in select.from.iter().flat_map(|from| &from.joins) {
        check_join(join)?;
    }
    ControlFlow::Continue(())
}

/// Refuses an outer join without a condition, which would pair all rows with all.
fn check_join(join: &Join) -> ControlFlow<Box<Refusal>> {
    let unconditional = matches!(
        join.join_operator,
        JoinOperator::Left(JoinConstraint::None)
            | JoinOperator::LeftOuter(JoinConstraint::None)
            | JoinOperator::Right(JoinConstraint::None)
            | JoinOperator::RightOuter(JoinConstraint::None)
            | JoinOperator::FullOuter(JoinConstraint::None)
    );
    refuse_any(&[
        (unconditional, "an outer join without ON or USING", "write ON, or CROSS JOIN"),
        (join.global, "GLOBAL JOIN", "write JOIN"),
    ])
}

/// Refuses a window that refines a named one: the engine forgets what the named one says.
pub(super) fn check_window(function: &Function) -> ControlFlow<Box<Refusal>> {
    match &function.over {
        Some(WindowType::WindowSpec(window)) => check_refined(window),
        _ => ControlFlow::Continue(()),
    }
}

fn check_refined(window: &WindowSpec) -> ControlFlow<Box<Refusal>> {
    match &window.window_name {
        Some(name) => refuse(
            &format!("the window ({name} …), which refines another,"),
            "write OVER with the name alone, or the whole window between the parentheses",
        ),
        None => ControlFlow::Continue(()),
    }
}

/// Names of the functions that aggregate, and of those of windows.
static AGGREGATES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let functions = all_default_aggregate_functions();
    functions.iter().flat_map(|function| names(function.name(), function.aliases())).collect()
});
static WINDOWS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let functions = all_default_window_functions();
    functions.iter().flat_map(|function| names(function.name(), function.aliases())).collect()
});

fn names(name: &str, aliases: &[String]) -> Vec<String> {
    aliases.iter().cloned().chain([name.to_owned()]).collect()
}

/// Functions of windows that pass over NULLs where they are told to.
const BY_VALUE: [&str; 5] = ["lag", "lead", "first_value", "last_value", "nth_value"];

/// Refuses what stands with a call where the engine would pass it over: DISTINCT in some aggregates and in functions of windows, and
/// all that belongs to aggregates and windows where a function is neither.
pub(super) fn check_call(function: &Function) -> ControlFlow<Box<Refusal>> {
    let name = function.name.to_string().to_lowercase();
    let list = match &function.args {
        FunctionArguments::List(list) => Some(list),
        _ => None,
    };
    let is_clause =
        |clause: fn(&FunctionArgumentClause) -> bool| list.is_some_and(|list| list.clauses.iter().any(clause));
    let distinct = list.is_some_and(|list| list.duplicate_treatment == Some(DuplicateTreatment::Distinct));
    let ordered = is_clause(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
    let nulls = function.null_treatment.is_some()
        || is_clause(|clause| matches!(clause, FunctionArgumentClause::IgnoreOrRespectNulls(_)));
    let (aggregates, of_window) = (AGGREGATES.contains(&name), WINDOWS.contains(&name));
    let left_out = "leave it out: it belongs to aggregates and functions of windows";
    if !aggregates && !of_window {
        return refuse_any(&[
            (function.filter.is_some(), &format!("FILTER behind {name}"), left_out),
            (function.over.is_some(), &format!("OVER behind {name}"), left_out),
            (distinct, &format!("DISTINCT in {name}"), left_out),
            (ordered || !function.within_group.is_empty(), &format!("ORDER BY in {name}"), left_out),
            (nulls, &format!("IGNORE or RESPECT NULLS with {name}"), left_out),
        ]);
    }
    let by_window = of_window && function.over.is_some();
    let passed_over = ["regr_count", "nth_value", "approx_percentile_cont", "approx_percentile_cont_with_weight"];
    refuse_any(&[
        (
            distinct && (by_window && (!aggregates || BY_VALUE.contains(&&*name)) || passed_over.contains(&&*name)),
            &format!("DISTINCT in {name}"),
            "aggregate over a derived table: FROM (SELECT DISTINCT … FROM …) AS t",
        ),
        (
            nulls && by_window && !BY_VALUE.contains(&&*name),
            &format!("IGNORE or RESPECT NULLS with {name}"),
            "leave it out: it is for lag, lead, first_value, last_value and nth_value",
        ),
    ])
}

/// Checks what stands beside a table in FROM.
pub(super) fn check_table(factor: &TableFactor) -> ControlFlow<Box<Refusal>> {
    match factor {
        TableFactor::Table {
            name,
            args,
            alias,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => refuse_any(&[
            (sample.is_some(), "TABLESAMPLE", "leave it out, or filter by a column"),
            (version.is_some(), "a table's version (AS OF)", "leave it out"),
            (!partitions.is_empty(), "PARTITION", "filter by a column"),
            (!with_hints.is_empty() || !index_hints.is_empty(), "a hint on a table", "leave it out"),
            (json_path.is_some(), "a path behind a table", "leave it out"),
            (*with_ordinality, "WITH ORDINALITY", "use row_number()"),
            (alias.as_ref().is_some_and(|alias| alias.at.is_some()), "AT behind an alias", "leave it out"),
            (args.is_some() && name.0.len() > 1, "a call of a table", "write the table's name"),
        ]),
        TableFactor::Derived { sample, .. } => {
            refuse_any(&[(sample.is_some(), "TABLESAMPLE", "leave it out, or filter by a column")])
        }
        TableFactor::NestedJoin { table_with_joins, .. } => {
            for join in &table_with_joins.joins {
                check_join(join)?;
            }
            ControlFlow::Continue(())
        }
        TableFactor::Pivot { .. } => {
            refuse("PIVOT", "write an aggregate for each value: sum(v) FILTER (WHERE s = 'a')")
        }
        TableFactor::Unpivot { .. } => refuse("UNPIVOT", "write a SELECT for each column, joined by UNION ALL"),
        TableFactor::MatchRecognize { .. } => refuse("MATCH_RECOGNIZE", "use window functions"),
        TableFactor::Function { with_ordinality, .. } => {
            refuse_any(&[(*with_ordinality, "WITH ORDINALITY", "use row_number()")])
        }
        _ => ControlFlow::Continue(()),
    }
}
