//! Functions whose results could be of any size, over rows and while constants are folded.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::SessionContext;
use prometheus_client::metrics::gauge::Gauge;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::{analyse, planning_state};
use wanqu_rules::{checked, refusal_over_public};

use super::GaugedPool;

/// Runs a query over rows that are given, as an owner runs one over a public table.
async fn run(sql: &str) -> Result<usize, Refusal> {
    let context = SessionContext::new_with_state(planning_state().clone());
    let refused = |error| refusal_over_public(&error);
    let plan = context.state().create_logical_plan(sql).await.map_err(refused)?;
    let plan = checked(analyse(plan).map_err(refused)?, false).map_err(refused)?;
    let rows = context.execute_logical_plan(plan).await.map_err(refused)?;
    let batches = rows.collect().await.map_err(refused)?;
    Ok(batches.iter().map(arrow::array::RecordBatch::get_array_memory_size).sum())
}

#[tokio::test]
async fn what_grows_is_refused_before_it_is_made_of_constants_and_of_rows() {
    let texts = "(VALUES ('a', 2000000000), ('bcd', 3)) AS t(x, n)";
    for (expression, from) in [
        ("repeat('x', 1000000000)", ""),
        ("lpad('x', 1000000000)", ""),
        ("rpad('x', 1000000000, 'yz')", ""),
        ("array_repeat('x', 1000000000)", ""),
        ("array_repeat(repeat('x', 60000), 60000)", ""),
        ("range(1000000000)", ""),
        ("range(1, 1000000000)", ""),
        ("generate_series(1, 1000000000, 2)", ""),
        ("generate_series(1000000000, 1, -1)", ""),
        ("generate_series(DATE '1900-01-01', DATE '2100-01-01', INTERVAL '1 second')", ""),
        ("replace(repeat('x', 60000), 'x', repeat('y', 60000))", ""),
        ("regexp_replace(repeat('x', 60000), 'x', repeat('y', 60000), 'g')", ""),
        ("concat(repeat('x', 60000), repeat('y', 60000))", ""),
        ("array[repeat('x', 60000), repeat('y', 60000)]", ""),
        ("[repeat('x', 60000), repeat('y', 60000)]", ""),
        ("make_array(repeat('x', 60000), repeat('y', 60000))", ""),
        ("array[repeat('x', 60000)] || array[repeat('y', 60000)]", ""),
        ("array[repeat('x', 60000)] || repeat('y', 60000)", ""),
        ("repeat('x', 60000) || array[repeat('y', 60000)]", ""),
        ("array_resize(array[1], 1000000000, 0)", ""),
        ("array_replace_all(array_repeat('a', 2000), 'a', repeat('y', 1000))", ""),
        ("array_to_string(array_repeat(true, 3000), repeat('y', 1000))", ""),
        ("overlay(repeat('x', 60000) PLACING repeat('y', 60000) FROM 1)", ""),
        ("encode(repeat('x', 60000), 'hex')", ""),
        ("regexp_match(repeat('x', 60000), '((x*))')", ""),
        ("to_char(DATE '2020-01-01', repeat('%c', 30000))", ""),
        ("string_to_array(repeat('x,', 30000), ',')", ""),
        ("concat_ws(repeat('x', 60000), 'a', 'b', 'c')", ""),
        ("repeat(x, n)", texts),
        ("lpad(x, n)", texts),
        ("array_repeat(x, n)", texts),
        ("range(n)", texts),
        ("replace(repeat(x, 50000000), 'a', 'bbbb')", texts),
        ("repeat(x, 30000000) || repeat(x, 30000000)", texts),
        // Each within its bound, and more than they may be together.
        ("length(repeat(x, 30000000)), repeat(x, 30000001), repeat(x, 30000002), repeat(x, 30000003)", texts),
    ] {
        let from = if from.is_empty() { String::new() } else { format!(" FROM {from}") };
        let refusal = run(&format!("SELECT {expression} AS v{from}")).await.expect_err(expression);
        assert!(refusal.message.contains("too large"), "{expression}: {refusal}");
    }
}

#[tokio::test]
async fn what_stays_small_is_made() {
    for sql in [
        "SELECT repeat(x, 3), lpad(x, 5, '*'), rpad(x, 5), x || x, concat_ws('-', x, x) FROM (VALUES ('a'), (NULL)) AS t(x)",
        "SELECT range(n), generate_series(1, n), array_repeat(n, 3) FROM (VALUES (1), (5)) AS t(n)",
        "SELECT generate_series(DATE '2026-01-01', DATE '2026-12-31', INTERVAL '1 day')",
        "SELECT unnest(generate_series(1, 5000))",
        "SELECT array[1, 2], [x, 'b'], array[x] || x, array_replace_all(array[x], 'a', 'b') FROM (VALUES ('a')) AS t(x)",
        "SELECT encode(x, 'hex'), to_char(DATE '2020-01-31', '%d/%m/%Y'), regexp_match(x, '(a)|(b)') FROM (VALUES ('a')) AS t(x)",
        "SELECT array_to_string(array[x, NULL], ',', '-'), string_to_array(x, ','), translate(x, 'a', 'b') FROM (VALUES ('a')) AS t(x)",
        "SELECT regexp_replace(x, 'a(.)', '\\1\\1', 'g'), replace(x, '', 'b') FROM (VALUES ('abac')) AS t(x)",
    ] {
        run(sql).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_gathered_from_many_rows_counts_towards_the_memory_of_its_query() {
    let pool = Arc::new(GaugedPool::new(4, Gauge::default()));
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc().unwrap();
    let state = SessionStateBuilder::new_from_existing(planning_state().clone()).with_runtime_env(runtime).build();
    let context = SessionContext::new_with_state(state);
    for gathered in ["string_agg(v, ',')", "array_agg(v)", "array_agg(v ORDER BY v)", "string_agg(DISTINCT v, ',')"] {
        for groups in ["", " GROUP BY n % 2"] {
            let rows = "SELECT n, repeat('x', n) AS v FROM (SELECT unnest(generate_series(20000, 22000)) AS n) AS s";
            let sql = format!("SELECT {gathered} AS all_of_them FROM ({rows}) AS t{groups}");
            let plan = context.state().create_logical_plan(&sql).await.unwrap();
            let rows = context.execute_logical_plan(checked(plan, false).unwrap()).await.unwrap();
            let refusal = refusal_over_public(&rows.collect().await.expect_err(&sql));
            assert_eq!(refusal.code, Code::Limit, "{sql}: {refusal}");
        }
    }
}
