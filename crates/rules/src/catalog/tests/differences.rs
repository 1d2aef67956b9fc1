//! Questions that look alike and are not: the comparison of plans tells them apart.

use datafusion::logical_expr::LogicalPlan;

use super::{catalog, same};

fn plan(sql: &str) -> LogicalPlan {
    let sql = sql.replace("FROM t", "FROM hongkong.t.every AS t").replace("JOIN u", "JOIN hongkong.t.every AS u");
    let sql = sql.replace("(SELECT i FROM w", "(SELECT i FROM hongkong.t.every AS w");
    catalog().plan(&sql, 10_000).unwrap_or_else(|refusal| panic!("{sql}\n{refusal}"))
}

#[test]
fn other_questions_have_other_forms() {
    for (one, other) in [
        ("SELECT n FROM t WHERE (NOT flag) IS NULL", "SELECT n FROM t WHERE NOT (flag IS NULL)"),
        ("SELECT n FROM t WHERE flag = ((i > 5) IS NOT NULL)", "SELECT n FROM t WHERE (flag = (i > 5)) IS NOT NULL"),
        ("SELECT -(i & 3) AS x FROM t", "SELECT (-i) & 3 AS x FROM t"),
        ("SELECT n FROM t WHERE (s LIKE 'a%') = flag", "SELECT n FROM t WHERE s LIKE CAST(('a%' = 'b') AS VARCHAR)"),
        ("SELECT n FROM t WHERE s LIKE 'a!%' ESCAPE '!'", "SELECT n FROM t WHERE s LIKE 'a!%'"),
        ("SELECT n FROM t WHERE s LIKE 'a'", "SELECT n FROM t WHERE s ILIKE 'a'"),
        ("SELECT n FROM t WHERE s LIKE s", "SELECT n FROM t WHERE s NOT LIKE s"),
        ("SELECT n FROM t WHERE s = 'x'", "SELECT n FROM t WHERE s = 'x '"),
        ("SELECT n FROM t WHERE s = 'a''b'", "SELECT n FROM t WHERE s = 'a''''b'"),
        ("SELECT n FROM t ORDER BY n, i LIMIT 3", "SELECT n FROM t ORDER BY i, n LIMIT 3"),
        ("SELECT n FROM t ORDER BY n LIMIT 3", "SELECT n FROM t ORDER BY n DESC NULLS LAST LIMIT 3"),
        ("SELECT n FROM t ORDER BY n NULLS FIRST LIMIT 3", "SELECT n FROM t ORDER BY n NULLS LAST LIMIT 3"),
        ("SELECT n FROM t LIMIT 3", "SELECT n FROM t LIMIT 4"),
        ("SELECT n FROM t LIMIT 3", "SELECT n FROM t LIMIT 3 OFFSET 1"),
        ("SELECT n, i AS x FROM t", "SELECT n, n AS x FROM t"),
        ("SELECT n AS a, d AS b FROM t", "SELECT d AS a, n AS b FROM t"),
        ("SELECT sum(n) FROM t", "SELECT sum(DISTINCT n) FROM t"),
        ("SELECT sum(n) FROM t", "SELECT sum(n) FILTER (WHERE flag) FROM t"),
        ("SELECT first_value(n ORDER BY i) FROM t", "SELECT first_value(n ORDER BY i DESC) FROM t"),
        ("SELECT first_value(n ORDER BY i) IGNORE NULLS FROM t", "SELECT first_value(n ORDER BY i) FROM t"),
        ("SELECT count(1) FROM t GROUP BY n", "SELECT count(1) FROM t GROUP BY n, i"),
        ("SELECT count(1) FROM t GROUP BY CAST(2 AS BIGINT)", "SELECT count(1) FROM t"),
        (
            "SELECT count(1) FROM t WHERE i IN (SELECT i FROM w)",
            "SELECT count(1) FROM t WHERE i NOT IN (SELECT i FROM w)",
        ),
        (
            "SELECT count(1) FROM t WHERE i IN (SELECT i FROM w WHERE flag)",
            "SELECT count(1) FROM t WHERE i IN (SELECT i FROM w)",
        ),
        ("SELECT t.n FROM t JOIN u ON t.n = u.n", "SELECT t.n FROM t JOIN u ON t.n IS NOT DISTINCT FROM u.n"),
        ("SELECT t.n FROM t JOIN u ON t.n = u.n", "SELECT u.n FROM t JOIN u ON t.n = u.n"),
        ("SELECT t.n FROM t LEFT JOIN u ON t.n = u.n", "SELECT t.n FROM t JOIN u ON t.n = u.n"),
        ("SELECT t.n FROM t LEFT JOIN u ON t.n = u.n", "SELECT t.n FROM t RIGHT JOIN u ON t.n = u.n"),
        (
            "SELECT t.n FROM t LEFT JOIN u ON t.n = u.n WHERE u.flag",
            "SELECT t.n FROM t LEFT JOIN u ON t.n = u.n AND u.flag",
        ),
        (
            "SELECT t.n FROM t LEFT SEMI JOIN u ON t.n = u.n AND u.i > t.i",
            "SELECT t.n FROM t LEFT ANTI JOIN u ON t.n = u.n AND u.i > t.i",
        ),
        ("SELECT CAST(f AS INTEGER) AS x FROM t", "SELECT CAST(f AS BIGINT) AS x FROM t"),
        ("SELECT CAST(s AS INTEGER) AS x FROM t", "SELECT TRY_CAST(s AS INTEGER) AS x FROM t"),
        ("SELECT i / 2 AS x FROM t", "SELECT 2 / i AS x FROM t"),
        ("SELECT n - (i - 1) AS x FROM t", "SELECT n - i - 1 AS x FROM t"),
        ("SELECT substr(s, 1, 2) AS x FROM t", "SELECT substr(s, 2, 1) AS x FROM t"),
        ("SELECT CASE WHEN flag THEN 1 END AS x FROM t", "SELECT CASE WHEN flag THEN 1 ELSE 0 END AS x FROM t"),
        ("SELECT n FROM t WHERE i > 1 AND (flag OR n > 2)", "SELECT n FROM t WHERE i > 1 AND flag OR n > 2"),
        ("SELECT n FROM t WHERE i BETWEEN 1 AND 5", "SELECT n FROM t WHERE i NOT BETWEEN 1 AND 5"),
        ("SELECT n FROM t WHERE flag IS TRUE", "SELECT n FROM t WHERE flag IS NOT FALSE"),
        (
            "SELECT n FROM (SELECT n, i FROM t LIMIT 3) AS q WHERE i > 1",
            "SELECT n FROM (SELECT n, i FROM t WHERE i > 1) AS q LIMIT 3",
        ),
        (
            "SELECT q.x FROM (SELECT n, i FROM t) AS p LEFT JOIN (SELECT coalesce(i, 0) AS x, n FROM t) AS q ON p.n = q.n",
            "SELECT coalesce(q.i, 0) AS x FROM (SELECT n, i FROM t) AS p LEFT JOIN (SELECT i, n FROM t) AS q ON p.n = q.n",
        ),
    ] {
        assert!(!same(&plan(one), &plan(other)), "{one}\n{other}");
        assert!(same(&plan(one), &plan(one)), "{one}");
        assert!(same(&plan(other), &plan(other)), "{other}");
    }
}

#[test]
fn one_question_has_one_form_however_it_is_written() {
    for (one, other) in [
        (
            "SELECT n FROM t WHERE i > 1 AND flag",
            "SELECT x AS n FROM (SELECT n AS x, flag FROM t WHERE 1 < i) AS q WHERE flag",
        ),
        (
            "SELECT n FROM t WHERE i IN (1, 2, 3, 4, 5)",
            "SELECT n FROM t WHERE i = 5 OR i = 4 OR i = 3 OR i = 2 OR i = 1",
        ),
        ("SELECT n FROM t ORDER BY n LIMIT 2", "SELECT n FROM (SELECT n, 2 AS k FROM t) AS q ORDER BY k, n LIMIT 2"),
        ("SELECT n FROM t WHERE flag AND i BETWEEN 2 AND 4", "SELECT n FROM t WHERE i >= 2 AND i <= 4 AND flag"),
        (
            "SELECT t.n FROM t JOIN u ON t.n = u.n WHERE t.flag AND u.i > 2",
            "SELECT t.n FROM t CROSS JOIN hongkong.t.every AS u WHERE u.n = t.n AND 2 < u.i AND t.flag",
        ),
        ("SELECT n, count(1) FROM t GROUP BY n, i", "SELECT n, count(1) FROM t GROUP BY i, n"),
    ] {
        assert!(same(&plan(one), &plan(other)), "{one}\n{other}");
    }
}
