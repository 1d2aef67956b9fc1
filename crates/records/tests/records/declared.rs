//! Files read by their declarations, and the messages about a declaration that is missing.

use std::io::Write;

use encoding_rs::{BIG5, GBK};
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use wanqu_model::bundle::{Compression, Encoding, TextSpec};
use wanqu_records::{Columns, Fault, TextFormat};

use crate::read::{csv, csv_syntax, encoded, ndjson, read, read_declared, schema, setting, value_syntax};

const COLUMNS: &str = "a: int32;b: string";

fn with(text: &str, columns: &str, declared: &TextSpec) -> Vec<String> {
    let read = read(text.as_bytes(), "t.csv", columns, TextFormat::Csv, declared).unwrap();
    assert_eq!(read.bad, [], "{text:?}");
    read.lines()
}

#[test]
fn encodings_are_read_where_they_are_declared_and_named_where_not() {
    let text = "a,b\n1,福田區\n2,\"ascii,\n\"\n";
    let lines = ["1|福田區".to_owned(), "2|ascii,\n".to_owned()];
    let little =
        |mark: &str| -> Vec<u8> { format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (bytes, encoding) in [
        (GBK.encode(text).0.to_vec(), Encoding::Gb18030),
        (BIG5.encode(text).0.to_vec(), Encoding::Big5),
        (little(""), Encoding::Utf16Le),
        (little("\u{feff}"), Encoding::Utf16Le),
        (big, Encoding::Utf16Be),
    ] {
        let declared = read(&bytes, "t.csv", COLUMNS, TextFormat::Csv, &encoded(encoding)).unwrap();
        assert_eq!((declared.lines().as_slice(), declared.bad.as_slice()), (&lines[..], &[][..]), "{encoding:?}");
        let undeclared = read(&bytes, "t.csv", COLUMNS, TextFormat::Csv, &TextSpec::default());
        let setting = setting(undeclared);
        assert!(setting.starts_with(&format!("encoding: {}", encoding.word())), "{setting}");
    }
    assert_eq!(csv(&format!("\u{feff}{text}"), COLUMNS).unwrap().lines(), lines);
    let json = GBK.encode("{\"a\":1,\"b\":\"福田区\"}\n").0.to_vec();
    let declared = read(&json, "t.ndjson", COLUMNS, TextFormat::Ndjson, &encoded(Encoding::Gb18030)).unwrap();
    assert_eq!(declared.lines(), ["1|福田区"]);
}

#[test]
fn bytes_that_the_declared_encoding_does_not_have_make_their_record_bad() {
    let mut gbk = GBK.encode("a,b\n1,福田区\n").0.to_vec();
    gbk.extend_from_slice(b"2,\xff\xff\n3,x\n");
    for (bytes, encoding) in [(gbk.as_slice(), Encoding::Gb18030), (b"a,b\n1,y\n2,\xe9\n3,x\n", Encoding::Utf8)] {
        let read = read(bytes, "t.csv", COLUMNS, TextFormat::Csv, &encoded(encoding)).unwrap();
        assert_eq!(read.rows.len(), 2);
        assert_eq!(read.bad, [(2, None, "it is not in the declared encoding".to_owned())]);
    }
    // Where nothing is declared, the file is refused whole, at whatever record it shows.
    let mut late = "a,b\n1,x\n".to_owned().into_bytes();
    for _ in 0..20_000 {
        late.extend_from_slice(b"1,x\n");
    }
    late.extend_from_slice(&GBK.encode("2,深圳市福田区\n").0);
    let late = setting(read(&late, "t.csv", COLUMNS, TextFormat::Csv, &TextSpec::default()));
    assert!(late.starts_with("encoding: gb18030"), "{late}");
    let last = read(b"a,b\n1,x\n\xff", "t.csv", COLUMNS, TextFormat::Csv, &encoded(Encoding::Utf16Le));
    assert!(last.is_err(), "it is no UTF-16 at all");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_files_are_read_by_name_or_declaration() {
    let text = format!("a,b\n{}", "1,x\n".repeat(100_000));
    let (gz, zst) = (gzip(text.as_bytes()), zstd::encode_all(text.as_bytes(), 3).unwrap());
    let declared = |compression| TextSpec { compression: Some(compression), ..TextSpec::default() };
    for (bytes, name, spec) in [
        (&gz, "t.csv.GZ", TextSpec::default()),
        (&gz, "t", declared(Compression::Gzip)),
        (&zst, "t.csv.zst", TextSpec::default()),
        (&zst, "t", declared(Compression::Zstd)),
        (&[gz.clone(), gzip(b"1,y\n")].concat(), "t.gz", TextSpec::default()),
        (&[zst.clone(), zstd::encode_all(&b"1,y\n"[..], 3).unwrap()].concat(), "t.zst", TextSpec::default()),
        (&text.clone().into_bytes(), "t.gz", declared(Compression::None)),
        // A frame to be skipped before the first, members of no bytes, a record that two members share.
        (&[&b"\x50\x2a\x4d\x18\x02\0\0\0xx"[..], &zst].concat(), "t.zst", TextSpec::default()),
        (&[gzip(b""), gz.clone(), gzip(b""), gzip(b"1,"), gzip(b"y\n")].concat(), "t.gz", TextSpec::default()),
    ] {
        let rows = read(bytes, name, COLUMNS, TextFormat::Csv, &spec).unwrap().rows.len();
        assert!((100_000..=100_001).contains(&rows), "{name}: {rows}");
    }
    for (bytes, name, expected) in [
        (&gz, "t.csv", "compression: gzip"),
        (&zst, "t.csv", "compression: zstd"),
        (&zst, "t.gz", "compression: zstd"),
        (&text.clone().into_bytes(), "t.gz", "compression: none"),
    ] {
        assert_eq!(setting(read(bytes, name, COLUMNS, TextFormat::Csv, &TextSpec::default())), expected, "{name}");
    }
    // Cut anywhere, or with something after its end, a compressed file gives no fewer rows without a word.
    for (bytes, name) in [(&gz, "t.gz"), (&zst, "t.zst")] {
        for length in [bytes.len() / 2, bytes.len() - 1, bytes.len() - 6, 20, 9] {
            assert!(
                read(&bytes[..length], name, COLUMNS, TextFormat::Csv, &TextSpec::default()).is_err(),
                "{name} {length}"
            );
        }
        let padded = [bytes.as_slice(), &[0; 512]].concat();
        assert!(read(&padded, name, COLUMNS, TextFormat::Csv, &TextSpec::default()).is_err(), "{name}");
        let more = [bytes.as_slice(), b"1,x\n1,x\n1,x\n"].concat();
        assert!(read(&more, name, COLUMNS, TextFormat::Csv, &TextSpec::default()).is_err(), "{name}");
    }
    let both = TextSpec { encoding: Some(Encoding::Gb18030), ..TextSpec::default() };
    let packed = gzip(&GBK.encode("a,b\n1,福田区\n").0);
    assert_eq!(read(&packed, "t.csv.gz", COLUMNS, TextFormat::Csv, &both).unwrap().lines(), ["1|福田区"]);
    assert!(matches!(csv("PK\u{3}\u{4}...", COLUMNS), Err(Fault::Unreadable(why)) if why.contains("ZIP")));
}

#[test]
fn the_syntax_of_csv_is_the_declared_one() {
    for (declared, text, expected) in [
        (r#"{"separator":";"}"#, "a;b\n1;x,y\n", "1|x,y"),
        (r#"{"separator":"\t"}"#, "a\tb\n1\tx\n", "1|x"),
        (r#"{"quote":"'"}"#, "a,b\n1,'x,\n\"it''s'\n", "1|x,\n\"it's"),
        (r#"{"escape":"\\"}"#, "a,b\n1,\"x\\\"y\"\n", "1|x\"y"),
        (r##"{"comment":"#"}"##, "# \"a\na,b\n#c\n1,#x\n", "1|#x"),
        (r#"{"skipLines":2}"#, "Title of \"2024\n\na,b\n1,x\n", "1|x"),
        (r#"{"footerLines":2}"#, "a,b\n1,x\nNote: all\nTotal,1,2,3\n", "1|x"),
    ] {
        assert_eq!(with(text, COLUMNS, &csv_syntax(declared)), [expected], "{declared}");
    }
    let merged = "Visits,,\n,M,F\n1,2,3\n4,5,6\n";
    let declared = csv_syntax(r#"{"header":false,"skipLines":2}"#);
    assert_eq!(with(merged, "3: int32;1: int32", &declared), ["3|1", "6|4"]);
    let missing = read(b"1,2\n", "t.csv", "3: int32", TextFormat::Csv, &csv_syntax(r#"{"header":false}"#));
    assert_eq!(missing, Err(Fault::MissingColumn("3".to_owned())));
}

#[test]
fn a_header_that_would_be_read_otherwise_says_how() {
    for (text, expected) in [
        ("a;b\n1;x\n", "csv: {separator: \";\"}"),
        ("a\tb\n1\tx\n", "csv: {separator: \"\\t\"}"),
        ("a|b\n1|x\n", "csv: {separator: \"|\"}"),
        ("Visits of 2024\n\na,b\n1,x\n", "csv: {skipLines: 2}"),
        ("sep=;\r\na;b\r\n1;x\r\n", "csv: {separator: \";\", skipLines: 1}"),
        ("1,x\n2,y\n", "csv: {header: false}"),
        ("-12,\n", "csv: {header: false}"),
    ] {
        assert_eq!(setting(csv(text, COLUMNS)), expected, "{text:?}");
    }
    // A first line that may be names of columns stays a header without the declared column.
    for text in ["c,d\n1,x\n", "1,x,y\n", "x,1\n", ",x\n"] {
        assert!(matches!(csv(text, COLUMNS), Err(Fault::MissingColumn(_))), "{text:?}");
    }
}

#[test]
fn names_where_none_are_declared_are_no_record() {
    let declared = csv_syntax(r#"{"header":false}"#);
    let read = |text: &str, columns: &str| {
        let columns = Columns::new(schema(columns), &declared).with_names(["id", "ward"]);
        read_declared(text.as_bytes(), "t.csv", &columns, TextFormat::Csv, &declared)
    };
    let next_line = "csv: {header: false, skipLines: 1}";
    for (text, columns, expected) in [
        ("id,ward\na,b\n", "1: string;2: string", next_line),
        ("ID , Ward\na,b\n", "1: string;2: string", next_line),
        ("number,place\n1,a\n", "1: int32;2: string", next_line),
        ("ward,id\n1,b\n", "1: int32;2: string", next_line),
        ("sep=;\n1;a\n", "1: int32", "csv: {header: false, separator: \";\", skipLines: 1}"),
    ] {
        assert_eq!(setting(read(text, columns)), expected, "{text:?}");
    }
    // A record that has no value, such as one with a word for it, is a bad record or a good one.
    for text in ["N.A.,a\n1,b\n", "x,a\ny,b\n", "3x,a\n1,b\n", "1,ward\n2,b\n"] {
        assert!(read(text, "1: int32;2: string").is_ok(), "{text:?}");
    }
}

#[test]
fn a_quote_behind_a_backslash_says_that_it_may_be_escaped() {
    let escape = r#"csv: {escape: "\\"}"#;
    let read = csv("a,b\n1,\"say \\\"no\\\" to\"\n2,x\n", COLUMNS).unwrap();
    assert_eq!(read.lines(), ["2|x"]);
    assert!(read.bad[0].2.contains(escape), "{:?}", read.bad);
    let open = csv("a,b\n1,\"an inch: \\\"\"\n2,x\n", COLUMNS);
    assert_eq!(setting(open), escape);
    assert_eq!(csv("a,b\n1,\"open\n2,x\n", COLUMNS), Err(Fault::OpenQuote));
}

#[test]
fn values_are_written_as_declared() {
    for (declared, columns, text, expected) in [
        (r#"{"nulls":["--","N.A."]}"#, COLUMNS, "a,b\n--,\" N.A. \"\n", "∅|∅"),
        (r#"{"nulls":[""]}"#, COLUMNS, "a,b\n1,\"\"\n", "1|∅"),
        (r#"{"decimalSeparator":","}"#, "a: decimal", "a\n\"1,5\"\n", "1.50"),
        (r#"{"groupSeparator":","}"#, "a: int32", "a\n\"1,234,567\"\n", "1234567"),
        (r#"{"groupSeparator":" ","decimalSeparator":","}"#, "a: float64", "a\n\"1\u{a0}234,5\"\n", "1234.5"),
        (r#"{"dates":["%d/%m/%Y"]}"#, "a: date", "a\n31/12/2024\n", "2024-12-31"),
        (r#"{"dates":["%Y年%m月%d日"]}"#, "a: date", "a\n２０２４年1月2日\n", "2024-01-02"),
        (r#"{"timestamps":["%d/%m/%Y %H:%M"]}"#, "a: timestamp", "a\n31/12/2024 23:59\n", "2024-12-31T23:59:00"),
    ] {
        assert_eq!(with(text, columns, &value_syntax(declared)), [expected], "{declared}");
    }
    let seconds = value_syntax(r#"{"timestamps":["%s"]}"#);
    let json = read(b"{\"a\":60}\n{\"a\":\"61\"}\n", "t", "a: timestamp", TextFormat::Ndjson, &seconds).unwrap();
    assert_eq!(json.lines(), ["1970-01-01T00:01:00", "1970-01-01T00:01:01"]);
    let null = read(
        b"{\"a\":\"N/A\",\"b\":\"N/A\"}\n",
        "t",
        COLUMNS,
        TextFormat::Ndjson,
        &value_syntax(r#"{"nulls":["N/A"]}"#),
    );
    assert_eq!(null.unwrap().lines(), ["∅|∅"]);
}

#[test]
fn a_value_that_would_be_read_with_a_declaration_says_which() {
    let reasons = |read: Result<crate::read::Read, Fault>| {
        read.unwrap().bad.into_iter().map(|(_, _, reason)| reason).collect::<String>()
    };
    for (value, data_type, expected) in [
        ("N.A.", "int32", "nulls: [\"N.A.\"]"),
        ("\"1,234\"", "int32", "groupSeparator: \",\""),
        ("31/12/2024", "date", "dates: [\"%d/%m/%Y\"]"),
    ] {
        let reason = reasons(csv(&format!("x\n{value}\n"), &format!("x: {data_type}")));
        assert!(reason.contains(expected), "{reason}");
    }
    let number = reasons(ndjson("{\"x\":1700000000}\n", "x: timestamp"));
    assert!(number.contains("[\"%s\"]"), "{number}");
    let secret = reasons(csv("x\nsecret-4711\n", "x: int32"));
    assert!(!secret.contains("secret") && !secret.contains("4711"), "{secret}");
}
