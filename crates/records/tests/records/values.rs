//! Values of which nothing is declared: the right value, or a bad record.

use wanqu_records::Fault;

use crate::read::{csv, ndjson, read};
use wanqu_model::bundle::TextSpec;
use wanqu_records::TextFormat;

/// The row that a value of each type gives, or the word `bad`.
fn one(value: &str, data_type: &str, format: TextFormat) -> String {
    let (text, columns) = match format {
        TextFormat::Csv => (format!("x,y\n{value},1\n"), format!("x: {data_type};y: int32")),
        TextFormat::Ndjson => (format!("{{\"x\":{value},\"y\":1}}\n"), format!("x: {data_type};y: int32")),
    };
    let read = read(text.as_bytes(), "t", &columns, format, &TextSpec::default()).unwrap();
    match (read.lines().as_slice(), read.bad.as_slice()) {
        ([line], []) => line.strip_suffix("|1").unwrap().to_owned(),
        ([], [(1, column, _)]) => {
            assert_eq!(column.as_deref(), Some("x"), "{value}");
            "bad".to_owned()
        }
        other => panic!("{value} as {data_type}: {other:?}"),
    }
}

#[test]
fn a_value_of_csv_is_read_exactly_or_not() {
    for (value, data_type, expected) in [
        ("1.239", "decimal", "bad"),
        ("1.230", "decimal", "1.23"),
        ("-1.2", "decimal", "-1.20"),
        ("9999999999.99", "decimal", "9999999999.99"),
        ("10000000000", "decimal", "bad"),
        ("12.7", "int32", "bad"),
        ("12.0", "int32", "12"),
        ("1e2", "int32", "bad"),
        ("2147483647", "int32", "2147483647"),
        ("2147483648", "int32", "bad"),
        ("9007199254740993", "int64", "9007199254740993"),
        ("-9223372036854775808", "int64", "-9223372036854775808"),
        ("9223372036854775808", "int64", "bad"),
        (" 12 ", "int32", "12"),
        ("１２", "int32", "12"),
        ("－１．５", "decimal", "-1.50"),
        ("\"12\"", "int32", "12"),
        ("", "int32", "∅"),
        ("\"\"", "int32", "∅"),
        ("  ", "int32", "∅"),
        ("", "string", "∅"),
        ("\"\"", "string", ""),
        (" x ", "string", " x "),
        ("１２", "string", "１２"),
        ("N.A.", "string", "N.A."),
        ("N.A.", "int32", "bad"),
        ("--", "decimal", "bad"),
        ("1e999", "float64", "bad"),
        ("1.5e3", "float64", "1500.0"),
        ("NaN", "float64", "NaN"),
        ("inf", "float64", "inf"),
        ("TRUE", "boolean", "true"),
        ("1", "boolean", "bad"),
        ("2024-02-29", "date", "2024-02-29"),
        ("2024-02-30", "date", "bad"),
        ("2024-02-29 00:00:00", "date", "2024-02-29"),
        ("2024-02-29 10:00:00", "date", "bad"),
        ("29/02/2024", "date", "bad"),
        ("2024-02-29T10:00:00.123456", "timestamp", "2024-02-29T10:00:00.123456"),
        ("2024-02-29T10:00:00.1234567", "timestamp", "bad"),
        ("9999-12-31 23:59:59", "timestamp", "9999-12-31T23:59:59"),
        ("1700000000", "timestamp", "bad"),
    ] {
        assert_eq!(one(value, data_type, TextFormat::Csv), expected, "{value:?} as {data_type}");
    }
}

#[test]
fn a_value_of_ndjson_is_read_exactly_or_not() {
    for (value, data_type, expected) in [
        ("12.7", "int32", "bad"),
        ("-12.7", "int32", "bad"),
        ("12.0", "int32", "12"),
        ("1e2", "int32", "100"),
        ("1.5e1", "int32", "15"),
        ("1.25e1", "int32", "bad"),
        ("2147483648", "int32", "bad"),
        ("9007199254740993", "int64", "9007199254740993"),
        ("9223372036854775808", "int64", "bad"),
        ("1e400", "int64", "bad"),
        ("1.239", "decimal", "bad"),
        ("1.23e2", "decimal", "123.00"),
        ("\"1.20\"", "decimal", "1.20"),
        ("\"12\"", "int32", "12"),
        ("\"\"", "int32", "bad"),
        ("\"1e2\"", "int32", "bad"),
        ("true", "int32", "bad"),
        ("null", "int32", "∅"),
        ("1e999", "float64", "bad"),
        ("12", "float64", "12.0"),
        ("\"NaN\"", "float64", "NaN"),
        ("true", "boolean", "true"),
        ("\"false\"", "boolean", "false"),
        ("1", "boolean", "bad"),
        ("\"2024-02-29\"", "date", "2024-02-29"),
        ("20240229", "date", "bad"),
        ("1700000000", "timestamp", "bad"),
        ("\"2024-02-29T08:00:00+08:00\"", "timestamp", "2024-02-29T00:00:00"),
        ("\"N/A\"", "string", "N/A"),
        ("12", "string", "12"),
        ("12.50", "string", "12.50"),
        ("1e2", "string", "1e2"),
        ("123456789012345678901234567890", "string", "123456789012345678901234567890"),
        ("true", "string", "true"),
        ("\"\"", "string", ""),
        ("{\"a\":1}", "string", "bad"),
        ("[1]", "string", "bad"),
        ("[1, null, \"3\"]", "list", "[1, , 3]"),
        ("[]", "list", "[]"),
        ("[1.5]", "list", "bad"),
        ("1", "list", "bad"),
    ] {
        assert_eq!(one(value, data_type, TextFormat::Ndjson), expected, "{value} as {data_type}");
    }
}

/// What the page on files says of forms that people write, and that PostgreSQL reads as well.
#[test]
fn documented_forms_are_read_alike_in_both_formats() {
    for (value, data_type, expected) in [
        ("2024-1-2", "date", "2024-01-02"),
        ("2024-1-2 3:04", "timestamp", "2024-01-02T03:04:00"),
        ("12.", "int32", "12"),
        ("12.", "decimal", "12.00"),
        ("12.", "float64", "12.0"),
        (".5", "decimal", "0.50"),
        (".", "decimal", "bad"),
        ("\u{2212}12", "int32", "-12"),
        ("\u{2212}1.5", "decimal", "-1.50"),
        ("\u{2212}1.5", "float64", "-1.5"),
        ("\u{2013}12", "int32", "bad"),
        ("1969-12-31 23:59:59.999999000", "timestamp", "1969-12-31T23:59:59.999999"),
        ("1969-12-31 23:59:59.999999999", "timestamp", "bad"),
    ] {
        assert_eq!(one(value, data_type, TextFormat::Csv), expected, "{value:?} as {data_type}");
        assert_eq!(one(&format!("\"{value}\""), data_type, TextFormat::Ndjson), expected, "{value:?} as {data_type}");
    }
}

#[test]
fn records_of_csv_have_their_fields_or_are_bad() {
    let read = csv("a,b\r\n1,x\n2\n3,z,e\n\n4,\"w\n\"\r\n5,\"q\"r\n6,7\0\n8,9", "b: string;a: int32").unwrap();
    assert_eq!(read.lines(), ["x|1", "w\n|4", "9|8"]);
    let bad: Vec<String> =
        read.bad.iter().map(|(record, column, reason)| format!("{record} {column:?} {reason}")).collect();
    assert_eq!(
        bad,
        [
            "2 None it has 1 fields, and not 2",
            "3 None it has more than 2 fields",
            "6 None text follows the closing quote of a field",
            "7 None it holds a NUL byte",
        ]
    );
}

#[test]
fn an_empty_line_is_a_null_where_there_is_one_column() {
    assert_eq!(csv("b\nx\n\ny\n\n", "b: string").unwrap().lines(), ["x", "∅", "y", "∅"]);
    assert_eq!(csv("b\r\nx\r\n\r\n\"\"\r\n", "b: string").unwrap().lines(), ["x", "∅", ""]);
    assert_eq!(csv("b,c\nx,1\n\ny,2\n\n", "b: string").unwrap().lines(), ["x", "y"]);
}

#[test]
fn line_ends_are_those_of_the_first_line() {
    for end in ["\n", "\r\n", "\r", "\r\r\n"] {
        let text = ["a,b", "1,x", "", "2,\"y\nz\"", "3,"].join(end);
        assert_eq!(csv(&text, "a: int32;b: string").unwrap().lines(), ["1|x", "2|y\nz", "3|∅"], "{end:?}");
    }
    let mixed = csv("a,b\n1,x\r2,y\n3,z\n", "a: int32;b: string").unwrap();
    assert_eq!((mixed.lines(), mixed.bad.len()), (vec!["3|z".to_owned()], 1));
    let lines = "{\"a\":1}\r\r{\"a\":2}";
    assert_eq!(ndjson(lines, "a: int32").unwrap().lines(), ["1", "2"]);
}

#[test]
fn a_quote_that_is_not_closed_refuses_the_file() {
    let open = csv("a,b\n1,x\n2,\"never closed\n3,y\n4,z\n", "a: int32;b: string");
    assert_eq!(open, Err(Fault::OpenQuote));
    // Closed by the beginning of a later field, it has swallowed the records between.
    let swallowed = csv("a,b\n1,x\n2,\"never closed\n3,y\n4,\"z\"\n5,u\n", "a: int32;b: string");
    assert!(matches!(swallowed, Err(Fault::Unreadable(_))), "{swallowed:?}");
}

#[test]
fn names_are_those_of_the_header() {
    let columns = "a: int32;b: string";
    assert_eq!(csv("b,a,c\nx,1,y\n", columns).unwrap().lines(), ["1|x"]);
    assert_eq!(csv("\u{feff}\"a\",b\n1,x\n", columns).unwrap().lines(), ["1|x"]);
    assert_eq!(csv("a,c,c,b\n1,2,3,x\n", columns).unwrap().lines(), ["1|x"], "a name twice that nobody declares");
    assert_eq!(csv("a,b,a\n1,x,2\n", columns), Err(Fault::AmbiguousColumn("a".to_owned())));
    assert_eq!(csv("a,B\n1,x\n", columns), Err(Fault::ColumnLetters("b".to_owned())));
    assert!(matches!(csv("", columns), Err(Fault::Unreadable(_))));
    assert_eq!(csv("a,b\n", columns).unwrap().rows.len(), 0);
    assert_eq!(csv("a,b\n1,[1]\n", "a: int32;b: list"), Err(Fault::ColumnType("b".to_owned())));
}

#[test]
fn files_without_records_and_headers_that_are_none() {
    let columns = "a: int32;b: string";
    for text in ["a,b", "a,b\r\n", "\u{feff}a,b\n", "a,b\n\n\n", "\"a\",\"b\"\r", "a,b\n\r"] {
        let read = csv(text, columns).unwrap();
        assert_eq!((read.rows.len(), read.bad.len()), (0, 0), "{text:?}");
    }
    for (text, reason) in [
        ("", "the line with the names of the columns is missing"),
        ("\u{feff}", "the line with the names of the columns is missing"),
        ("a,b\0\n1,x\n", "its first record holds a NUL byte"),
        ("\"a,b\"x\n1,x\n", "the line with the names: text follows the closing quote of a field"),
    ] {
        assert_eq!(csv(text, columns), Err(Fault::Unreadable(reason.to_owned())), "{text:?}");
    }
    let long = format!("a,b\n1,{}\n", "x".repeat(17 << 20));
    assert!(matches!(csv(&long, columns), Err(Fault::Unreadable(why)) if why.contains("longer than")));
    let gbk = b"\xb1\xe0\xba\xc5,b\n1,x\n";
    let named = read(gbk, "t.csv", "编号: int32", TextFormat::Csv, &TextSpec::default());
    assert!(matches!(named, Err(Fault::Setting { setting, .. }) if setting.starts_with("encoding: ")));
}

#[test]
fn lines_of_ndjson_are_one_object_each() {
    let columns = "a: int32;b: string";
    let text = "\u{feff}{\"b\":\"x\",\"a\":1}\r\n\n  \n{\"a\":2,\"c\":[{}]}\n{\"a\":3}{\"a\":4}\n[5]\n{\"a\":6,\"a\":7}\n{\"a\":8,\n{\"a\":null}\n{\"a\":9";
    let read = ndjson(text, columns).unwrap();
    assert_eq!(read.lines(), ["1|x", "2|∅", "∅|∅"]);
    let bad: Vec<String> =
        read.bad.iter().map(|(record, column, reason)| format!("{record} {column:?} {reason}")).collect();
    assert_eq!(
        bad,
        [
            "5 None more than one value is in the line",
            "6 None it is an array; NDJSON has one object in each line",
            "7 Some(\"a\") it is there twice",
            "8 None it is no JSON",
            "10 None it is no JSON",
        ]
    );
    assert_eq!(ndjson("{\"A\":1}\n", "a: int32"), Err(Fault::ColumnLetters("a".to_owned())), "another case");
    assert_eq!(ndjson("{\"\\u0061\":1}\n", "a: int32").unwrap().lines(), ["1"]);
    assert_eq!(ndjson("", columns).unwrap().rows.len(), 0);
    let absent = "{\"a\":1}\n".repeat(10_000);
    assert_eq!(ndjson(&absent, columns), Err(Fault::MissingColumn("b".to_owned())));
    let escaped = "{\"\\u7f16\\u53f7\":1}\n".repeat(10_000);
    assert_eq!(ndjson(&escaped, "编号: int32").unwrap().rows.len(), 10_000);
}
