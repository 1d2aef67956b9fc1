use wanqu_model::refusal::{Code, Refusal};

use crate::admission::testing::{bundle, shenzhen};
use crate::catalog::Catalog;

fn plan(sql: &str) -> Result<String, Refusal> {
    let bundle = bundle();
    Catalog::owner(&bundle, &shenzhen()).plan(sql, 1 << 20).map(|plan| plan.display_indent().to_string())
}

#[test]
fn no_clause_is_passed_over() {
    for (tail, name) in [
        ("FOR UPDATE", "FOR UPDATE"),
        ("FOR SHARE", "FOR UPDATE or FOR SHARE"),
        ("ORDER BY ward FETCH FIRST 1 ROWS WITH TIES", "WITH TIES"),
        ("FETCH FIRST 10 PERCENT ROWS ONLY", "PERCENT"),
        ("LIMIT 1 FETCH FIRST 2 ROWS ONLY", "FETCH beside LIMIT"),
        ("SETTINGS max_threads = 1", "SETTINGS"),
        ("TABLESAMPLE BERNOULLI (10)", "TABLESAMPLE"),
        ("LEFT JOIN shenzhen.health.visits w", "without ON"),
        ("PREWHERE emergency", "PREWHERE"),
        ("GROUP BY ward WITH ROLLUP", "WITH ROLLUP"),
        ("WHERE ward COLLATE \"C\" = 'a'", "COLLATE"),
        ("WHERE ward LIKE sex ESCAPE '!'", "ESCAPE"),
        ("WHERE ward LIKE 'a!' ESCAPE '!'", "ends with its escape"),
        ("WHERE ward LIKE 'a' ESCAPE 'ab'", "one character"),
        ("WHERE ward SIMILAR TO sex", "SIMILAR TO"),
        ("WHERE age ^ 2 = 4", "operator ^"),
        ("WHERE emergency XOR emergency", "operator XOR"),
    ] {
        let refusal = plan(&format!("SELECT count(*) FROM shenzhen.health.visits {tail}")).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidSql, "{tail}: {refusal}");
        assert!(refusal.message.contains(name), "{tail}: {refusal}");
        assert!(refusal.remedy.is_some(), "{tail}: {refusal}");
    }
    for sql in [
        "SELECT ward INTO copied FROM shenzhen.health.visits",
        "SELECT TOP 3 ward FROM shenzhen.health.visits",
        "SELECT * ILIKE 'w%' FROM shenzhen.health.visits",
        "SELECT max(NULL), count(NULL) FROM shenzhen.health.visits",
        "SELECT avg(NULL) OVER () FROM shenzhen.health.visits",
        "SELECT bool_or(age > 1) OVER (ORDER BY age ROWS 1 PRECEDING) FROM shenzhen.health.visits",
        "FROM shenzhen.health.visits",
    ] {
        assert_eq!(plan(sql).unwrap_err().code, Code::InvalidSql, "{sql}");
    }
}

#[test]
fn a_named_window_is_not_passed_over() {
    let windows = "WINDOW w AS (PARTITION BY ward), v AS (PARTITION BY ward ORDER BY age)";
    let with =
        |over: &str, windows: &str| plan(&format!("SELECT rank() OVER {over} FROM shenzhen.health.visits {windows}"));
    for over in ["(w ORDER BY age)", "(w)", "(v ROWS UNBOUNDED PRECEDING)"] {
        let refusal = with(over, windows).unwrap_err();
        assert!(refusal.message.contains("refines another") && refusal.remedy.is_some(), "{over}: {refusal}");
    }
    let refined = with("u", "WINDOW w AS (PARTITION BY ward), u AS (w ORDER BY age)").unwrap_err();
    assert!(refined.message.contains("refines another"), "{refined}");
    assert!(with("v", windows).is_ok());
}

#[test]
fn intervals_have_no_order_of_their_own() {
    let of = |tail: &str| plan(&format!("SELECT {tail}"));
    let visits = "FROM shenzhen.health.visits v";
    for tail in [
        format!("INTERVAL '1 day' * v.age AS i {visits} ORDER BY i"),
        format!("max(CAST(v.ward AS INTERVAL)) {visits}"),
        format!("DISTINCT CAST(v.ward AS INTERVAL) {visits}"),
        format!("count(*) {visits} GROUP BY CAST(v.ward AS INTERVAL)"),
        "greatest(INTERVAL '24 hours', INTERVAL '1 day')".to_owned(),
        "INTERVAL '24 hours' IN (INTERVAL '1 day')".to_owned(),
    ] {
        let refusal = of(&tail).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidSql, "{tail}: {refusal}");
        assert!(refusal.remedy.is_some(), "{tail}: {refusal}");
    }
    let folded = of(
        "INTERVAL '24 hours' = INTERVAL '1 day' AS a, INTERVAL '25 hours' BETWEEN INTERVAL '1 day' AND INTERVAL '1 month' AS b",
    );
    assert!(folded.as_ref().unwrap().contains("Boolean(true) AS a, Boolean(true) AS b"), "{folded:?}");
}

#[test]
fn distinct_is_not_passed_over() {
    for call in ["regr_count(DISTINCT age, days)", "nth_value(DISTINCT age, 2)", "count(DISTINCT *)"] {
        let refusal = plan(&format!("SELECT {call} FROM shenzhen.health.visits")).unwrap_err();
        assert_eq!(refusal.code, Code::InvalidSql, "{call}: {refusal}");
        assert!(refusal.message.contains("DISTINCT") && refusal.remedy.is_some(), "{call}: {refusal}");
    }
    for call in [
        "count(DISTINCT age)",
        "stddev(DISTINCT age)",
        "corr(DISTINCT age, days)",
        "string_agg(DISTINCT ward, ',')",
        "min(DISTINCT age)",
    ] {
        assert!(plan(&format!("SELECT {call} FROM shenzhen.health.visits")).is_ok(), "{call}");
    }
}

#[test]
fn fetch_is_a_limit() {
    let planned = plan("SELECT ward FROM shenzhen.health.visits ORDER BY ward OFFSET 2 ROWS FETCH NEXT 3 ROWS ONLY");
    assert!(planned.unwrap().contains("Limit: skip=2, fetch=3"));
    let one = plan("SELECT ward FROM shenzhen.health.visits FETCH FIRST ROW ONLY").unwrap();
    assert!(one.contains("fetch=1"), "{one}");
}

#[test]
fn conditions_on_lists_keep_their_null() {
    for (condition, folded) in [
        ("age NOT IN (10) OR age NOT IN (20)", "age != Int32(10) OR v.age != Int32(20)"),
        ("(age IN (10) AND age IN (20)) IS NULL", "v.age = Int32(10) AND v.age = Int32(20) IS NULL"),
        ("age IN (1, 2) AND age NOT IN (3, NULL)", "v.age != Int32(3) AND v.age != Int32(NULL)"),
    ] {
        let planned = plan(&format!("SELECT count(*) FROM shenzhen.health.visits v WHERE {condition}")).unwrap();
        let planned = planned.replace(['(', ')'], "");
        assert!(planned.contains(&folded.replace(['(', ')'], "")), "{condition}: {planned}");
    }
}

#[test]
fn alternatives_become_one_list_again() {
    let many = "age = 1 OR age = 2 OR age IN (3, 4) OR age = 5";
    let planned = plan(&format!("SELECT count(*) FROM shenzhen.health.visits v WHERE {many}")).unwrap();
    assert!(planned.contains("IN ([Int32(1), Int32(2), Int32(3), Int32(4), Int32(5)])"), "{planned}");
}

#[test]
fn the_merged_key_of_a_full_join_has_one_name() {
    let join = "FROM shenzhen.health.visits a FULL JOIN shenzhen.health.visits b USING (ward)";
    let planned = plan(&format!("SELECT ward {join}")).unwrap();
    assert!(planned.contains("CASE WHEN a.ward IS NOT NULL THEN a.ward ELSE b.ward END AS ward"), "{planned}");
    for columns in ["ward, a.ward AS own", "a.*"] {
        let refusal = plan(&format!("SELECT {columns} {join}")).unwrap_err();
        assert!(refusal.message.contains("a.ward"), "{refusal}");
    }
    let right = plan("SELECT ward FROM shenzhen.health.visits a RIGHT JOIN shenzhen.health.visits b USING (ward)");
    assert!(right.unwrap().contains("b.ward AS ward"));
}

#[test]
fn a_subquery_for_one_value_is_checked_unless_it_has_one_row_anyhow() {
    let planned = |inner: &str| {
        plan(&format!("SELECT count(*) FROM shenzhen.health.visits WHERE age = (SELECT {inner})")).unwrap()
    };
    for inner in ["age FROM shenzhen.health.visits v", "age FROM shenzhen.health.visits v GROUP BY age"] {
        assert!(planned(inner).contains("__only_value"), "{inner}");
    }
    for inner in ["max(age) FROM shenzhen.health.visits v", "age FROM shenzhen.health.visits v LIMIT 1", "1"] {
        assert!(!planned(inner).contains("__only_value"), "{inner}");
    }
}

#[test]
fn columns_and_aggregates_of_one_name_are_told_apart() {
    let planned = plan("SELECT ward, ward, count(*), count(*) FROM shenzhen.health.visits GROUP BY ward").unwrap();
    assert!(planned.contains("ward:2") && planned.contains("count(*):2"), "{planned}");
    let sums = "SELECT avg(days) AS a, avg(CAST(days AS DOUBLE)) AS b FROM shenzhen.health.visits";
    let planned = plan(&format!("{sums} HAVING avg(CAST(days AS DOUBLE)) > 1")).unwrap();
    assert!(planned.contains("avg(CAST(shenzhen.health.visits.days AS Float64)) AS avg(CAST("), "{planned}");
    assert!(!planned.contains("FILTER"), "{planned}");
}

#[test]
fn a_column_stands_beside_its_casts() {
    for select in [
        "SELECT age, age::BIGINT, CAST(age AS DOUBLE), TRY_CAST(age AS DOUBLE), age::TEXT FROM shenzhen.health.visits",
        "SELECT DISTINCT age, age::DOUBLE FROM shenzhen.health.visits",
        "SELECT age, age::DOUBLE, count(*) FROM shenzhen.health.visits GROUP BY age, age::DOUBLE ORDER BY age::DOUBLE",
        "SELECT age::DOUBLE, CAST(age AS DOUBLE), (age::DOUBLE) FROM shenzhen.health.visits",
        "SELECT 1, 1::DOUBLE, '1'::DOUBLE",
        "SELECT min(age) OVER (), min(age::DOUBLE) OVER () FROM shenzhen.health.visits",
        "SELECT age, age::DOUBLE, count(*) FROM shenzhen.health.visits GROUP BY CUBE (age, age::DOUBLE)",
    ] {
        let planned = plan(select).unwrap_or_else(|refusal| panic!("{select}: {refusal}"));
        assert!(!planned.contains("CAST AS"), "{select}: {planned}");
    }
    let repeated = plan("SELECT age::DOUBLE, CAST(age AS DOUBLE) FROM shenzhen.health.visits").unwrap();
    assert!(repeated.contains("AS CAST(age AS DOUBLE):2"), "{repeated}");
}

#[test]
fn a_wide_select_of_aggregates_has_no_filter_that_it_was_not_given() {
    let many: Vec<String> = (0..120).map(|i| format!("sum(cost + {i}) AS c{i}")).collect();
    let select = format!("SELECT ward, {} FROM shenzhen.health.visits GROUP BY ward", many.join(", "));
    let planned = plan(&select).unwrap();
    assert!(planned.contains("Aggregate:") && !planned.contains("Filter:"), "{planned}");
    let having = plan(&format!("{select} HAVING count(*) > 3")).unwrap();
    assert!(having.contains("Filter: count"), "{having}");
}

#[test]
fn numbers_may_have_underscores() {
    let planned = plan("SELECT count(*) FROM shenzhen.health.visits WHERE age < 1_000").unwrap();
    assert!(planned.contains("Int32(1000)"), "{planned}");
}

#[test]
fn what_cannot_be_planned_is_said_in_words() {
    for select in [
        "SELECT sum(ward) FROM shenzhen.health.visits",
        "SELECT abs() FROM shenzhen.health.visits",
        "SELECT substring(ward, 'a') FROM shenzhen.health.visits",
        "SELECT nofunc(age) FROM shenzhen.health.visits",
        "SELECT nosuch FROM shenzhen.health.visits",
        "SELECT age + ward FROM shenzhen.health.visits",
        "SELECT age FROM shenzhen.health.visits WHERE regexp_like(ward, '(')",
        "SELECT age FROM shenzhen.health.visits WHERE age = 'abc'",
        "SELECT age FROM shenzhen.health.visits WHERE age LIKE 'a%'",
        "SELECT * FROM shenzhen.health.visits PIVOT (sum(age) FOR ward IN ('a', 'b'))",
        "SELECT $1",
        "SELECT count(DISTINCT ward, sex) FROM shenzhen.health.visits",
        "SELECT count(DISTINCT *) FROM shenzhen.health.visits",
        "SELECT a.age FROM shenzhen.health.visits a, shenzhen.health.visits a",
        "SELECT age AS x, ward AS x FROM shenzhen.health.visits",
        "SELECT age FROM shenzhen.health.visits WHERE",
        "SELECT 'unclosed",
        "SELECT DATE '2019-02-30'",
        "SELECT CAST(age AS NOSUCH) FROM shenzhen.health.visits",
    ] {
        let refusal = plan(select).expect_err(select);
        assert!(refusal.rule.is_some() && refusal.remedy.is_some(), "{select}: {refusal}");
        for dump in ["Internal", "caused by", "DataFusion ", "Utf8", "Int64 ", "rror:", "Optimizer", "sql parser", "{"]
        {
            assert!(!refusal.message.contains(dump), "{select}: {refusal}");
        }
    }
}

#[test]
fn columns_of_constants_are_called_as_they_are_written() {
    for (item, name) in [
        ("1e5", "1e5"),
        ("1.5", "1.5"),
        ("-2.5E-3", "-2.5E-3"),
        ("1", "1"),
        ("1 + 1", "1 + 1"),
        ("'x'", "'x'"),
        ("DATE '2026-01-31'", "DATE '2026-01-31'"),
        ("CAST('1' AS INT)", "CAST('1' AS INT)"),
        ("'1'::INT", "'1'::INT"),
        ("sum(v.age * 1.5)", "sum(v.age * 1.5)"),
        ("count(*)", "count(*)"),
        ("sum(v.age)", "sum(v.age)"),
    ] {
        let bundle = bundle();
        let sql = format!("SELECT {item} FROM shenzhen.health.visits v");
        let plan = Catalog::owner(&bundle, &shenzhen()).plan(&sql, 1 << 20).unwrap();
        assert_eq!(plan.schema().field(0).name(), name, "{item}");
    }
    let repeated = plan("SELECT 1.5, 1.5, 1e5 FROM shenzhen.health.visits").unwrap();
    assert!(repeated.contains("AS 1.5, ") && repeated.contains("AS 1.5:2"), "{repeated}");
}

#[test]
fn groups_are_ordered_by_what_an_alias_is_called_like() {
    for sql in [
        "SELECT ward, sum(age) AS age FROM shenzhen.health.visits GROUP BY ward ORDER BY sum(age) DESC, ward",
        "SELECT ward, count(*) AS age FROM shenzhen.health.visits GROUP BY ward ORDER BY max(age)",
        "SELECT age * 1.5, count(*) FROM shenzhen.health.visits GROUP BY age * 1.5 ORDER BY age * 1.5",
    ] {
        plan(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    }
    // The engine has no name for both, and would take the alias.
    let planned = plan("SELECT -days AS age FROM shenzhen.health.visits v ORDER BY -age").unwrap();
    assert!(planned.contains("(- v.age) AS order:key 0"), "{planned}");
    let refusal = plan("SELECT *, -days AS age FROM shenzhen.health.visits v ORDER BY -age").unwrap_err();
    assert!(refusal.message.contains("age, which is a column and an alias"), "{refusal}");
}

#[test]
fn every_item_of_a_list_is_removed() {
    for (call, folded) in [("array_remove", "List([2])"), ("array_replace", "List([7, 2, 7])")] {
        let other = if call == "array_remove" { "" } else { ", 7" };
        let planned = plan(&format!("SELECT {call}(ARRAY[1, 2, 1], 1{other}) AS a")).unwrap();
        assert!(planned.contains(folded), "{planned}");
    }
}
