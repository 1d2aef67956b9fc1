//! Functions with absurd arguments: each has a result, or a refusal that names it, its rule and a remedy.

use wanqu_model::bundle::SourceFormat;
use wanqu_model::refusal::{Code, Refusal};

use super::fixture::{Fixture, rule};
use super::number_tests::{Over, rows_of};

/// Calls that have no result, as constants or over a column, and a word of what the refusal says.
const REFUSED: &[(&str, &str)] = &[
    ("substring(s, 1, -1)", "substr"),
    ("substring(s FROM 1 FOR -1)", "substr"),
    ("substring('abc' FROM 1 FOR -1)", "substr"),
    ("chr(-1)", "chr"),
    ("chr(0)", "chr"),
    ("upper(s) FILTER (WHERE i > 1)", "FILTER behind upper"),
    ("upper(s) OVER (ORDER BY i)", "OVER behind upper"),
    ("upper(DISTINCT s)", "DISTINCT in upper"),
    ("upper(s ORDER BY i)", "ORDER BY in upper"),
    ("upper(s) IGNORE NULLS", "IGNORE or RESPECT NULLS with upper"),
    ("lag(DISTINCT i) OVER (ORDER BY i)", "DISTINCT in lag"),
    ("rank() IGNORE NULLS OVER (ORDER BY i)", "IGNORE or RESPECT NULLS with rank"),
    ("sum(i) OVER (ORDER BY s RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)", "RANGE"),
    ("sum(i) OVER (ORDER BY i > 1 RANGE BETWEEN 1 PRECEDING AND CURRENT ROW)", "RANGE"),
    ("chr(i - 2)", "chr"),
    ("split_part(s, 'a', 0)", "split_part"),
    ("to_date('nonsense')", "to_date"),
    ("to_date(s)", "to_date"),
    ("to_timestamp(s)", "to_timestamp"),
    ("regexp_match(s, '(')", "unclosed group"),
    ("regexp_like(s, '(')", "unclosed group"),
    ("regexp_replace(s, '(', 'x')", "unclosed group"),
    ("regexp_count(s, '(')", "regexp_count"),
    ("date_bin(INTERVAL '0 days', TIMESTAMP '2024-01-01')", "date_bin"),
    ("date_bin(INTERVAL '0 days', t)", "date_bin"),
    ("date_trunc('century', t)", "date_trunc"),
    ("make_date(2024, 13, 1)", "make_date"),
    ("factorial(-1)", "factorial"),
    ("ln(0)", "ln"),
    ("ln(i - 1)", "ln"),
    ("log(0)", "log"),
    ("log(1, power(1, 5))", "log"),
    ("log(x - 0.5, power(x - 0.5, 5))", "log"),
    ("log2(x - 2)", "log2"),
    ("log10(-x)", "log10"),
    ("sqrt(-x)", "sqrt"),
    ("acos(x)", "acos"),
    ("asin(2)", "asin"),
    ("acosh(i - 1)", "acosh"),
    ("atanh(x)", "atanh"),
    ("sin(x / 0)", "sin"),
    ("power(i - 1, -1)", "power"),
    ("power(-x, 0.5)", "power"),
    ("power(-2, log(-2, x))", "log"),
    ("factorial(21)", "factorial"),
    ("overlay(s PLACING 'x' FROM 0)", "overlay"),
    ("decode('zz', 'hex')", "decode"),
    ("decode('zz', 'rot13')", "decode"),
    ("ntile(0) OVER (ORDER BY i)", "ntile"),
    ("ntile(-1) OVER (ORDER BY i)", "ntile"),
    ("ntile(NULL) OVER (ORDER BY i)", "ntile"),
    ("nth_value(i, 0) OVER (ORDER BY i)", "nth_value"),
    ("lag(i, NULL) OVER (ORDER BY i)", "lag"),
    ("CAST(s AS INTEGER)", "TRY_CAST"),
    ("1 / (i - i)", "NULLIF"),
];

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.write("t.csv", "i,s,t,x,d\n1,abc,2024-01-02 03:04:05,1.5,2.50\n");
    let columns = "i: int64 public; s: string public; t: timestamp public; x: float64 public; d: decimal(12,2) public";
    fixture.dataset("t", "t.csv", SourceFormat::Csv, columns, rule(1, 1));
    fixture
}

fn is_in_words(refusal: &Refusal) -> bool {
    let text = serde_json::to_string(refusal).unwrap();
    let dumps = [
        "Internal",
        "DataFusion",
        "Utf8",
        "Int64",
        "Timestamp(",
        "backtrace",
        "panicked",
        "PhysicalExpr",
        "Execution error",
    ];
    refusal.code != Code::Internal
        && refusal.rule.is_some()
        && refusal.remedy.is_some()
        && !dumps.iter().any(|dump| text.contains(dump))
}

#[tokio::test]
async fn a_call_without_a_result_says_the_function_and_its_rule() {
    let fixture = fixture();
    let engine = fixture.engine().unwrap();
    let mut wrong = String::new();
    for (call, word) in REFUSED {
        let sql = format!("SELECT {call} FROM shenzhen.d.t");
        match rows_of(&fixture, &engine, Over::Public, &sql).await {
            Ok(rows) => wrong += &format!("{call} is {rows}\n"),
            Err(refusal) => {
                let text = serde_json::to_string(&refusal).unwrap();
                let casts = ["TRY_CAST", "NULLIF"];
                let right = text.contains(word) && (casts.contains(word) || !text.contains("TRY_CAST where"));
                if !right || !is_in_words(&refusal) {
                    wrong += &format!("{call}: {text}\n");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn conditions_that_can_fail_wait_for_those_before_them() {
    let fixture = fixture();
    let engine = fixture.engine().unwrap();
    for condition in [
        "regexp_like(s, '^[0-9]+$') AND CAST(s AS INTEGER) > 0",
        "length(s) = 1 AND regexp_like(s, '^[0-9]$') AND CAST(s AS INTEGER) <> 0 AND 100 / CAST(s AS INTEGER) > 2",
        "NOT (substr(s, 1, 1) = 'a' OR CAST(s AS INTEGER) > 0)",
        "x < 0 AND ln(-x) > 0 AND power(x, 0.5) > 1",
    ] {
        let sql = format!("SELECT i FROM shenzhen.d.t WHERE {condition}");
        let rows = rows_of(&fixture, &engine, Over::Public, &sql).await;
        assert_eq!(rows.unwrap_or_else(|refusal| panic!("{condition}: {refusal}")), "", "{condition}");
    }
    // What a FILTER leaves out is not computed either.
    for (select, expected) in [
        ("sum(ln(x - 2)) FILTER (WHERE x > 2)", ""),
        ("s, sum(ln(x - 2)) FILTER (WHERE x > 2), count(DISTINCT 1 / (i - 1)) FILTER (WHERE i > 1)", "abc||0"),
        ("sum(1 / (i - 1)) FILTER (WHERE i > 1) OVER (ORDER BY i)", ""),
    ] {
        let group = if select.starts_with("s,") { " GROUP BY s" } else { "" };
        let sql = format!("SELECT {select} FROM shenzhen.d.t{group}");
        let rows = rows_of(&fixture, &engine, Over::Public, &sql).await;
        assert_eq!(rows.unwrap_or_else(|refusal| panic!("{select}: {refusal}")), expected, "{select}");
    }
}

/// Calls with an argument in each place that it can have.
const CALLS: &[&str] = &[
    "abs(@)",
    "floor(@)",
    "ceil(@)",
    "round(@)",
    "round(d, @)",
    "round(x, @)",
    "trunc(x, @)",
    "power(@, @)",
    "power(i, @)",
    "sqrt(@)",
    "ln(@)",
    "log(@)",
    "log(@, x)",
    "factorial(@)",
    "gcd(i, @)",
    "lcm(i, @)",
    "nullif(i, @)",
    "coalesce(@, i)",
    "greatest(i, @)",
    "upper(@)",
    "trim(@)",
    "replace(s, @, 'x')",
    "replace(s, 'a', @)",
    "substring(s, @)",
    "substring(s, @, @)",
    "substring(s, 1, @)",
    "substring(s FROM @ FOR 1)",
    "left(s, @)",
    "right(s, @)",
    "lpad(s, @)",
    "rpad(s, @, 'x')",
    "lpad(s, 5, @)",
    "repeat(s, @)",
    "length(@)",
    "position(@ IN s)",
    "strpos(s, @)",
    "concat(s, @)",
    "chr(@)",
    "ascii(@)",
    "to_hex(@)",
    "split_part(s, @, 1)",
    "split_part(s, 'a', @)",
    "overlay(s PLACING 'x' FROM @)",
    "overlay(s PLACING 'x' FROM 1 FOR @)",
    "translate(s, @, 'x')",
    "levenshtein(s, @)",
    "substr_index(s, 'a', @)",
    "find_in_set(s, @)",
    "regexp_like(s, @)",
    "regexp_like(s, 'a', @)",
    "regexp_match(s, @)",
    "regexp_count(s, 'a', @)",
    "regexp_instr(s, 'a', @)",
    "regexp_instr(s, 'a', 1, @)",
    "regexp_replace(s, @, 'x')",
    "s LIKE @",
    "s SIMILAR TO @",
    "date_trunc(@, t)",
    "date_trunc('day', @)",
    "date_part(@, t)",
    "date_part('year', @)",
    "extract(year FROM @)",
    "date_bin(@, t)",
    "date_bin(INTERVAL '1 day', @)",
    "date_bin(INTERVAL '1 day', t, @)",
    "to_date(@)",
    "to_date(s, @)",
    "to_timestamp(@)",
    "to_timestamp(s, @)",
    "to_timestamp_seconds(@)",
    "to_timestamp_millis(@)",
    "to_timestamp_micros(@)",
    "to_timestamp_nanos(@)",
    "to_unixtime(@)",
    "from_unixtime(@)",
    "make_date(@, 1, 1)",
    "make_date(2024, @, 1)",
    "make_date(2024, 1, @)",
    "to_char(t, @)",
    "encode(s, @)",
    "decode(s, @)",
    "decode(@, 'hex')",
    "digest(s, @)",
    "array_element([1, 2], @)",
    "array_slice([1, 2], @, @)",
    "array_repeat(i, @)",
    "array_resize([1, 2], @)",
    "array_position([1, 2], 1, @)",
    "array_to_string([1, 2], @)",
    "string_to_array(s, @)",
    "range(@)",
    "range(1, 5, @)",
    "generate_series(1, @)",
    "CAST(@ AS INTEGER)",
    "CAST(@ AS DATE)",
    "CAST(@ AS TIMESTAMP)",
    "CAST(@ AS DECIMAL(5, 2))",
    "CAST(@ AS BOOLEAN)",
    "t + INTERVAL '1 day' * @",
    "ntile(@) OVER (ORDER BY i)",
    "nth_value(i, @) OVER (ORDER BY i)",
    "lag(i, @) OVER (ORDER BY i)",
    "lead(i, 1, @) OVER (ORDER BY i)",
    "percentile_cont(@) WITHIN GROUP (ORDER BY x)",
    "approx_percentile_cont(@) WITHIN GROUP (ORDER BY x)",
    "string_agg(s, @)",
    "nth_value(i, @)",
    "i % @",
    "i / @",
    "i << @",
    "i # @",
    "-(@)",
    "s || @",
    "arrow_cast(@, 'Int32')",
    "arrow_cast(i, @)",
];

/// Absurd arguments.
const ABSURD: &[&str] = &[
    "0",
    "-1",
    "NULL",
    "''",
    "'('",
    "'%'",
    "9223372036854775807",
    "-9223372036854775808",
    "1e308",
    "99999999999999999999999999999999999999",
    "CAST('NaN' AS DOUBLE)",
    "i",
    "-i",
    "s",
];

/// Every function with every absurd argument in each of its places.
#[tokio::test]
async fn no_argument_makes_a_function_fail_without_words() {
    let fixture = fixture();
    let engine = fixture.engine().unwrap();
    let mut wrong = String::new();
    for call in CALLS {
        for argument in ABSURD {
            let sql = format!("SELECT {} AS y FROM shenzhen.d.t", call.replace('@', argument));
            if let Err(refusal) = rows_of(&fixture, &engine, Over::Public, &sql).await
                && !is_in_words(&refusal)
            {
                wrong += &format!("{sql}: {}\n", serde_json::to_string(&refusal).unwrap());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
