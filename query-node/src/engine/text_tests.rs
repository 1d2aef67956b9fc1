//! Files of text as they are declared, and what is said of those that are written otherwise.

use wanqu_model::bundle::{CsvSyntax, DecimalSeparator, Encoding, GroupSeparator, SourceFormat, TextSpec, ValueSyntax};
use wanqu_model::refusal::Code;

use super::fixture::{Fixture, rule};
use super::tests::rows;

#[tokio::test]
async fn a_file_that_is_written_otherwise_than_declared_is_told_how_and_never_to_be_skipped() {
    let columns = "id: string identifier; n: int64 measure";
    for (bytes, problem, setting) in [
        (&b"id,n\n\xb8\xa3\xcc\xef\xc7\xf8,1\n"[..], "it looks like GB18030", "encoding: gb18030"),
        (b"\xff\xfei\0d\0", "a file is in UTF-16LE", "encoding: utf-16le"),
        (b"id;n\na;1\n", "separated by", "csv: {separator: \";\"}"),
        (b"Visits of 2024\nid,n\na,1\n", "in line 2", "csv: {skipLines: 1}"),
        (b"\x1f\x8b\x08\0", "compressed with gzip", "compression: gzip"),
        (b"id,n\na,1\nb,\"2\n", "a file ends inside a quoted field", ""),
    ] {
        let mut fixture = Fixture::new();
        fixture.write("v.csv", bytes);
        fixture.dataset("c", "v.csv", SourceFormat::Csv, columns, rule(1, 1));
        fixture.skip_bad_records();
        let refusal = rows(&fixture, "SELECT count(*) FROM shenzhen.d.c").await.unwrap_err();
        assert_eq!(refusal.code, Code::Source);
        assert!(refusal.message.contains(problem), "{refusal}");
        let text = serde_json::to_string(&refusal).unwrap().replace("\\\"", "\"");
        assert!(text.contains(setting) && !text.contains("badRecords"), "{text}");
    }
}

#[tokio::test]
async fn a_file_is_read_as_it_is_declared() {
    let mut fixture = Fixture::new();
    let gbk = b"\xb8\xa3\xcc\xef;\xc8\xcb\n\xb8\xa3\xcc\xef;1.234,5\n--;--\n";
    fixture.write("v.csv", gbk);
    fixture.dataset("c", "v.csv", SourceFormat::Csv, "id=福田: string identifier; n=人: float64 measure", rule(1, 1));
    fixture.declare_text(&TextSpec {
        encoding: Some(Encoding::Gb18030),
        csv: Some(CsvSyntax { separator: Some(";".parse().unwrap()), ..CsvSyntax::default() }),
        values: Some(ValueSyntax {
            nulls: vec!["--".to_owned()],
            decimal_separator: Some(DecimalSeparator::Comma),
            group_separator: Some(GroupSeparator::Point),
            ..ValueSyntax::default()
        }),
        ..TextSpec::default()
    });
    let sql = "SELECT count(*), count(n), sum(n), count(id) FROM shenzhen.d.c";
    assert_eq!(rows(&fixture, sql).await.unwrap(), "|2|1|1234.5|1|");
}

#[tokio::test]
async fn a_csv_header_may_have_a_byte_order_mark_quotes_and_line_breaks() {
    let mut fixture = Fixture::new();
    let csv = "\u{feff}\"id\",\"cost,\nin \"\"CNY\"\"\",\"other\r\n\"\r\na,1,x\r\n\"b\nb\",2,\"y,\n\"\r\n";
    fixture.write("v.csv", csv);
    let columns = "id: string identifier; n=cost,\nin \"CNY\": int64 measure";
    fixture.dataset("c", "v.csv", SourceFormat::Csv, columns, rule(1, 1));
    let sql = "SELECT count(*), count(id), sum(n) FROM shenzhen.d.c WHERE id <> 'a'";
    assert_eq!(rows(&fixture, sql).await.unwrap(), "|1|1|2|");
}
