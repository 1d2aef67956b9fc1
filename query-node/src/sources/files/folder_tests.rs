//! Folders whose files do not all have the same columns, in every format, by the whole engine.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use jiff::Timestamp;
use wanqu_gate::Engine as _;
use wanqu_model::bundle::SourceFormat;
use wanqu_model::refusal::Refusal;
use wanqu_rules::refusal_over_public;

use crate::engine::fixture::{Fixture, rule};

async fn rows(fixture: &Fixture, sql: &str) -> Result<String, Refusal> {
    let engine = fixture.engine().unwrap();
    let run = engine.start_public(Timestamp::MAX)?;
    let plan = fixture.catalog().plan(sql, 10_000)?;
    let bound = run.bind(&plan).map_err(|e| refusal_over_public(&e))?;
    let stream = run.execute(&bound).await.map_err(|e| refusal_over_public(&e))?;
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(|e| refusal_over_public(&e))?;
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
    let values = |line: &str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(",");
    Ok(rows.map(values).collect::<Vec<_>>().join(";"))
}

/// A folder of an early file with `id`, and a later one with `id`, `ward`, `beds` and a column that nobody declares.
fn folder(format: SourceFormat, optional: &[&str]) -> Fixture {
    let mut fixture = Fixture::new();
    match format {
        SourceFormat::Csv => {
            fixture.write("t/1.csv", "id\n1\n2\n");
            fixture.write("t/2.csv", "more,ward,id,beds\n,A,3,30\n,,4,\n");
        }
        SourceFormat::Ndjson => {
            // Long enough that a column which is nowhere would be noticed.
            fixture.write("t/1.ndjson", "{\"id\":1}\n{\"id\":2}\n".to_owned() + &"\n".repeat(9000));
            fixture.write("t/2.ndjson", "{\"id\":3,\"ward\":\"A\",\"beds\":30,\"more\":{}}\n{\"id\":4}\n");
        }
        SourceFormat::Parquet => {
            fs::create_dir(fixture.dir.path().join("t")).unwrap();
            let ids = |values: Vec<i32>| Arc::new(Int32Array::from(values)) as ArrayRef;
            let early = RecordBatch::try_from_iter([("id", ids(vec![1, 2]))]).unwrap();
            let late: [(&str, ArrayRef); 4] = [
                ("more", ids(vec![0, 0])),
                ("ward", Arc::new(StringArray::from(vec![Some("A"), None]))),
                ("id", ids(vec![3, 4])),
                ("beds", Arc::new(Int32Array::from(vec![Some(30), None]))),
            ];
            fixture.write_parquet("t/1.parquet", &early);
            fixture.write_parquet("t/2.parquet", &RecordBatch::try_from_iter(late).unwrap());
        }
    }
    fixture.dataset("t", "t", format, "id: int32 public; ward: string public; beds: int32 public", rule(1, 1));
    for column in &mut fixture.bundle.sources[0].columns {
        column.optional = optional.contains(&column.source_name.as_str());
    }
    fixture
}

const FORMATS: [SourceFormat; 3] = [SourceFormat::Csv, SourceFormat::Ndjson, SourceFormat::Parquet];

#[tokio::test]
async fn an_optional_column_is_null_in_the_files_that_lack_it_whatever_is_asked() {
    for format in FORMATS {
        let fixture = folder(format, &["ward", "beds"]);
        for (sql, expected) in [
            ("SELECT id, ward, beds FROM shenzhen.d.t ORDER BY id", "1,,;2,,;3,A,30;4,,"),
            ("SELECT ward FROM shenzhen.d.t ORDER BY ward NULLS LAST", "A;;;"),
            ("SELECT id FROM shenzhen.d.t WHERE ward IS NULL ORDER BY id", "1;2;4"),
            ("SELECT id FROM shenzhen.d.t WHERE ward IS NOT NULL", "3"),
            ("SELECT id FROM shenzhen.d.t WHERE beds > 5", "3"),
            ("SELECT id FROM shenzhen.d.t WHERE NOT (beds > 50)", "3"),
            ("SELECT id FROM shenzhen.d.t WHERE beds > 5 OR id < 2 ORDER BY id", "1;3"),
            ("SELECT id FROM shenzhen.d.t WHERE beds IS NULL AND id > 1 ORDER BY id", "2;4"),
            ("SELECT id FROM shenzhen.d.t WHERE beds IS DISTINCT FROM 30 ORDER BY id", "1;2;4"),
            ("SELECT id FROM shenzhen.d.t WHERE coalesce(beds, 7) = 7 ORDER BY id", "1;2;4"),
            ("SELECT id FROM shenzhen.d.t WHERE ward IN ('A', 'B')", "3"),
            ("SELECT id FROM shenzhen.d.t WHERE ward LIKE 'A%'", "3"),
            ("SELECT count(*) AS n, count(beds) AS b, sum(beds) AS s FROM shenzhen.d.t", "4,1,30"),
            ("SELECT count(beds) AS n FROM shenzhen.d.t WHERE id < 3", "0"),
            ("SELECT beds, count(*) AS n FROM shenzhen.d.t GROUP BY beds ORDER BY n", "30,1;,3"),
            ("SELECT id FROM shenzhen.d.t ORDER BY beds DESC NULLS LAST, id LIMIT 2", "3;1"),
            ("SELECT id FROM shenzhen.d.t ORDER BY beds NULLS FIRST, id LIMIT 2", "1;2"),
            ("SELECT a.id FROM shenzhen.d.t a JOIN shenzhen.d.t b ON a.beds = b.beds", "3"),
        ] {
            assert_eq!(rows(&fixture, sql).await.as_deref(), Ok(expected), "{sql} over {format:?}");
        }
    }
}

#[tokio::test]
async fn a_required_column_that_one_file_lacks_is_named_with_the_setting() {
    for format in [SourceFormat::Csv, SourceFormat::Parquet] {
        let fixture = folder(format, &["ward"]);
        let refusal = rows(&fixture, "SELECT id FROM shenzhen.d.t").await.unwrap_err();
        assert!(refusal.message.ends_with("column \"beds\" is not in the source"), "{format:?}: {refusal}");
        assert!(refusal.remedy.as_deref().unwrap_or_default().contains("optional: true"), "{refusal:?}");
    }
}

#[tokio::test]
async fn an_optional_column_that_a_file_has_in_other_letters_is_not_null() {
    for format in FORMATS {
        let mut fixture = folder(format, &["ward", "Beds"]);
        let column = fixture.bundle.sources[0].columns.last_mut().unwrap();
        (column.source_name, column.optional) = ("Beds".to_owned(), true);
        let refusal = rows(&fixture, "SELECT id, beds FROM shenzhen.d.t").await.unwrap_err();
        assert!(refusal.message.contains("letters of another case"), "{format:?}: {refusal}");
    }
}

#[tokio::test]
async fn a_file_with_none_of_the_columns_is_refused_though_all_are_optional() {
    for format in [SourceFormat::Csv, SourceFormat::Parquet] {
        let fixture = folder(format, &["id", "ward", "beds"]);
        assert_eq!(rows(&fixture, "SELECT count(*) AS n FROM shenzhen.d.t").await.as_deref(), Ok("4"));
        match format {
            SourceFormat::Parquet => {
                let other = RecordBatch::try_from_iter([("x", Arc::new(Int32Array::from(vec![1])) as ArrayRef)]);
                fixture.write_parquet("t/3.parquet", &other.unwrap());
            }
            _ => fixture.write("t/3.csv", "x\n1\n"),
        }
        assert!(rows(&fixture, "SELECT count(*) AS n FROM shenzhen.d.t").await.is_err(), "{format:?}");
    }
}
