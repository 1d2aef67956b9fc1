use super::*;

/// Deeper than people write, and the depth that a query may have.
const DEPTH: usize = 128;

/// What a reading came to, and the steps that it took.
fn read(sql: &str) -> (Result<(), Unread>, u64, u64) {
    let text = match Text::new(sql) {
        Ok(text) => text,
        Err(unread) => return (Err(unread), 0, 0),
    };
    let bound = Work::bound(text.tokens.len());
    let dialect = QueryDialect::new(Work::of(text.tokens.len(), DEPTH));
    let read = text.parse_within(DEPTH, &dialect, |parser| {
        let statement = parser.parse_statement()?;
        match &parser.peek_token_ref().token {
            Token::EOF => {
                drop(statement);
                Ok(())
            }
            _ => parser.expected_ref("the end", parser.peek_token_ref()),
        }
    });
    (read, dialect.steps(), bound)
}

/// Checks that the reading of a text took no more steps than it may, and returns what it came to. One step is counted that is
/// not taken, the one that ends it: if the parser had gone on, there would be more.
fn bounded(sql: &str) -> Result<(), Unread> {
    let (read, steps, bound) = read(sql);
    let copied = 16 * (1 + sql.len() as u64);
    assert!(steps <= bound + 1 + copied, "{steps} steps of {bound}: {}", &sql[..sql.len().min(200)]);
    read
}

/// Texts of which a part can be put into itself: what stands before the innermost part, before and after each level, after all.
const FORMS: [(&str, &str, &str, &str); 36] = [
    ("SELECT ", "(", ")", ""),
    ("SELECT ", "CAST((", ") AS INT)", ""),
    ("SELECT ", "TRY_CAST(", " AS INT)", ""),
    ("SELECT ", "(SELECT ", ")", ""),
    ("SELECT ", "(SELECT (", "))", ""),
    ("SELECT ", "CASE ((", ")) WHEN 1 THEN 2 END", ""),
    ("SELECT ", "CASE WHEN ", " THEN 1 ELSE 2 END", ""),
    ("SELECT ", "f((", "))", ""),
    ("SELECT ", "f(a, b => ", ")", ""),
    ("SELECT ", "INTERVAL (", ")", ""),
    ("SELECT ", "INTERVAL ", "", ""),
    ("SELECT ", "INTERVAL YEAR ", "", ""),
    ("SELECT ", "x IN ((", "))", ""),
    ("SELECT ", "x IN (", ")", ""),
    ("SELECT ", "EXTRACT(YEAR FROM (", "))", ""),
    ("SELECT ", "POSITION((", ") IN x)", ""),
    ("SELECT ", "position(", ", b)", ""),
    ("SELECT ", "substring(", " FROM 1)", ""),
    ("SELECT ", "trim(", ")", ""),
    ("SELECT ", "overlay(", " PLACING x FROM 1)", ""),
    ("SELECT ", "EXISTS (SELECT ", ")", ""),
    ("SELECT ", "NOT EXISTS (SELECT (", "))", ""),
    ("SELECT ", "NOT ", "", ""),
    ("SELECT ", "- (", ")", ""),
    ("SELECT ", "ARRAY[(", ")]", ""),
    ("SELECT ", "{'a': (", ")}", ""),
    ("SELECT ", "MAP {'a': ", "}", ""),
    ("SELECT ", "STRUCT((", "))", ""),
    ("SELECT ", "x[(", ")]", ""),
    ("SELECT ", "a.", "", ""),
    ("SELECT ", "(a, ", ")", ""),
    ("SELECT CAST(NULL AS ", "STRUCT<a ", ">", ")"),
    ("SELECT CAST(NULL AS ", "ARRAY<", ">", ")"),
    ("SELECT * FROM ", "(", ")", ""),
    ("SELECT * FROM ", "(SELECT * FROM ", ") AS t", ""),
    ("SELECT * FROM ", "((SELECT * FROM ", ") AS t JOIN t ON true)", ""),
];

/// Innermost parts: one that is right nearly everywhere, and others that are wrong in several ways.
const CORES: [&str; 4] = ["t", "", "1 1", "("];

fn nested(form: (&str, &str, &str, &str), depth: usize, core: &str, closed: bool) -> String {
    let (before, open, close, after) = form;
    let (close, after) = if closed { (close.repeat(depth), after) } else { (String::new(), "") };
    format!("{before}{}{core}{close}{after}", open.repeat(depth))
}

#[test]
fn no_form_of_nesting_takes_more_steps_than_its_length_allows() {
    for form in FORMS {
        for depth in [15, 120] {
            for core in CORES {
                let _ = bounded(&nested(form, depth, core, true));
            }
            let _ = bounded(&nested(form, depth, "t", false));
        }
    }
}

#[test]
fn an_error_deep_within_brackets_ends_the_reading_and_is_placed() {
    let sql = nested(FORMS[1], 50, "1 1", true);
    let unread = bounded(&sql).unwrap_err();
    assert!(matches!(unread, Unread::TooLong { innermost: Some(_), unpaired: None }), "{unread:?}");
    // The innermost bracket is the last of those that open.
    let column = sql.rfind('(').unwrap() + 1;
    assert!(unread.remedy().contains(&format!("line 1, column {column}")), "{}", unread.remedy());
    let unread = bounded(&nested(FORMS[1], 50, "1", false)).unwrap_err();
    assert!(matches!(unread, Unread::TooLong { unpaired: Some(_), .. }), "{unread:?}");
    assert!(unread.remedy().contains("line 1, column 12"), "{}", unread.remedy());
}

#[test]
fn an_error_that_is_not_deep_is_named() {
    for (sql, words) in [
        ("SELECT (1", "Expected: ), found: EOF"),
        ("SELECT CAST((1) AS) FROM t", "found: )"),
        ("SELECT ((((1 1))))", "Expected: ), found: 1"),
        ("SELECT a FROM (SELECT b FRM t) AS t", "found: FRM"),
    ] {
        let unread = bounded(sql).unwrap_err();
        assert!(matches!(&unread, Unread::Invalid(_)) && unread.to_string().contains(words), "{sql}: {unread}");
    }
}

#[test]
fn what_the_parser_does_not_count_is_not_too_deep_for_a_stack() {
    let long = 30_000;
    let types = format!("SELECT CAST(NULL AS {}INT{})", "ARRAY<".repeat(long), ">".repeat(long));
    let structs = format!("SELECT CAST(NULL AS {}INT{})", "STRUCT<a ".repeat(long), ">".repeat(long));
    let tuples = format!("SELECT CAST(NULL AS {}INT{})", "TUPLE(a ".repeat(long), ")".repeat(long));
    let arrays = format!("SELECT CAST(NULL AS INT{})", "[]".repeat(long));
    let sized = format!("SELECT CAST(NULL AS INT{})", "[ 3 ]".repeat(long));
    let intervals = format!("SELECT {}'1'", "INTERVAL ".repeat(long));
    let fields = format!("SELECT {}'1'", "INTERVAL YEAR ".repeat(long));
    let brackets = format!("SELECT * FROM {}t{}", "(".repeat(long), ")".repeat(long));
    let columns = format!(
        "SELECT * FROM JSON_TABLE('[]', '$' COLUMNS({}a INT PATH '$'{})) AS t",
        "NESTED PATH '$' COLUMNS(".repeat(long),
        ")".repeat(long)
    );
    for sql in [types, structs, tuples, arrays, sized, intervals, fields, brackets, columns] {
        let unread = bounded(&sql).unwrap_err();
        assert!(matches!(unread, Unread::TooDeep { .. } | Unread::TooLong { .. }), "{unread:?}: {}", &sql[..60]);
    }
    // Texts that people write stay far below that.
    bounded("SELECT CAST(NULL AS STRUCT<a ARRAY<STRUCT<b INT[][][]>>>), x[1][2], a < b AND c > d").unwrap();
}

/// A generator of numbers that are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most
    }
}

#[test]
fn no_garbage_takes_more_steps_than_its_length_allows() {
    const WORDS: [&str; 48] = [
        "(",
        "(",
        "((",
        ")",
        ")",
        "))",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        "=",
        "<",
        ">",
        "::",
        "->",
        "=>",
        ":",
        "a",
        "t",
        "1",
        "'x'",
        "*",
        "SELECT",
        "FROM",
        "WHERE",
        "CAST(",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "INTERVAL",
        "IN (",
        "NOT",
        "EXISTS (",
        "ARRAY",
        "STRUCT",
        "MAP",
        "POSITION(",
        "JOIN",
        "LATERAL (",
        "VALUES (",
        "UNION",
        "WITH t AS (",
        "AS",
        "DATE",
        "OVER (",
    ];
    let mut random = Random(7);
    for _ in 0..3_000 {
        let length = 1 + random.below(60);
        let mut sql = "SELECT ".to_owned();
        // Some words come again and again, as they do in what is nested.
        let often = [random.below(WORDS.len()), random.below(WORDS.len())];
        for _ in 0..length {
            let word = if random.below(3) == 0 { random.below(WORDS.len()) } else { often[random.below(2)] };
            sql.push_str(WORDS[word]);
            sql.push(' ');
        }
        let _ = bounded(&sql);
    }
}

#[test]
fn right_texts_are_far_below_the_bound() {
    let conditions = (0..150).map(|i| format!("(a = {i})")).collect::<Vec<_>>();
    let values = (0..3_000).map(|i| format!("('{i}', {i})")).collect::<Vec<_>>().join(", ");
    for sql in [
        "SELECT 1".to_owned(),
        nested(FORMS[0], 100, "a", true),
        nested(FORMS[2], 60, "a", true),
        nested(FORMS[3], 30, "a", true),
        nested(FORMS[5], 10, "a", true),
        nested(FORMS[7], 50, "a", true),
        nested(FORMS[9], 10, "'1'", true),
        nested(FORMS[12], 12, "a", true),
        nested(FORMS[34], 12, "t", true),
        nested(FORMS[35], 6, "t", true),
        format!("SELECT * FROM t WHERE {}", conditions.join(" OR ")),
        format!("SELECT * FROM (VALUES {values}) AS t (a, b)"),
        format!("SELECT * FROM t WHERE a IN ({})", (0..3_000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ")),
        "WITH d AS (SELECT a, CASE WHEN (b > 1) AND (c IS NOT NULL) THEN 'x' ELSE CAST(c AS VARCHAR) END AS d \
         FROM gba.health.visits AS t1 JOIN gba.health.codes AS t2 ON (t1.code = t2.code) WHERE EXISTS (SELECT 1 FROM \
         gba.health.wards AS w WHERE (w.ward = t1.ward))) SELECT d, count(*) FILTER (WHERE (a > 1)) AS n, \
         sum(a) OVER (PARTITION BY d ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM d \
         WHERE (a BETWEEN SYMMETRIC 1 AND 2) AND (x IS DISTINCT FROM y) GROUP BY ROLLUP(d) HAVING (count(*) > 1) \
         ORDER BY n DESC NULLS LAST LIMIT 10"
            .to_owned(),
    ] {
        let (read, steps, bound) = read(&sql);
        let shown = &sql[..sql.len().min(80)];
        assert_eq!(read, Ok(()), "{shown}");
        assert!(steps * 4 <= bound, "{steps} steps of {bound}: {shown}");
    }
}
