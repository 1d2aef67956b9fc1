//! Files of which bytes were changed or lost.

use std::fs::{self, File};
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, Int64Array, StringArray, TimestampMillisecondArray};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use wanqu_model::bundle::SourceFormat;
use wanqu_model::refusal::Code;

use super::tests::{ask, batch, one, rows};
use crate::engine::fixture::{Fixture, rule};

/// Flips bits all over a file, and cuts it: it is answered, or refused as what it is.
#[tokio::test]
async fn a_file_with_any_byte_changed_is_answered_or_is_a_fault_of_the_source() {
    let texts: Vec<String> = (0..200).map(|n| format!("text {}", n % 7)).collect();
    let group = |from: i32| {
        batch(vec![
            (
                "n",
                Arc::new(Int32Array::from((from..from + 200).map(|n| (n % 5 > 0).then_some(n)).collect::<Vec<_>>()))
                    as ArrayRef,
            ),
            ("s", Arc::new(StringArray::from(texts.clone()))),
            ("t", Arc::new(TimestampMillisecondArray::from((0..200).collect::<Vec<i64>>()))),
            (
                "d",
                Arc::new(
                    Decimal128Array::from((0..200).collect::<Vec<i128>>()).with_precision_and_scale(38, 2).unwrap(),
                ),
            ),
        ])
    };
    let columns = "n: int32 public; s: string public; t: timestamp public; d: decimal(12,2) public";
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
        let mut fixture = Fixture::new();
        let path = fixture.dir.path().join("t.parquet");
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_bloom_filter_enabled(true)
            .set_data_page_row_count_limit(50)
            .build();
        let mut writer =
            ArrowWriter::try_new(File::create(&path).unwrap(), group(0).schema(), Some(properties)).unwrap();
        for from in [0, 200] {
            writer.write(&group(from)).unwrap();
            writer.flush().unwrap();
        }
        writer.close().unwrap();
        fixture.dataset("t", "t.parquet", SourceFormat::Parquet, columns, rule(1, 1));
        let whole = fs::read(&path).unwrap();
        let (mut refused, mut asked) = (0, 0);
        for at in (0..whole.len()).step_by(whole.len() / 60) {
            let mut bytes = whole.clone();
            match at % 3 {
                0 => bytes[at] ^= 1 << (at % 8),
                1 => bytes[at] = 0xff,
                _ => bytes.truncate(at),
            }
            fs::write(&path, &bytes).unwrap();
            let engine = fixture.engine().unwrap();
            for sql in [
                "SELECT sum(n) AS n, min(s) AS s, max(t) AS t, sum(d) AS d, count(*) AS c FROM shenzhen.d.t",
                "SELECT count(*) AS c FROM shenzhen.d.t WHERE s = 'text 3' AND n > 300",
                "SELECT s, n / 2 AS h FROM shenzhen.d.t WHERE t IS NOT NULL ORDER BY n LIMIT 3",
            ] {
                asked += 1;
                if let Err(refusal) = ask(&fixture, &engine, sql).await {
                    assert_eq!(refusal.code, Code::Source, "{at}: {refusal}");
                    assert!(refusal.message.starts_with("shenzhen.d.t cannot be read: "), "{at}: {refusal}");
                    refused += 1;
                }
            }
        }
        assert!(refused > asked / 4 && refused < asked, "{refused} of {asked} with {compression}");
    }
}

/// A page that one query meets makes the file one that cannot be read, for all queries, until it is another file.
#[tokio::test]
async fn a_damaged_page_is_named_and_remembered_until_the_file_is_replaced() {
    let column =
        |from: i64| Arc::new(Int64Array::from((from..from + 1000).map(|n| n * 7919).collect::<Vec<_>>())) as ArrayRef;
    let groups = [batch(vec![("a", column(0)), ("b", column(5000))])];
    let fixture = one("a: int64 public; b: int64 public", &groups);
    let path = fixture.dir.path().join("t.parquet");
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[4..60].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let engine = fixture.engine().unwrap();
    engine.look_at_sources().await;
    assert_eq!(engine.unavailable(), [], "its footer is whole");
    assert!(ask(&fixture, &engine, "SELECT sum(b) AS b FROM shenzhen.d.t").await.is_ok());
    let refusal = ask(&fixture, &engine, "SELECT sum(a) AS a FROM shenzhen.d.t").await.unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::Source, "shenzhen.d.t cannot be read: a file is damaged")
    );
    let again = ask(&fixture, &engine, "SELECT sum(b) AS b FROM shenzhen.d.t").await.unwrap_err();
    assert_eq!(again, refusal);
    engine.look_at_sources().await;
    assert_eq!(engine.unavailable()[0].reason, "a file is damaged");
    fs::write(&path, &whole).unwrap();
    engine.look_at_sources().await;
    assert_eq!(engine.unavailable(), []);
    assert!(ask(&fixture, &engine, "SELECT sum(a) AS a FROM shenzhen.d.t").await.is_ok());
}

#[tokio::test]
async fn a_computation_that_fails_is_no_damage() {
    let fixture = one("n: int32 public", &[batch(vec![("n", Arc::new(Int32Array::from(vec![1, 0])) as ArrayRef)])]);
    let engine = fixture.engine().unwrap();
    let refusal = ask(&fixture, &engine, "SELECT 1 / n AS q FROM shenzhen.d.t").await.unwrap_err();
    assert_eq!(refusal.code, Code::InvalidSql, "{refusal}");
    assert_eq!(ask(&fixture, &engine, "SELECT n FROM shenzhen.d.t WHERE n > 0").await.unwrap(), "1");
}

#[tokio::test]
async fn a_damaged_file_is_a_fault_of_the_source_and_none_of_the_engine() {
    let group = batch(vec![("n", Arc::new(Int32Array::from((0..1000).collect::<Vec<_>>())) as ArrayRef)]);
    let fixture = one("n: int32 public", &[group]);
    let path = fixture.dir.path().join("t.parquet");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..200].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let refusal = rows(&fixture, "SELECT sum(n) AS n FROM shenzhen.d.t").await.unwrap_err();
    assert_eq!(refusal.code, Code::Source, "{}", refusal.message);
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let refusal = rows(&fixture, "SELECT sum(n) AS n FROM shenzhen.d.t").await.unwrap_err();
    assert!(refusal.message.contains("shenzhen.d.t cannot be read"), "{}", refusal.message);
}
