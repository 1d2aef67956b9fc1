//! Texts of fragments mean what was asked, whatever the query's operators and literals are.

use super::{fragments, split};

/// The one fragment of a query.
fn text(sql: &str) -> String {
    let mut asked = fragments(sql);
    assert_eq!(asked.len(), 1, "{sql}: {asked:?}");
    asked.remove(0)
}

#[test]
fn operands_keep_their_brackets() {
    for (condition, written) in [
        ("(NOT flag) IS NULL", "WHERE ((NOT t1.flag) IS NULL)"),
        ("flag = ((x > 5) IS NOT NULL)", "((t1.x > 5) IS NOT NULL)"),
        ("(s LIKE '%a%') = flag", "(t1.s LIKE '%a%')"),
        ("-(x & 3) < 2", "(-(t1.x & 3))"),
        ("-(x + 3) < 2", "(-(t1.x + 3))"),
        ("(x = 1) IS DISTINCT FROM flag", "((t1.x = 1) IS DISTINCT FROM t1.flag)"),
        ("s LIKE 'a!%b' ESCAPE '!'", r"(t1.s LIKE 'a\%b')"),
        ("(x IS NULL) IS DISTINCT FROM (flag AND x > 2)", "IS DISTINCT FROM (t1.flag AND (t1.x > 2))"),
        ("x - (small - 1) > 2", "(t1.x - "),
        ("CASE WHEN flag THEN NOT flag ELSE x > 1 END", "t1.flag"),
        ("CAST((x > 1) AS INTEGER) + small = 1", "CAST((t1.x > 1) AS INTEGER)"),
    ] {
        let text = text(&format!("SELECT s FROM hongkong.t.every WHERE {condition}"));
        assert!(text.contains(written), "{condition}: {text}");
    }
}

#[test]
fn several_null_safe_equalities_stay_several() {
    let text = text(
        "SELECT a.s, b.s FROM hongkong.t.every a JOIN hongkong.t.every b \
         ON (a.flag IS NOT DISTINCT FROM b.flag) AND (a.x IS NOT DISTINCT FROM b.x)",
    );
    for side in ["(t1.flag IS NOT DISTINCT FROM t2.flag)", "(t1.x IS NOT DISTINCT FROM t2.x)"] {
        assert!(text.contains(side), "{text}");
    }
}

#[test]
fn constants_are_no_places_of_columns() {
    let sorted = text("SELECT s, x FROM (SELECT s, x, 2 AS k FROM hongkong.t.every) q ORDER BY k, s LIMIT 3");
    assert!(sorted.contains("ORDER BY t1.s ASC NULLS LAST LIMIT 3"), "{sorted}");
    for sql in [
        "SELECT k, count(*) FROM (SELECT 2 AS k, s FROM hongkong.t.every) q GROUP BY k",
        "SELECT k, s, count(*) FROM (SELECT 1 AS k, s FROM hongkong.t.every) q GROUP BY k, s",
        "SELECT x FROM (SELECT x, 1 AS k FROM hongkong.t.every) q ORDER BY k LIMIT 1",
    ] {
        let text = text(sql);
        assert!(!text.contains("BY 1") && !text.contains("BY 2"), "{text}");
    }
}

#[test]
fn functions_get_the_literals_that_they_ask_for() {
    for (column, written) in [
        ("round(amt, 1)", "round(t1.amt, 1)"),
        ("round(amt, -1)", "round(t1.amt, -1)"),
        ("left(s, 2)", "left(t1.s, 2)"),
        ("substr(s, 2, 3)", "substr(t1.s, 2, 3)"),
    ] {
        let text = text(&format!("SELECT {column} AS r FROM hongkong.t.every WHERE {column} IS NOT NULL"));
        assert!(text.contains(written), "{column}: {text}");
    }
}

#[test]
fn literals_do_not_break_out() {
    for (literal, written) in [
        // Once, the quote after the backslash ended the literal at the owner, and the condition was true of every row.
        (r"'x\'') OR true --'", r"(t1.specialty = 'x\'') OR true --')"),
        ("'a''''b'", "(t1.specialty = 'a''''b')"),
        (r"'\'", r"(t1.specialty = '\')"),
        (
            r"'\'' UNION SELECT count(1) FROM gba.health.codes AS t1 WHERE (t1.specialty <> '''",
            r"= '\'' UNION SELECT count(1) FROM gba.health.codes AS t1 WHERE (t1.specialty <> ''')",
        ),
        ("'/*'", "(t1.specialty = '/*')"),
        ("'x''; --'", "(t1.specialty = 'x''; --')"),
    ] {
        for table in ["gba.health.visits", "gba.health.codes"] {
            let asked = text(&format!("SELECT count(*) FROM {table} WHERE specialty = {literal}"));
            assert!(asked.contains(written), "{asked}");
            assert_eq!(asked.matches(" WHERE ").count(), 1 + literal.matches(" WHERE ").count(), "{asked}");
        }
    }
}

#[test]
fn what_is_asked_in_other_words_is_still_answered() {
    for sql in [
        "SELECT f.beds, sum(v.cost) / count(*) FROM gba.health.visits v LEFT JOIN gba.health.facilities f ON v.facility = f.code GROUP BY f.beds",
        "SELECT specialty, stddev(cost), corr(cost, minutes), avg(minutes) FROM gba.health.visits GROUP BY specialty",
        "SELECT s, x FROM hongkong.t.every WHERE x IN (1, 2, 3, 4, 5) OR x NOT IN (7, 8) OR s IN ('a', 'b') ORDER BY x DESC, s LIMIT 5 OFFSET 2",
        "SELECT count(*) FROM hongkong.t.every WHERE x IN (SELECT small FROM hongkong.t.every WHERE flag) OR s LIKE 'a%'",
        "SELECT count(*) FROM hongkong.t.every a WHERE EXISTS (SELECT 1 FROM hongkong.t.every b WHERE b.x = a.x AND b.s <> a.s)",
        "SELECT count(*) FROM hongkong.t.every a WHERE a.x NOT IN (SELECT small FROM hongkong.t.every) AND a.flag",
        "SELECT a.s, q.n FROM hongkong.t.every a LEFT JOIN (SELECT x, count(*) AS n, coalesce(max(s), 'none') AS m FROM hongkong.t.every GROUP BY x) q ON a.x = q.x WHERE q.m <> 'b'",
        "SELECT x, approx_percentile_cont(small, 0.5), count(DISTINCT s), string_agg(s, ',' ORDER BY s) FROM hongkong.t.every GROUP BY x HAVING count(*) > 1",
        "SELECT DISTINCT x, s FROM hongkong.t.every WHERE random() < 0.5",
        "SELECT date_trunc('month', hour) AS m, extract(dow FROM hour) AS d, avg(co) FROM hongkong.air.hourly WHERE hour BETWEEN TIMESTAMP '2026-01-01 00:00:00' AND TIMESTAMP '2026-02-01 00:00:00.5' + INTERVAL '1 month' GROUP BY 1, 2",
        "SELECT * FROM (SELECT x, s FROM hongkong.t.every ORDER BY x LIMIT 3) q WHERE s > 'a'",
        "SELECT a.x FROM hongkong.t.every a FULL JOIN hongkong.t.every b ON a.x = b.small AND a.flag WHERE b.s IS NULL OR a.amt > 1.5",
        "SELECT CASE x WHEN 1 THEN 'one' WHEN 2 THEN s ELSE s || '!' END AS c, CAST(amt AS VARCHAR), CAST(s AS INTEGER), x::double / 3 FROM hongkong.t.every",
        "SELECT i_price * 0.9, sum(i_price) FROM gba.t.items GROUP BY 1",
    ] {
        if let Err(refusal) = split(sql) {
            panic!("{sql}\n{refusal}");
        }
    }
}
