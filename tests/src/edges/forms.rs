//! The forms of which random expressions are made: the one list of what is drawn, with DuckDB's words where they differ.
//!
//! Left out, because the engines differ knowingly: casts of floats to whole numbers (DataFusion cuts, PostgreSQL rounds),
//! `round(float, n)` (its last digit), texts of floats and times, LIKE without ESCAPE over backslashes (DuckDB has no escape
//! by default), seconds with their fraction, division by a column of whole numbers (DuckDB gives NULL at 0), days moved out
//! of the years 1 to 9999 (only compared, not shown), functions that fail below zero.

use std::sync::LazyLock;

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole,
    /// A float.
    Float,
    /// A decimal.
    Decimal,
    /// Text.
    Text,
    /// True or false.
    Truth,
    /// A day.
    Day,
    /// A point in time.
    Moment,
}

use Kind::{Day, Decimal, Float, Moment, Text, Truth, Whole};

/// Every kind.
pub const KINDS: [Kind; 7] = [Whole, Float, Decimal, Text, Truth, Day, Moment];

/// The engine that a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// The federation.
    Ours,
    /// DuckDB.
    Theirs,
}

/// A form of an expression: `{0}`, `{1}`, … stand for its arguments.
#[derive(Debug, PartialEq)]
pub struct Form {
    /// Its value.
    pub kind: Kind,
    /// How tightly it binds, from 0 for OR to 9 for a column.
    pub level: u8,
    /// Its arguments.
    pub arguments: Vec<Kind>,
    ours: String,
    theirs: Option<&'static str>,
}

impl Form {
    /// Its text for an engine.
    pub fn text(&self, tongue: Tongue) -> &str {
        match (tongue, self.theirs) {
            (Tongue::Theirs, Some(text)) => text,
            _ => &self.ours,
        }
    }
}

fn form(kind: Kind, level: u8, arguments: &[Kind], ours: &str) -> Form {
    Form { kind, level, arguments: arguments.to_vec(), ours: ours.to_owned(), theirs: None }
}

fn two(kind: Kind, level: u8, arguments: &[Kind], ours: &str, theirs: &'static str) -> Form {
    Form { theirs: Some(theirs), ..form(kind, level, arguments, ours) }
}

/// CASE of decimals of two scales: DuckDB drops fractions where 38 digits are not enough for both.
const EITHER: &str = "CASE WHEN {0} THEN CAST({1} AS DECIMAL(38,2)) ELSE CAST({2} AS DECIMAL(38,2)) END";
const WHICHEVER: &str = "CASE {0} WHEN {1} THEN CAST({2} AS DECIMAL(38,2)) ELSE CAST({3} AS DECIMAL(38,2)) END";

fn either(kind: Kind, arguments: &[Kind], ours: &str, of_decimals: &'static str) -> Form {
    if kind == Decimal { two(kind, 9, arguments, ours, of_decimals) } else { form(kind, 9, arguments, ours) }
}

/// Constants of a kind; the first is the plainest.
pub fn constants(kind: Kind) -> &'static [&'static str] {
    match kind {
        Whole => &["1", "0", "2", "-1", "3", "7", "9223372036854775807", "NULL"],
        Float => &["CAST(1.5 AS DOUBLE)", "CAST(0 AS DOUBLE)", "CAST('NaN' AS DOUBLE)", "CAST(-2.5 AS DOUBLE)"],
        Decimal => {
            &["CAST(1.5 AS DECIMAL(12,2))", "CAST(0 AS DECIMAL(12,2))", "CAST(-150 AS DECIMAL(12,2))", "0.5", "-1.25"]
        }
        Text => &["'a'", "''", "'it''s'", "'%'", "'B'", "NULL"],
        Truth => &["true", "false", "NULL"],
        Day => &["DATE '2019-04-14'", "DATE '0001-01-01'", "DATE '9999-12-31'", "CAST(NULL AS DATE)"],
        Moment => &[
            "TIMESTAMP '2019-04-14 00:00:00'",
            "TIMESTAMP '1970-01-01 00:00:00'",
            "TIMESTAMP '2020-01-01 23:59:59.999999'",
            "CAST(NULL AS TIMESTAMP)",
        ],
    }
}

/// Forms of a kind.
pub fn forms(kind: Kind) -> &'static [Form] {
    static ALL: LazyLock<Vec<Vec<Form>>> = LazyLock::new(|| KINDS.iter().map(|kind| made(*kind)).collect());
    KINDS.iter().position(|k| *k == kind).map_or(&[], |index| &ALL[index])
}

fn made(kind: Kind) -> Vec<Form> {
    let mut all = match kind {
        Whole => whole(),
        Float => float(),
        Decimal => decimal(),
        Text => text(),
        Truth => truth(),
        Day => vec![
            form(Day, 9, &[Moment], "CAST({0} AS DATE)"),
            form(Day, 9, &[Day], "CAST(date_trunc('month', {0}) AS DATE)"),
        ],
        Moment => vec![
            form(Moment, 9, &[Moment], "date_trunc('hour', {0})"),
            form(Moment, 9, &[Moment], "date_trunc('month', {0})"),
            form(Moment, 9, &[Day], "CAST({0} AS TIMESTAMP)"),
        ],
    };
    let k = kind;
    all.extend([
        form(k, 9, &[k, k], "coalesce({0}, {1})"),
        form(k, 9, &[k, k], "nullif({0}, {1})"),
        either(k, &[Truth, k, k], "CASE WHEN {0} THEN {1} ELSE {2} END", EITHER),
        form(k, 9, &[Truth, k], "CASE WHEN {0} THEN {1} END"),
        either(k, &[Whole, Whole, k, k], "CASE {0} WHEN {1} THEN {2} ELSE {3} END", WHICHEVER),
    ]);
    if k != Truth {
        all.push(form(k, 9, &[k, k], "greatest({0}, {1})"));
        all.push(form(k, 9, &[k, k], "least({0}, {1})"));
    }
    all
}

fn whole() -> Vec<Form> {
    let w = Whole;
    vec![
        form(w, 6, &[w, w], "{0} + {1}"),
        form(w, 6, &[w, w], "{0} - {1}"),
        form(w, 7, &[w, w], "{0} * {1}"),
        two(w, 7, &[w], "{0} / 3", "{0} // 3"),
        form(w, 7, &[w], "{0} % 3"),
        form(w, 8, &[w], "- {0}"),
        form(w, 9, &[w], "abs({0})"),
        form(w, 5, &[w, w], "{0} & {1}"),
        form(w, 5, &[w, w], "{0} | {1}"),
        form(w, 9, &[Text], "length({0})"),
        form(w, 9, &[Text], "strpos({0}, 'a')"),
        form(w, 9, &[Day], "date_part('year', {0})"),
        form(w, 9, &[Day], "date_part('dow', {0})"),
        form(w, 9, &[Day], "date_part('doy', {0})"),
        form(w, 9, &[Moment], "extract(month FROM {0})"),
        form(w, 9, &[Moment], "date_part('hour', {0})"),
        form(w, 9, &[Truth], "CAST({0} AS BIGINT)"),
        form(w, 9, &[], "(SELECT max(q.v) FROM hongkong.edge.k q)"),
        form(w, 9, &[], "(SELECT q.v FROM shenzhen.edge.one q)"),
        form(w, 9, &[], "(SELECT q.v FROM macau.edge.none q)"),
        form(w, 3, &[w], "(SELECT count(*) FROM hongkong.edge.k q WHERE q.k = {0})"),
        form(w, 3, &[w], "(SELECT sum(q.v) FROM hongkong.edge.k q WHERE q.k = {0})"),
    ]
}

fn float() -> Vec<Form> {
    let f = Float;
    vec![
        form(f, 6, &[f, f], "{0} + {1}"),
        form(f, 6, &[f, f], "{0} - {1}"),
        form(f, 7, &[f, f], "{0} * {1}"),
        form(f, 7, &[f, f], "{0} / {1}"),
        form(f, 8, &[f], "- {0}"),
        form(f, 9, &[f], "abs({0})"),
        form(f, 9, &[f], "sqrt(abs({0}))"),
        form(f, 9, &[f], "floor({0})"),
        form(f, 9, &[f], "ceil({0})"),
        form(f, 9, &[f], "round({0})"),
        form(f, 9, &[Whole], "CAST({0} AS DOUBLE)"),
        form(f, 9, &[Decimal], "CAST({0} AS DOUBLE)"),
        form(f, 7, &[f, Decimal], "{0} * {1}"),
        form(f, 9, &[f], "coalesce({0}, 0.5)"),
        form(f, 7, &[Decimal], "{0} / 2.5"),
    ]
}

fn decimal() -> Vec<Form> {
    let d = Decimal;
    vec![
        form(d, 6, &[d, d], "{0} + {1}"),
        form(d, 6, &[d, d], "{0} - {1}"),
        form(d, 7, &[d], "{0} * 2"),
        form(d, 8, &[d], "- {0}"),
        form(d, 9, &[d], "abs({0})"),
        form(d, 9, &[d], "round({0}, 1)"),
        form(d, 9, &[Whole], "CAST({0} AS DECIMAL(38,2))"),
        form(d, 7, &[Whole], "{0} * 1.5"),
    ]
}

fn text() -> Vec<Form> {
    let t = Text;
    vec![
        form(t, 5, &[t, t], "{0} || {1}"),
        form(t, 9, &[t], "upper({0})"),
        form(t, 9, &[t], "lower({0})"),
        form(t, 9, &[t], "substr({0}, 1, 2)"),
        form(t, 9, &[t], "substr({0}, 2)"),
        form(t, 9, &[t], "trim({0})"),
        form(t, 9, &[t], "replace({0}, 'a', 'bb')"),
        form(t, 9, &[t], "left({0}, 1)"),
        form(t, 9, &[t], "right({0}, 1)"),
        form(t, 9, &[t], "split_part({0}, '_', 1)"),
        form(t, 9, &[t], "lpad({0}, 3, '*')"),
        form(t, 9, &[t, t], "concat({0}, '-', {1})"),
        form(t, 9, &[Whole], "CAST({0} AS VARCHAR)"),
        form(t, 9, &[Truth], "CAST({0} AS VARCHAR)"),
    ]
}

fn truth() -> Vec<Form> {
    let b = Truth;
    let mut all = vec![
        form(b, 1, &[b, b], "{0} AND {1}"),
        form(b, 0, &[b, b], "{0} OR {1}"),
        form(b, 1, &[b, b, b], "{0} AND {1} AND {2}"),
        form(b, 2, &[b], "NOT {0}"),
        form(b, 2, &[b], "{0} IS TRUE"),
        form(b, 2, &[b], "{0} IS NOT TRUE"),
        form(b, 2, &[b], "{0} IS FALSE"),
        form(b, 2, &[b], "{0} IS NOT FALSE"),
        form(b, 2, &[b], "{0} IS UNKNOWN"),
        form(b, 2, &[b], "{0} IS NOT UNKNOWN"),
        form(b, 4, &[Text], "{0} LIKE 'a%'"),
        form(b, 4, &[Text], "{0} NOT LIKE '%b%'"),
        form(b, 4, &[Text], "{0} LIKE 'a!_%' ESCAPE '!'"),
        form(b, 4, &[Text], "{0} LIKE '!%' ESCAPE '!'"),
        form(b, 4, &[Text], "{0} ILIKE 'A%'"),
        form(b, 9, &[Text], "starts_with({0}, 'a')"),
        two(b, 9, &[Text], "regexp_like({0}, '^[a-b]')", "regexp_matches({0}, '^[a-b]')"),
        form(b, 3, &[Day, Day], "{0} + INTERVAL '1 day' > {1}"),
        form(b, 3, &[Moment, Day], "{0} < {1}"),
        form(b, 9, &[Float], "isnan({0})"),
        form(b, 3, &[Whole, Decimal], "{0} > {1}"),
        form(b, 3, &[Float, Decimal], "{0} = {1}"),
        form(b, 3, &[Float, Decimal], "{0} < {1}"),
        form(b, 3, &[Float], "{0} >= 0.1"),
        form(b, 4, &[Whole], "{0} IN (SELECT q.k FROM hongkong.edge.k q)"),
        form(b, 4, &[Whole], "{0} IN (SELECT q.k FROM hongkong.edge.k q WHERE q.k IS NOT NULL)"),
        form(b, 4, &[Whole], "{0} NOT IN (SELECT q.k FROM hongkong.edge.k q)"),
        form(b, 4, &[Whole], "{0} NOT IN (SELECT q.k FROM hongkong.edge.k q WHERE q.k IS NOT NULL)"),
        form(b, 4, &[Whole], "{0} NOT IN (SELECT q.k FROM macau.edge.none q)"),
        form(b, 4, &[Whole], "{0} IN (SELECT q.k FROM macau.edge.none q)"),
        form(b, 3, &[Whole], "{0} = ANY (SELECT q.v FROM hongkong.edge.k q)"),
        form(b, 3, &[Whole], "{0} <> ALL (SELECT q.v FROM hongkong.edge.k q)"),
        form(b, 3, &[Whole], "{0} > ALL (SELECT q.k FROM macau.edge.none q)"),
        form(b, 3, &[Whole], "EXISTS (SELECT 1 FROM hongkong.edge.k q WHERE q.k = {0})"),
        form(b, 3, &[Whole], "NOT EXISTS (SELECT 1 FROM hongkong.edge.k q WHERE q.k = {0})"),
        form(b, 3, &[Whole], "EXISTS (SELECT 1 FROM hongkong.edge.k q WHERE q.k = {0} OFFSET 1)"),
        form(b, 3, &[Whole], "EXISTS (SELECT count(*) FROM hongkong.edge.k q WHERE q.k = {0})"),
        form(b, 3, &[Whole], "{0} = (SELECT q.v FROM hongkong.edge.k q)"),
    ];
    for kind in KINDS {
        let (one, pair) = ([kind], [kind, kind]);
        let three = [kind, kind, kind];
        all.extend([
            form(b, 2, &one, "{0} IS NULL"),
            form(b, 2, &one, "{0} IS NOT NULL"),
            form(b, 3, &pair, "{0} = {1}"),
            form(b, 3, &pair, "{0} <> {1}"),
            form(b, 2, &pair, "{0} IS DISTINCT FROM {1}"),
            form(b, 2, &pair, "{0} IS NOT DISTINCT FROM {1}"),
            form(b, 4, &three, "{0} IN ({1}, {2})"),
            form(b, 4, &pair, "{0} IN ({1}, NULL)"),
            form(b, 4, &three, "{0} NOT IN ({1}, {2})"),
            form(b, 4, &pair, "{0} NOT IN ({1}, NULL)"),
        ]);
        if kind != Truth {
            all.extend([
                form(b, 3, &pair, "{0} < {1}"),
                form(b, 3, &pair, "{0} >= {1}"),
                form(b, 4, &three, "{0} BETWEEN {1} AND {2}"),
                form(b, 4, &three, "{0} NOT BETWEEN {1} AND {2}"),
            ]);
        }
    }
    all
}

/// Aggregates over public rows.
pub fn aggregates() -> &'static [Form] {
    static ALL: LazyLock<Vec<Form>> = LazyLock::new(|| {
        let mut all = vec![
            form(Whole, 9, &[], "count(*)"),
            form(Whole, 9, &[Truth], "count(*) FILTER (WHERE {0})"),
            two(Whole, 9, &[Whole], "sum({0})", "CAST(sum({0}) AS BIGINT)"),
            two(
                Whole,
                9,
                &[Whole, Truth],
                "sum({0}) FILTER (WHERE {1})",
                "CAST(sum({0}) FILTER (WHERE {1}) AS BIGINT)",
            ),
            form(Float, 9, &[Float], "sum({0})"),
            form(Decimal, 9, &[Decimal], "sum({0})"),
            form(Float, 9, &[Whole], "avg({0})"),
            form(Float, 9, &[Float], "avg({0})"),
            form(Decimal, 9, &[Decimal], "avg({0})"),
            two(Whole, 9, &[Whole], "sum(DISTINCT {0})", "CAST(sum(DISTINCT {0}) AS BIGINT)"),
            form(Truth, 9, &[Truth], "bool_and({0})"),
            form(Truth, 9, &[Truth], "bool_or({0})"),
            form(Float, 9, &[Whole], "stddev({0} % 10)"),
            form(Float, 9, &[Whole], "var_pop({0} % 10)"),
            form(Float, 9, &[Whole], "median(CAST({0} AS DOUBLE))"),
        ];
        for kind in KINDS {
            all.push(form(Whole, 9, &[kind], "count({0})"));
            all.push(form(Whole, 9, &[kind], "count(DISTINCT {0})"));
            if kind != Truth {
                all.push(form(kind, 9, &[kind], "min({0})"));
                all.push(form(kind, 9, &[kind], "max({0})"));
            }
        }
        all
    });
    &ALL
}

/// Window functions over `gba.edge.t`, whose `id` orders its rows.
pub fn windows() -> &'static [Form] {
    static ALL: LazyLock<Vec<Form>> = LazyLock::new(|| {
        let sliding = "OVER (ORDER BY t.id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)";
        vec![
            form(Whole, 9, &[], "row_number() OVER (ORDER BY t.id)"),
            form(Whole, 9, &[Whole], "rank() OVER (PARTITION BY t.g ORDER BY {0})"),
            form(Whole, 9, &[Float], "dense_rank() OVER (ORDER BY {0} DESC NULLS LAST)"),
            form(Whole, 9, &[], "ntile(4) OVER (ORDER BY t.id)"),
            form(Float, 9, &[Text], "percent_rank() OVER (ORDER BY {0})"),
            form(Float, 9, &[Day], "cume_dist() OVER (ORDER BY {0})"),
            form(Whole, 9, &[Whole], "lag({0}) OVER (ORDER BY t.id)"),
            form(Whole, 9, &[Whole], "lead({0}, 2, 0) OVER (PARTITION BY t.b ORDER BY t.id)"),
            two(
                Whole,
                9,
                &[Whole],
                "lead({0}, 2) IGNORE NULLS OVER (ORDER BY t.id)",
                "lead({0}, 2 IGNORE NULLS) OVER (ORDER BY t.id)",
            ),
            two(
                Whole,
                9,
                &[Whole],
                "lag({0}) IGNORE NULLS OVER (ORDER BY t.id)",
                "lag({0} IGNORE NULLS) OVER (ORDER BY t.id)",
            ),
            two(
                Text,
                9,
                &[Text],
                "first_value({0}) IGNORE NULLS OVER (ORDER BY t.id)",
                "first_value({0} IGNORE NULLS) OVER (ORDER BY t.id)",
            ),
            form(Text, 9, &[Text], "first_value({0}) OVER (PARTITION BY t.g ORDER BY t.id)"),
            form(Text, 9, &[Text], &format!("last_value({{0}}) {sliding}")),
            form(Day, 9, &[Day], &format!("nth_value({{0}}, 2) {sliding}")),
            form(Float, 9, &[], &format!("sum(t.x) {sliding}")),
            form(Float, 9, &[], &format!("avg(t.x) {sliding}")),
            form(Float, 9, &[], &format!("stddev(t.x) {sliding}")),
            form(Whole, 9, &[Whole], &format!("count({{0}}) {sliding}")),
            form(Float, 9, &[Float], &format!("min({{0}}) {sliding}")),
            form(Float, 9, &[Float], &format!("max({{0}}) {sliding}")),
            form(Whole, 9, &[Whole], "max({0}) OVER (PARTITION BY t.b)"),
            form(Whole, 9, &[], "count(*) OVER (ORDER BY t.id RANGE BETWEEN 2 PRECEDING AND 2 FOLLOWING)"),
        ]
    });
    &ALL
}

/// Aggregates over protected rows: of measures, and of conditions on dimensions.
pub fn statistics() -> &'static [Form] {
    static ALL: LazyLock<Vec<Form>> = LazyLock::new(|| {
        let mut all = vec![
            form(Whole, 9, &[], "count(*)"),
            form(Whole, 9, &[], "count(DISTINCT p.id)"),
            form(Whole, 9, &[Truth], "count(*) FILTER (WHERE {0})"),
            form(Whole, 9, &[Truth], "sum(CASE WHEN {0} THEN 1 ELSE 0 END)"),
            form(Float, 9, &[Truth], "avg(p.x) FILTER (WHERE {0})"),
            form(Float, 9, &[], "stddev(p.x)"),
            form(Float, 9, &[], "var_pop(p.x)"),
            form(Float, 9, &[], "sum(p.x * 2 + 1)"),
            form(Truth, 9, &[], "bool_or(p.b)"),
            form(Truth, 9, &[], "bool_and(p.b)"),
            two(Whole, 9, &[], "sum(p.n)", "TRY_CAST(sum(p.n) AS BIGINT)"),
            two(Whole, 9, &[Truth], "sum(p.n) FILTER (WHERE {0})", "TRY_CAST(sum(p.n) FILTER (WHERE {0}) AS BIGINT)"),
            form(Float, 9, &[], "avg(p.n)"),
        ];
        // DuckDB gives a sum of more than 38 digits.
        all.push(two(
            Decimal,
            9,
            &[],
            "sum(p.w)",
            "CASE WHEN abs(CAST(sum(p.w) AS HUGEINT)) < 100000000000000000000000000000000000000 THEN sum(p.w) END",
        ));
        all.push(form(Whole, 9, &[], "count(p.w)"));
        for measure in ["f", "x", "m"] {
            all.push(form(Float, 9, &[], &format!("sum(p.{measure})")));
            all.push(form(Float, 9, &[], &format!("avg(p.{measure})")));
            all.push(form(Whole, 9, &[], &format!("count(p.{measure})")));
            all.push(form(Float, 9, &[Truth], &format!("sum(p.{measure}) FILTER (WHERE {{0}})")));
        }
        all
    });
    &ALL
}
