//! The constructs: one line each, with an example over public rows and one over protected rows.
//!
//! `@t` and `@p` are the public and the protected table, `@k`, `@o`, `@one` and `@none` small public tables of one owner.

use super::{Construct, Topic};

const fn c(name: &'static str, public: &'static str, protected: &'static str) -> Construct {
    Construct { name, zh: name, public, protected, theirs: None }
}

/// With a Chinese name, where the name is words.
const fn w(name: &'static str, zh: &'static str, public: &'static str, protected: &'static str) -> Construct {
    Construct { name, zh, public, protected, theirs: None }
}

/// With `DuckDB`'s text of the public example.
const fn d(name: &'static str, public: &'static str, protected: &'static str, theirs: &'static str) -> Construct {
    Construct { name, zh: name, public, protected, theirs: Some(theirs) }
}

/// Every construct, by topic.
pub const TOPICS: &[Topic] = &[
    Topic {
        name: "Rows and columns",
        zh: "行与列",
        constructs: &[
            c("`SELECT column`", "SELECT id, s FROM @t", "SELECT s FROM @p"),
            c("`SELECT *`", "SELECT * FROM @k", "SELECT * FROM @p"),
            w(
                "the same column twice",
                "同一列出现两次",
                "SELECT id, id FROM @t",
                "SELECT g, g, count(*) FROM @p GROUP BY g",
            ),
            c("`SELECT DISTINCT`", "SELECT DISTINCT g FROM @t", "SELECT DISTINCT g FROM @p"),
            c(
                "`DISTINCT ON`",
                "SELECT DISTINCT ON (g) g, id FROM @t ORDER BY g, id",
                "SELECT DISTINCT ON (g) g, id FROM @p ORDER BY g, id",
            ),
            w("without FROM", "没有 FROM", "SELECT 1 AS one", "SELECT 1 AS one"),
            c(
                "`VALUES`",
                "SELECT a, b FROM (VALUES (1, 'x'), (2, 'y')) v(a, b)",
                "SELECT count(*) FROM @p JOIN (VALUES (1), (2)) v(a) ON i = a",
            ),
            c(
                "`ORDER BY … NULLS FIRST`",
                "SELECT id, x FROM @t ORDER BY x NULLS FIRST, id",
                "SELECT g, count(*) AS n FROM @p GROUP BY g ORDER BY g NULLS FIRST",
            ),
            w(
                "`ORDER BY` an expression with a column that is called like an alias",
                "`ORDER BY` 表达式中的列与别名同名",
                "SELECT id, -x AS x FROM @t ORDER BY abs(x) NULLS LAST, id",
                "SELECT g, -count(*) AS i FROM @p GROUP BY g ORDER BY min(g)",
            ),
            c(
                "`LIMIT … OFFSET`",
                "SELECT id FROM @t ORDER BY id LIMIT 3 OFFSET 2",
                "SELECT g, count(*) AS n FROM @p GROUP BY g ORDER BY g LIMIT 2 OFFSET 1",
            ),
            c(
                "`FETCH FIRST n ROWS ONLY`",
                "SELECT id FROM @t ORDER BY id FETCH FIRST 3 ROWS ONLY",
                "SELECT g, count(*) AS n FROM @p GROUP BY g ORDER BY g FETCH FIRST 2 ROWS ONLY",
            ),
            c("`FOR UPDATE`", "SELECT id FROM @t FOR UPDATE", "SELECT count(*) FROM @p FOR UPDATE"),
            w("several statements", "多条语句", "SELECT 1; SELECT 2", "SELECT count(*) FROM @p; SELECT 2"),
            c("`INSERT`, `UPDATE`, `DELETE`", "DELETE FROM @t", "DELETE FROM @p"),
            c("`CREATE`, `DROP`", "CREATE TABLE x AS SELECT 1", "CREATE VIEW v AS SELECT count(*) FROM @p"),
        ],
    },
    Topic {
        name: "Conditions",
        zh: "条件",
        constructs: &[
            c(
                "`=`, `<>`, `<`, `>=`",
                "SELECT id FROM @t WHERE n >= 1 AND s <> 'a'",
                "SELECT count(*) FROM @p WHERE i >= 1 AND s <> 'a'",
            ),
            c(
                "`AND`, `OR`, `NOT`",
                "SELECT id FROM @t WHERE NOT (b OR n = 1)",
                "SELECT count(*) FROM @p WHERE NOT (b OR i = 1)",
            ),
            c(
                "`IS NULL`, `IS NOT NULL`",
                "SELECT id FROM @t WHERE n IS NULL AND (NOT b) IS NULL",
                "SELECT count(*) FROM @p WHERE (NOT b) IS NULL",
            ),
            c(
                "`IS TRUE`, `IS NOT FALSE`, `IS UNKNOWN`",
                "SELECT id, b IS TRUE AS x, b IS NOT FALSE AS y, b IS UNKNOWN AS z FROM @t",
                "SELECT b IS TRUE AS x, count(*) FROM @p GROUP BY b IS TRUE",
            ),
            c(
                "`IS DISTINCT FROM`",
                "SELECT id FROM @t WHERE b IS DISTINCT FROM true AND n > 1",
                "SELECT count(*) FROM @p WHERE b IS DISTINCT FROM true AND i > 1",
            ),
            c(
                "`BETWEEN`",
                "SELECT id FROM @t WHERE n BETWEEN 0 AND 3",
                "SELECT count(*) FROM @p WHERE i BETWEEN 0 AND 3",
            ),
            d(
                "`BETWEEN SYMMETRIC`",
                "SELECT id FROM @t WHERE n BETWEEN SYMMETRIC 3 AND 0",
                "SELECT count(*) FROM @p WHERE i BETWEEN SYMMETRIC 3 AND 0",
                "SELECT id FROM @t WHERE n BETWEEN 0 AND 3",
            ),
            c(
                "`IN (list)`",
                "SELECT id FROM @t WHERE n IN (1, 2, NULL)",
                "SELECT count(*) FROM @p WHERE i IN (1, 2, NULL)",
            ),
            c(
                "`NOT IN (list)`",
                "SELECT id FROM @t WHERE n NOT IN (1) OR n NOT IN (2)",
                "SELECT count(*) FROM @p WHERE i NOT IN (1) OR i NOT IN (2)",
            ),
            c(
                "`LIKE`, `NOT LIKE`",
                "SELECT id FROM @t WHERE s LIKE 'a%'",
                "SELECT count(*) FROM @p WHERE s NOT LIKE 'a%'",
            ),
            c(
                "`LIKE … ESCAPE`",
                "SELECT id FROM @t WHERE s LIKE 'a!_%' ESCAPE '!'",
                "SELECT count(*) FROM @p WHERE s LIKE 'a!_%' ESCAPE '!'",
            ),
            c("`ILIKE`", "SELECT id FROM @t WHERE s ILIKE 'A%'", "SELECT count(*) FROM @p WHERE s ILIKE 'A%'"),
            c(
                "`SIMILAR TO`",
                "SELECT id FROM @t WHERE s SIMILAR TO 'a%'",
                "SELECT count(*) FROM @p WHERE s SIMILAR TO 'a%'",
            ),
            d(
                "`regexp_like`",
                "SELECT id FROM @t WHERE regexp_like(s, '^a')",
                "SELECT count(*) FROM @p WHERE regexp_like(s, '^a')",
                "SELECT id FROM @t WHERE regexp_matches(s, '^a')",
            ),
            w(
                "a truth value compared",
                "真值的比较",
                "SELECT id FROM @t WHERE (s LIKE 'a%') = b",
                "SELECT count(*) FROM @p WHERE (s LIKE 'a%') = b",
            ),
            w(
                "a row compared",
                "行的比较",
                "SELECT k FROM @k WHERE (k, v) = (1, 10)",
                "SELECT count(*) FROM @p WHERE (i, g) = (1, 'u')",
            ),
        ],
    },
    Topic {
        name: "Expressions",
        zh: "表达式",
        constructs: &[
            c(
                "`+ - * %`",
                "SELECT id, i + 1 - i * 2 % 3 AS y FROM @t WHERE i < 100 AND i > -100",
                "SELECT i % 3 AS y, count(*) FROM @p GROUP BY i % 3",
            ),
            d(
                "`/` of integers",
                "SELECT id, n / 2 AS y FROM @t",
                "SELECT i / 2 AS y, count(*) FROM @p GROUP BY 1",
                "SELECT id, n // 2 AS y FROM @t",
            ),
            d(
                "`#`, `&`, `|`",
                "SELECT id, i # 3 AS a, i & 3 AS b, i | 3 AS c FROM @t",
                "SELECT count(*) FROM @p WHERE i # 1 = 0",
                "SELECT id, xor(i, 3) AS a, i & 3 AS b, i | 3 AS c FROM @t",
            ),
            c(
                "`<<`, `>>`",
                "SELECT id, i << 2 AS a, i >> 1 AS c FROM @t WHERE i BETWEEN 0 AND 100",
                "SELECT count(*) FROM @p WHERE i << 1 > 2",
            ),
            w(
                "`^` (write `power(a, b)`, or `a # b` for bits)",
                "`^`（乘方写 `power(a, b)`，按位异或写 `a # b`）",
                "SELECT i ^ 2 AS y FROM @t",
                "SELECT count(*) FROM @p WHERE i ^ 2 = 4",
            ),
            w(
                "a number with a point",
                "带小数点的数",
                "SELECT id, n * 1.5 AS y, 0.1 + 0.2 AS z FROM @t WHERE n > 806.5 OR m <= 0.125",
                "SELECT sum(m * 1.5) AS y FROM @p WHERE i > 1.5",
            ),
            w(
                "a number with an exponent",
                "带指数的数",
                "SELECT id, x * 1e3 AS y FROM @t WHERE x > 1e-3",
                "SELECT sum(x * 1e3) AS y FROM @p",
            ),
            w(
                "a number of more than 38 digits",
                "超过 38 位的数",
                "SELECT id FROM @t WHERE x < 0.000000000000000000000000000000000000001",
                "SELECT count(*) FROM @p WHERE x < 0.000000000000000000000000000000000000001",
            ),
            w(
                "`/` of decimals",
                "小数的 `/`",
                "SELECT m / 4 AS y, m / 2.5 AS z, 100.0 * i / 3 AS share FROM @t",
                "SELECT count(*) / 2.5 AS y, 100.0 * count(b) / count(*) AS share FROM @p",
            ),
            c("`||`", "SELECT s || g AS y FROM @t", "SELECT s || '!' AS y, count(*) FROM @p GROUP BY s || '!'"),
            c(
                "`CASE WHEN`",
                "SELECT id, CASE WHEN n > 1 THEN 'many' WHEN n = 1 THEN 'one' END AS y FROM @t",
                "SELECT CASE WHEN i > 1 THEN 'many' ELSE 'few' END AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`CASE value WHEN`",
                "SELECT id, CASE g WHEN 'u' THEN 1 ELSE 0 END AS y FROM @t",
                "SELECT CASE g WHEN 'u' THEN 1 ELSE 0 END AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`coalesce`, `nullif`",
                "SELECT coalesce(n, 0) AS y, nullif(s, '') AS z FROM @t",
                "SELECT coalesce(g, 'none') AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`greatest`, `least`",
                "SELECT greatest(n, i) AS y, least(n, i) AS z FROM @t",
                "SELECT greatest(g, 'u') AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`CAST`",
                "SELECT CAST(i AS VARCHAR) AS y, CAST(m AS DOUBLE) AS z FROM @t",
                "SELECT CAST(i AS VARCHAR) AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`TRY_CAST`",
                "SELECT TRY_CAST(s AS BIGINT) AS y FROM @t",
                "SELECT TRY_CAST(s AS BIGINT) AS y, count(*) FROM @p GROUP BY 1",
            ),
            w(
                "`CAST` to fewer digits",
                "`CAST` 到更少的位数",
                "SELECT CAST(m AS BIGINT) AS y, CAST(x AS BIGINT) AS z, CAST(m AS DECIMAL(12, 1)) AS w FROM @t",
                "SELECT count(*) FROM @p WHERE CAST(i AS SMALLINT) = 1",
            ),
            c("`::`", "SELECT i::BIGINT AS y FROM @t", "SELECT i::BIGINT AS y, count(*) FROM @p GROUP BY 1"),
            c(
                "`abs`, `floor`, `ceil`, `round`",
                "SELECT abs(x) AS a, floor(x) AS f, ceil(x) AS c, round(x) AS r FROM @t",
                "SELECT floor(i / 10.0) AS y, count(*) FROM @p GROUP BY 1",
            ),
            c("`round(decimal, n)`", "SELECT round(m, 1) AS r FROM @t", "SELECT sum(round(m, 1)) AS r FROM @p"),
            c(
                "`upper`, `lower`, `trim`, `replace`",
                "SELECT upper(s) AS a, lower(s) AS b, trim(s) AS c, replace(s, 'a', 'b') AS d FROM @t",
                "SELECT upper(s) AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`substring`, `left`, `right`",
                "SELECT substring(s FROM 1 FOR 2) AS a, left(s, 1) AS b, right(s, 1) AS c FROM @t",
                "SELECT left(s, 1) AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`length`, `position`",
                "SELECT length(s) AS a, position('a' IN s) AS b FROM @t",
                "SELECT length(s) AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`concat`",
                "SELECT concat(s, '-', g) AS y FROM @t",
                "SELECT concat(g, '-') AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`date_trunc`",
                "SELECT date_trunc('month', ts) AS y FROM @t",
                "SELECT date_trunc('month', d) AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`extract`, `date_part`",
                "SELECT extract(year FROM d) AS y, date_part('hour', ts) AS h FROM @t",
                "SELECT extract(year FROM d) AS y, count(*) FROM @p GROUP BY 1",
            ),
            c(
                "`INTERVAL`",
                "SELECT id FROM @t WHERE d + INTERVAL '1 day' > DATE '2019-04-14'",
                "SELECT count(*) FROM @p WHERE d + INTERVAL '1 day' > DATE '2019-04-14'",
            ),
            w(
                "an interval times a whole number, a day plus a number of days",
                "时段乘以整数，日期加天数",
                "SELECT id FROM @t WHERE d + INTERVAL '1 day' * 2 > DATE '2019-04-14' AND d + 1 < DATE '2100-01-01'",
                "SELECT count(*) FROM @p WHERE d + INTERVAL '1 day' * 2 > DATE '2019-04-14' AND d + 1 < DATE '2100-01-01'",
            ),
            w(
                "an interval times a column",
                "时段乘以列",
                "SELECT id FROM @t WHERE d + INTERVAL '1 day' * i > DATE '2019-04-14'",
                "SELECT count(*) FROM @p WHERE d + INTERVAL '1 day' * i > DATE '2019-04-14'",
            ),
            w(
                "a truth beside a constant text",
                "真值与常量文本比较",
                "SELECT id FROM @t WHERE b = 'true' OR b <> 'f'",
                "SELECT count(*) FROM @p WHERE b = 'true'",
            ),
            w(
                "a text beside a truth",
                "文本列与真值比较",
                "SELECT id FROM @t WHERE s = b",
                "SELECT count(*) FROM @p WHERE s = true",
            ),
            w(
                "days and times compared",
                "日期与时间的比较",
                "SELECT id FROM @t WHERE d < TIMESTAMP '2019-01-01 00:00:00'",
                "SELECT count(*) FROM @p WHERE d < TIMESTAMP '2019-01-01 00:00:00'",
            ),
            c(
                "`now`, `random`",
                "SELECT count(*) AS n FROM @t WHERE now() > TIMESTAMP '2020-01-01 00:00:00'",
                "SELECT count(*) FROM @p WHERE random() < 0.5",
            ),
        ],
    },
    Topic {
        name: "Aggregates",
        zh: "聚合",
        constructs: &[
            c(
                "`count(*)`, `count(x)`",
                "SELECT count(*) AS a, count(x) AS b FROM @t",
                "SELECT count(*) AS a, count(x) AS b FROM @p",
            ),
            c(
                "`sum`, `avg`",
                "SELECT sum(x) AS a, avg(x) AS b, sum(m) AS c, avg(m) AS d FROM @t",
                "SELECT sum(x) AS a, avg(x) AS b, sum(m) AS c, avg(m) AS d FROM @p",
            ),
            c(
                "`avg(x)`, `avg(CAST(x …))`",
                "SELECT avg(i) AS a, avg(CAST(i AS DOUBLE)) AS b FROM @t",
                "SELECT avg(x) AS a, avg(CAST(m AS DOUBLE)) AS b FROM @p",
            ),
            c(
                "`min`, `max`",
                "SELECT g, min(f) AS a, max(f) AS b, min(d) AS c FROM @t GROUP BY g",
                "SELECT max(x) FROM @p",
            ),
            c("`count(DISTINCT x)`", "SELECT count(DISTINCT n) AS a FROM @t", "SELECT count(DISTINCT id) AS a FROM @p"),
            c("`sum(DISTINCT x)`", "SELECT sum(DISTINCT i) AS a FROM @t", "SELECT sum(DISTINCT n) AS a FROM @p"),
            w(
                "several DISTINCT aggregates",
                "多个 DISTINCT 聚合",
                "SELECT sum(DISTINCT i) AS a, avg(DISTINCT i) AS b, count(DISTINCT s) AS c FROM @t",
                "SELECT count(DISTINCT id) AS a, count(DISTINCT g) AS b FROM @p",
            ),
            c(
                "`FILTER (WHERE …)`",
                "SELECT count(*) FILTER (WHERE n > 1) AS a FROM @t",
                "SELECT sum(x) FILTER (WHERE b) AS a FROM @p",
            ),
            c(
                "`stddev`, `var_pop`",
                "SELECT stddev(x) AS a, var_pop(x) AS b FROM @t",
                "SELECT stddev(x) AS a, var_pop(x) AS b FROM @p",
            ),
            c(
                "`stddev(DISTINCT x)`",
                "SELECT stddev(DISTINCT x) AS a FROM @t",
                "SELECT stddev(DISTINCT x) AS a FROM @p",
            ),
            w(
                "`stddev(DISTINCT x)` beside others",
                "`stddev(DISTINCT x)` 与其他 DISTINCT 聚合",
                "SELECT stddev(DISTINCT x) AS a, sum(DISTINCT i) AS b, avg(DISTINCT m) AS c FROM @t",
                "SELECT stddev(DISTINCT x) AS a, sum(DISTINCT i) AS b FROM @p",
            ),
            c(
                "`corr(DISTINCT x, y)`",
                "SELECT corr(DISTINCT i % 10, i % 7) AS a FROM @t",
                "SELECT corr(DISTINCT x, m) AS a FROM @p",
            ),
            c(
                "`corr`, `covar_samp`, `regr_slope`",
                "SELECT corr(x, i % 10) AS a, covar_samp(x, i % 10) AS b, regr_slope(x, i % 10) AS c FROM @t",
                "SELECT corr(x, m) AS a, regr_slope(x, m) AS b FROM @p",
            ),
            c("`median`", "SELECT median(x) AS a FROM @t", "SELECT median(x) AS a FROM @p"),
            c(
                "`percentile_cont`",
                "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS a FROM @t",
                "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS a FROM @p",
            ),
            c(
                "`bool_and`, `bool_or`",
                "SELECT bool_and(b) AS a, bool_or(b) AS c FROM @t",
                "SELECT bool_or(b) AS a FROM @p",
            ),
            c(
                "`string_agg`",
                "SELECT string_agg(s, ',' ORDER BY id) AS a FROM @t",
                "SELECT string_agg(s, ',') AS a FROM @p",
            ),
            c("`array_agg`", "SELECT array_agg(id ORDER BY id) AS a FROM @t", "SELECT array_agg(s) AS a FROM @p"),
        ],
    },
    Topic {
        name: "Groups",
        zh: "分组",
        constructs: &[
            c(
                "`GROUP BY column`",
                "SELECT g, count(*) AS n FROM @t GROUP BY g",
                "SELECT g, count(*) AS n FROM @p GROUP BY g",
            ),
            c(
                "`GROUP BY expression`",
                "SELECT n % 2 AS r, count(*) AS n FROM @t GROUP BY n % 2",
                "SELECT i % 2 AS r, count(*) AS n FROM @p GROUP BY i % 2",
            ),
            c(
                "`GROUP BY 1`",
                "SELECT g, count(*) AS n FROM @t GROUP BY 1",
                "SELECT g, count(*) AS n FROM @p GROUP BY 1",
            ),
            c(
                "`GROUP BY ALL`",
                "SELECT g, count(*) AS n FROM @t GROUP BY ALL",
                "SELECT g, count(*) AS n FROM @p GROUP BY ALL",
            ),
            c(
                "`HAVING`",
                "SELECT g, count(*) AS n FROM @t GROUP BY g HAVING count(*) > 2",
                "SELECT g, count(*) AS n FROM @p GROUP BY g HAVING count(*) > 2",
            ),
            c(
                "`ROLLUP`",
                "SELECT g, b, count(*) AS n FROM @t GROUP BY ROLLUP (g, b)",
                "SELECT g, b, count(*) AS n FROM @p GROUP BY ROLLUP (g, b)",
            ),
            c(
                "`CUBE`",
                "SELECT g, b, count(*) AS n FROM @t GROUP BY CUBE (g, b)",
                "SELECT g, b, count(*) AS n FROM @p GROUP BY CUBE (g, b)",
            ),
            c(
                "`GROUPING SETS`",
                "SELECT g, b, count(*) AS n FROM @t GROUP BY GROUPING SETS ((g), (b), ())",
                "SELECT g, b, count(*) AS n FROM @p GROUP BY GROUPING SETS ((g), (b), ())",
            ),
            c(
                "`grouping(x)`",
                "SELECT g, grouping(g) AS l, count(*) AS n FROM @t GROUP BY ROLLUP (g)",
                "SELECT g, grouping(g) AS l, count(*) AS n FROM @p GROUP BY ROLLUP (g)",
            ),
        ],
    },
    Topic {
        name: "Joins",
        zh: "连接",
        constructs: &[
            c(
                "`JOIN … ON`",
                "SELECT k.s, o.z FROM @k JOIN @o ON k.k = o.k",
                "SELECT k.s, count(*) AS n FROM @p JOIN @k ON p.i = k.k GROUP BY k.s",
            ),
            c(
                "`LEFT JOIN`",
                "SELECT k.s, o.z FROM @k LEFT JOIN @o ON k.k = o.k",
                "SELECT k.s, count(*) AS n FROM @p LEFT JOIN @k ON p.i = k.k GROUP BY k.s",
            ),
            c(
                "`RIGHT JOIN`",
                "SELECT k.s, o.z FROM @k RIGHT JOIN @o ON k.k = o.k",
                "SELECT k.s, count(*) AS n FROM @p RIGHT JOIN @k ON p.i = k.k GROUP BY k.s",
            ),
            c(
                "`FULL JOIN`",
                "SELECT k.s, o.z FROM @k FULL JOIN @o ON k.k = o.k",
                "SELECT k.s, count(*) AS n FROM @p FULL JOIN @k ON p.i = k.k GROUP BY k.s",
            ),
            c(
                "`JOIN … USING`",
                "SELECT k, z FROM @k JOIN @o USING (k)",
                "SELECT count(*) AS n FROM @p JOIN @p AS q USING (id)",
            ),
            c(
                "`FULL JOIN … USING`",
                "SELECT k, s, z FROM @k FULL JOIN @o USING (k)",
                "SELECT count(*) AS n FROM @p FULL JOIN @p AS q USING (id)",
            ),
            w(
                "`FULL JOIN … USING` in a chain, with its key in `WHERE`",
                "连续的 `FULL JOIN … USING`，`WHERE` 中用其键",
                "SELECT k FROM @k AS a FULL JOIN @o AS b USING (k) FULL JOIN @k AS c USING (k) WHERE k > 1",
                "SELECT count(*) AS n FROM @p FULL JOIN @p AS q USING (id) FULL JOIN @p AS r USING (id) WHERE id > 1",
            ),
            c(
                "`NATURAL JOIN`",
                "SELECT k, z FROM @k NATURAL JOIN @o",
                "SELECT count(*) AS n FROM @p NATURAL JOIN @p AS q",
            ),
            c("`CROSS JOIN`", "SELECT k.s, o.z FROM @k CROSS JOIN @o", "SELECT count(*) AS n FROM @p CROSS JOIN @o"),
            w(
                "a join on an inequality",
                "不等条件的连接",
                "SELECT k.k, o.k AS other FROM @k JOIN @o ON k.k < o.k",
                "SELECT count(*) AS n FROM @p JOIN @k ON p.i < k.k",
            ),
            w(
                "a join where NULL equals NULL",
                "NULL 等于 NULL 的连接",
                "SELECT a.s, b.z FROM @k AS a JOIN @o AS b ON a.k IS NOT DISTINCT FROM b.k AND a.s IS NOT DISTINCT FROM b.z",
                "SELECT count(*) AS n FROM @p JOIN @k ON p.i IS NOT DISTINCT FROM k.k",
            ),
            w(
                "a table with itself",
                "表与自身的连接",
                "SELECT a.id AS l, b.id AS r FROM @t AS a JOIN @t AS b ON a.n = b.n",
                "SELECT count(*) AS n FROM @p AS a JOIN @p AS b ON a.id = b.id",
            ),
            c(
                "`LATERAL`",
                "SELECT a.k, l.m FROM @k AS a, LATERAL (SELECT max(b.z) AS m FROM @o AS b WHERE b.k = a.k) l",
                "SELECT count(*) FROM @p, LATERAL (SELECT z FROM @o WHERE o.k = p.i) l",
            ),
        ],
    },
    Topic {
        name: "Subqueries",
        zh: "子查询",
        constructs: &[
            c(
                "`FROM (SELECT …)`",
                "SELECT n FROM (SELECT id, n FROM @t WHERE n > 0) q",
                "SELECT avg(n) AS a FROM (SELECT g, count(*) AS n FROM @p GROUP BY g) q",
            ),
            c(
                "`WITH`",
                "WITH q AS (SELECT n FROM @t WHERE n > 0) SELECT n FROM q",
                "WITH q AS (SELECT g, count(*) AS n FROM @p GROUP BY g) SELECT g FROM q WHERE n > 2",
            ),
            c(
                "`WITH RECURSIVE`",
                "WITH RECURSIVE q AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM q WHERE n < 4) SELECT n FROM q",
                "WITH RECURSIVE q AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM q WHERE n < 4) SELECT count(*) FROM @p JOIN q ON p.i = q.n",
            ),
            w(
                "`WITH RECURSIVE` that reads a table again and again",
                "`WITH RECURSIVE`，重复部分读取表",
                "WITH RECURSIVE q AS (SELECT k FROM @k WHERE k = 1 UNION ALL SELECT b.k FROM @o AS b JOIN q ON b.k = q.k + 1) SELECT k FROM q",
                "WITH RECURSIVE q AS (SELECT 1 AS n UNION ALL SELECT i FROM @p JOIN q ON i = n + 1) SELECT n FROM q",
            ),
            c(
                "`IN (SELECT …)`",
                "SELECT id FROM @t WHERE n IN (SELECT k FROM @k)",
                "SELECT count(*) FROM @p WHERE i IN (SELECT k FROM @k)",
            ),
            c(
                "`NOT IN (SELECT …)`",
                "SELECT id FROM @t WHERE n NOT IN (SELECT k FROM @k)",
                "SELECT count(*) FROM @p WHERE i NOT IN (SELECT k FROM @k)",
            ),
            c(
                "`EXISTS`",
                "SELECT k FROM @k AS a WHERE EXISTS (SELECT 1 FROM @o AS b WHERE b.k = a.k)",
                "SELECT count(*) FROM @p WHERE EXISTS (SELECT 1 FROM @o WHERE o.k = p.i)",
            ),
            c(
                "`EXISTS … OFFSET`",
                "SELECT k FROM @k AS a WHERE EXISTS (SELECT 1 FROM @o AS b WHERE b.k = a.k OFFSET 1)",
                "SELECT count(*) FROM @p WHERE EXISTS (SELECT 1 FROM @o WHERE o.k = p.i OFFSET 1)",
            ),
            c(
                "`NOT EXISTS`",
                "SELECT k FROM @k AS a WHERE NOT EXISTS (SELECT 1 FROM @o AS b WHERE b.k = a.k)",
                "SELECT count(*) FROM @p WHERE NOT EXISTS (SELECT 1 FROM @o WHERE o.k = p.i)",
            ),
            c(
                "`= (SELECT …)`",
                "SELECT k FROM @k WHERE k = (SELECT max(k) FROM @o)",
                "SELECT count(*) FROM @p WHERE i = (SELECT max(k) FROM @o)",
            ),
            c(
                "`< (SELECT …)`",
                "SELECT k FROM @k WHERE k < (SELECT max(k) FROM @o)",
                "SELECT count(*) FROM @p WHERE i < (SELECT max(k) FROM @o)",
            ),
            w(
                "a scalar subquery in SELECT",
                "SELECT 中的标量子查询",
                "SELECT k, (SELECT count(*) FROM @o AS b WHERE b.k = a.k) AS n FROM @k AS a",
                "SELECT g, count(*), (SELECT max(k) FROM @o) AS m FROM @p GROUP BY g",
            ),
            w(
                "`IN (SELECT …)` as a column",
                "`IN (SELECT …)` 作为列",
                "SELECT id, n IN (SELECT k FROM @k) AS y, n NOT IN (SELECT k FROM @o) AS z FROM @t",
                "SELECT g, count(*), g IN (SELECT s FROM @k) AS y FROM @p GROUP BY g",
            ),
            w(
                "`EXISTS` as a column",
                "`EXISTS` 作为列",
                "SELECT k, EXISTS (SELECT 1 FROM @o AS b WHERE b.k = a.k) AS y, CASE WHEN NOT EXISTS (SELECT 1 FROM @o) THEN 1 END AS z FROM @k AS a",
                "SELECT g, count(*), EXISTS (SELECT 1 FROM @o) AS y FROM @p GROUP BY g",
            ),
            c(
                "`= ANY`, `<> ALL`",
                "SELECT k FROM @k WHERE k <> ALL (SELECT k FROM @o WHERE k IS NOT NULL)",
                "SELECT count(*) FROM @p WHERE i = ANY (SELECT k FROM @k)",
            ),
        ],
    },
    Topic {
        name: "Set operations",
        zh: "集合运算",
        constructs: &[
            c(
                "`UNION ALL`",
                "SELECT k FROM @k UNION ALL SELECT k FROM @o",
                "SELECT count(*) AS n FROM @p UNION ALL SELECT count(*) AS n FROM @p WHERE b",
            ),
            c(
                "`UNION`",
                "SELECT k FROM @k UNION SELECT k FROM @o",
                "SELECT count(*) AS n FROM @p UNION SELECT count(*) AS n FROM @p WHERE b",
            ),
            c(
                "`EXCEPT`",
                "SELECT k FROM @k EXCEPT SELECT k FROM @o",
                "SELECT count(*) AS n FROM @p EXCEPT SELECT count(*) AS n FROM @p WHERE b",
            ),
            c(
                "`EXCEPT ALL`",
                "SELECT k FROM @k EXCEPT ALL SELECT k FROM @o",
                "SELECT count(*) AS n FROM @p EXCEPT ALL SELECT count(*) AS n FROM @p WHERE b",
            ),
            c(
                "`INTERSECT`",
                "SELECT k FROM @k INTERSECT SELECT k FROM @o",
                "SELECT count(*) AS n FROM @p INTERSECT SELECT count(*) AS n FROM @p WHERE b",
            ),
            c(
                "`INTERSECT ALL`",
                "SELECT k FROM @k INTERSECT ALL SELECT k FROM @o",
                "SELECT count(*) AS n FROM @p INTERSECT ALL SELECT count(*) AS n FROM @p WHERE b",
            ),
        ],
    },
    Topic {
        name: "Window functions",
        zh: "窗口函数",
        constructs: &[
            c(
                "`row_number`, `rank`, `dense_rank`",
                "SELECT id, row_number() OVER (ORDER BY id) AS a, rank() OVER (ORDER BY g) AS b, dense_rank() OVER (ORDER BY g) AS c FROM @t",
                "SELECT g, count(*) AS n, rank() OVER (ORDER BY count(*) DESC) AS r FROM @p GROUP BY g",
            ),
            c(
                "`PARTITION BY`",
                "SELECT id, count(*) OVER (PARTITION BY g) AS a FROM @t",
                "SELECT g, b, count(*) AS n, sum(count(*)) OVER (PARTITION BY g) AS a FROM @p GROUP BY g, b",
            ),
            w(
                "over rows of people",
                "对个人记录",
                "SELECT id, sum(x) OVER (ORDER BY id) AS a FROM @t",
                "SELECT sum(x) OVER () AS a FROM @p",
            ),
            c(
                "`lag`, `lead`",
                "SELECT id, lag(n) OVER (ORDER BY id) AS a, lead(n, 2, 0) OVER (ORDER BY id) AS b FROM @t",
                "SELECT g, count(*) AS n, lag(count(*)) OVER (ORDER BY g) AS a FROM @p GROUP BY g",
            ),
            d(
                "`IGNORE NULLS`",
                "SELECT id, lead(n, 2) IGNORE NULLS OVER (ORDER BY id) AS a FROM @t",
                "SELECT g, lag(count(*)) IGNORE NULLS OVER (ORDER BY g) AS a FROM @p GROUP BY g",
                "SELECT id, lead(n, 2 IGNORE NULLS) OVER (ORDER BY id) AS a FROM @t",
            ),
            c(
                "`first_value`, `last_value`, `nth_value`",
                "SELECT id, first_value(n) OVER (ORDER BY id) AS a, nth_value(n, 2) OVER (ORDER BY id) AS b FROM @t",
                "SELECT g, first_value(count(*)) OVER (ORDER BY g) AS a FROM @p GROUP BY g",
            ),
            c(
                "`ntile`, `percent_rank`, `cume_dist`",
                "SELECT id, ntile(4) OVER (ORDER BY id) AS a, percent_rank() OVER (ORDER BY id) AS b, cume_dist() OVER (ORDER BY id) AS c FROM @t",
                "SELECT g, ntile(2) OVER (ORDER BY g) AS a FROM @p GROUP BY g",
            ),
            c(
                "`ROWS BETWEEN`",
                "SELECT id, stddev(x) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS a FROM @t",
                "SELECT g, avg(count(*)) OVER (ORDER BY g ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a FROM @p GROUP BY g",
            ),
            c(
                "`RANGE BETWEEN`",
                "SELECT id, count(*) OVER (ORDER BY id RANGE BETWEEN 2 PRECEDING AND CURRENT ROW) AS a FROM @t",
                "SELECT i % 10 AS y, sum(count(*)) OVER (ORDER BY i % 10 RANGE BETWEEN 2 PRECEDING AND CURRENT ROW) AS a FROM @p GROUP BY i % 10",
            ),
            c(
                "`QUALIFY`",
                "SELECT id FROM @t QUALIFY row_number() OVER (PARTITION BY g ORDER BY id) = 1",
                "SELECT g, count(*) FROM @p GROUP BY g QUALIFY rank() OVER (ORDER BY count(*)) = 1",
            ),
        ],
    },
];
