//! Right answers over files whose statistics or types mislead, by the whole engine.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date64Array, Decimal128Array, Float64Array, Int32Array, Int64Array, LargeStringArray,
    NullArray, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use futures::TryStreamExt;
use jiff::Timestamp;
use parquet::data_type::{Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use wanqu_gate::Engine as _;
use wanqu_model::bundle::SourceFormat;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::refusal_over_public;

use crate::engine::Engine;
use crate::engine::fixture::{Fixture, rule};

/// Rows of a query over public tables: values with `,` between them, rows with `;`.
pub(super) async fn ask(fixture: &Fixture, engine: &Engine, sql: &str) -> Result<String, Refusal> {
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

pub(super) async fn rows(fixture: &Fixture, sql: &str) -> Result<String, Refusal> {
    ask(fixture, &fixture.engine().unwrap(), sql).await
}

/// Writes each batch as a row group, with a bloom filter and pages of two rows.
pub(super) fn write(path: &Path, groups: &[RecordBatch]) {
    let properties = WriterProperties::builder()
        .set_bloom_filter_enabled(true)
        .set_data_page_row_count_limit(2)
        .set_write_batch_size(2)
        .build();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), groups[0].schema(), Some(properties)).unwrap();
    for group in groups {
        writer.write(group).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

pub(super) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

pub(super) fn one(columns: &str, groups: &[RecordBatch]) -> Fixture {
    let mut fixture = Fixture::new();
    write(&fixture.dir.path().join("t.parquet"), groups);
    fixture.dataset("t", "t.parquet", SourceFormat::Parquet, columns, rule(1, 1));
    fixture
}

#[tokio::test]
async fn rows_with_nan_are_found_whatever_the_statistics_say() {
    let nan = f64::NAN;
    let groups: [(&[f64], &[i32]); 4] = [
        (&[1.0, nan, 1.0, 2.0], &[1, 2, 3, 4]),
        (&[nan, nan], &[5, 6]),
        (&[3.0, 3.0], &[7, 8]),
        (&[nan, 0.5], &[9, 10]),
    ];
    for stored in [DataType::Float64, DataType::Float32, DataType::Float16] {
        let group = |(values, ids): &(&[f64], &[i32])| {
            let floats: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
            batch(vec![("a", cast(&floats, &stored).unwrap()), ("id", Arc::new(Int32Array::from(ids.to_vec())))])
        };
        let fixture = one("a: float64 public; id: int32 public", &groups.iter().map(group).collect::<Vec<_>>());
        for (condition, expected) in [
            // NaN is greater than every number.
            ("a > 2.0", "2;5;6;7;8;9"),
            ("a > 3.0", "2;5;6;9"),
            ("a < 1.0", "10"),
            ("a <> 3.0", "1;2;3;4;5;6;9;10"),
            ("NOT (a <= 2.0)", "2;5;6;7;8;9"),
            ("a NOT IN (1.0, 3.0)", "2;4;5;6;9;10"),
            ("a = CAST('NaN' AS DOUBLE)", "2;5;6;9"),
            ("a IN (CAST('NaN' AS DOUBLE), 0.5)", "2;5;6;9;10"),
            ("a BETWEEN 2.5 AND CAST('NaN' AS DOUBLE)", "2;5;6;7;8;9"),
            ("a > 2.0 AND id < 6", "2;5"),
            ("id = 7 OR a > 3.0", "2;5;6;7;9"),
        ] {
            let sql = format!("SELECT id FROM shenzhen.d.t WHERE {condition} ORDER BY id");
            assert_eq!(rows(&fixture, &sql).await.unwrap(), expected, "{condition} over {stored}");
        }
        for (sql, expected) in [
            ("SELECT a, id FROM shenzhen.d.t ORDER BY a DESC, id LIMIT 4", "NaN,2;NaN,5;NaN,6;NaN,9"),
            ("SELECT id FROM shenzhen.d.t ORDER BY a, id LIMIT 2", "10;1"),
            (
                "SELECT l.id FROM shenzhen.d.t l JOIN (SELECT a FROM shenzhen.d.t WHERE id = 5) r ON l.a = r.a ORDER BY 1",
                "2;5;6;9",
            ),
        ] {
            assert_eq!(rows(&fixture, sql).await.unwrap(), expected, "{sql} over {stored}");
        }
    }
}

#[tokio::test]
async fn a_cast_that_does_not_keep_the_order_prunes_nothing() {
    const HOUR: i64 = 3_600_000_000;
    let group = |hours: [i64; 2], numbers: [i32; 2]| {
        batch(vec![
            ("t", Arc::new(TimestampMicrosecondArray::from(hours.map(|hour| hour * HOUR).to_vec())) as ArrayRef),
            ("n", Arc::new(Int32Array::from(numbers.to_vec()))),
        ])
    };
    // Of the first group the earliest is at 1 o'clock and the latest, a day after, at 2: between them it was 23 o'clock.
    let fixture = one(
        "t: timestamp public; n: int32 public",
        &[
            batch(vec![
                ("t", Arc::new(TimestampMicrosecondArray::from(vec![HOUR, 23 * HOUR, 26 * HOUR])) as ArrayRef),
                ("n", Arc::new(Int32Array::from(vec![-1, 0, 1]))),
            ]),
            group([49, 50], [5, 6]),
        ],
    );
    let late = "SELECT n FROM shenzhen.d.t WHERE CAST(t AS TIME) > TIME '12:00:00'";
    assert_eq!(rows(&fixture, late).await.unwrap(), "0");
    assert_eq!(rows(&fixture, "SELECT n FROM shenzhen.d.t WHERE NOT CAST(n AS BOOLEAN)").await.unwrap(), "0");
    assert_eq!(rows(&fixture, "SELECT n FROM shenzhen.d.t WHERE CAST(n AS BOOLEAN) = false").await.unwrap(), "0");
    let latest = "SELECT n FROM shenzhen.d.t ORDER BY CAST(t AS TIME) DESC LIMIT 1";
    assert_eq!(rows(&fixture, latest).await.unwrap(), "0");
    // And what keeps it still finds its rows.
    assert_eq!(rows(&fixture, "SELECT n FROM shenzhen.d.t WHERE n >= 5 ORDER BY n").await.unwrap(), "5;6");
    let from = "SELECT n FROM shenzhen.d.t WHERE t > TIMESTAMP '1970-01-02T12:00:00' ORDER BY n";
    assert_eq!(rows(&fixture, from).await.unwrap(), "5;6");
}

#[tokio::test]
async fn a_timestamp_out_of_range_is_a_bad_record_wherever_it_lies() {
    const DAY: i64 = 86_400_000;
    let group = |days: Vec<i64>, ids: Vec<i32>| {
        let times = days.into_iter().map(|day| if day == i64::MAX { day } else { day * DAY }).collect::<Vec<_>>();
        batch(vec![
            ("t", Arc::new(TimestampMillisecondArray::from(times)) as ArrayRef),
            ("id", Arc::new(Int32Array::from(ids))),
        ])
    };
    let without = [group(vec![1, 2, 3], vec![1, 2, 3]), group(vec![5, 6, 7], vec![5, 6, 7])];
    let fine = one("t: timestamp public; id: int32 public", &without);
    assert_eq!(rows(&fine, "SELECT max(t) AS m, count(*) FROM shenzhen.d.t").await.unwrap(), "1970-01-08T00:00:00,6");
    for groups in [
        [group(vec![1, i64::MAX, 2, 3], vec![1, 9, 2, 3]), without[1].clone()],
        [without[0].clone(), group(vec![i64::MAX, 5, 6, 7], vec![9, 5, 6, 7])],
        [without[0].clone(), group(vec![5, 6, 7, i64::MAX], vec![5, 6, 7, 9])],
    ] {
        let mut fixture = one("t: timestamp public; id: int32 public", &groups);
        let questions = [
            ("SELECT id FROM shenzhen.d.t ORDER BY id", "1;2;3;5;6;7"),
            ("SELECT count(*) AS n FROM shenzhen.d.t", "6"),
            ("SELECT id FROM shenzhen.d.t WHERE t < TIMESTAMP '1970-01-03T12:00:00' ORDER BY id", "1;2"),
            ("SELECT id FROM shenzhen.d.t WHERE t >= TIMESTAMP '1970-01-07T00:00:00' ORDER BY id", "6;7"),
            ("SELECT id FROM shenzhen.d.t WHERE t IS NULL", ""),
            ("SELECT id FROM shenzhen.d.t ORDER BY t DESC LIMIT 2", "7;6"),
            ("SELECT id FROM shenzhen.d.t WHERE id > 5 ORDER BY id", "6;7"),
        ];
        for (sql, _) in questions {
            let refusal = rows(&fixture, sql).await.unwrap_err();
            assert_eq!(refusal.code, Code::Source, "{sql}");
            assert!(refusal.message.contains("at least one record cannot be read"), "{}", refusal.message);
        }
        fixture.skip_bad_records();
        let engine = fixture.engine().unwrap();
        let tables = ["shenzhen.d.t".parse().unwrap()];
        for (sql, expected) in questions {
            assert_eq!(ask(&fixture, &engine, sql).await.unwrap(), expected, "{sql}");
            assert_eq!(engine.skipped_records(&tables), 1);
        }
    }
}

#[tokio::test]
async fn stored_types_are_read_as_the_declared_ones_that_hold_their_values() {
    let decimals = |values: Vec<i128>, precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec!["甲", "乙"]));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let micros = 1_700_000_000_123_456_i64;
    let cases: Vec<(&str, ArrayRef, &str)> = vec![
        ("int64", Arc::new(UInt64Array::from(vec![7, i64::MAX as u64])), "7;9223372036854775807"),
        ("int32", Arc::new(Int64Array::from(vec![Some(7), None])), "7;"),
        ("date", Arc::new(Date64Array::from(vec![0, 86_400_000])), "1970-01-01;1970-01-02"),
        ("string", Arc::new(NullArray::new(2)), ";"),
        ("int32", Arc::new(NullArray::new(2)), ";"),
        ("timestamp", Arc::new(NullArray::new(2)), ";"),
        ("string", Arc::new(BinaryArray::from(vec!["甲".as_bytes(), b"b"])), "甲;b"),
        ("string", Arc::new(LargeStringArray::from(vec!["甲", "b"])), "甲;b"),
        ("string", cast(&text, &DataType::Utf8View).unwrap(), "甲;乙"),
        ("string", cast(&text, &dictionary).unwrap(), "甲;乙"),
        ("decimal(12,2)", decimals(vec![12_500, 999_900], 18, 4), "1.25;99.99"),
        ("decimal(12,2)", decimals(vec![125, 9_999], 38, 2), "1.25;99.99"),
        ("decimal(12,2)", Arc::new(Int32Array::from(vec![1, 2])), "1.00;2.00"),
        ("float64", Arc::new(Int64Array::from(vec![1, -2])), "1.0;-2.0"),
        (
            "timestamp",
            Arc::new(TimestampNanosecondArray::from(vec![0, micros * 1000 + 999])),
            "1970-01-01T00:00:00;2023-11-14T22:13:20.123456",
        ),
        (
            "timestamp",
            Arc::new(TimestampNanosecondArray::from(vec![-1, -1_001]).with_timezone("Asia/Hong_Kong")),
            "1969-12-31T23:59:59.999999;1969-12-31T23:59:59.999998",
        ),
        (
            "timestamp",
            Arc::new(TimestampMillisecondArray::from(vec![-1, -1_000])),
            "1969-12-31T23:59:59.999;1969-12-31T23:59:59",
        ),
        (
            "timestamp",
            Arc::new(TimestampMillisecondArray::from(vec![0, 1]).with_timezone("Asia/Hong_Kong")),
            "1970-01-01T00:00:00;1970-01-01T00:00:00.001",
        ),
        (
            "timestamp",
            Arc::new(TimestampMicrosecondArray::from(vec![0, micros]).with_timezone("UTC")),
            "1970-01-01T00:00:00;2023-11-14T22:13:20.123456",
        ),
    ];
    for (declared, stored, expected) in cases {
        let kind = stored.data_type().clone();
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let fixture =
            one(&format!("v: {declared} public; id: int32 public"), &[batch(vec![("v", stored), ("id", ids)])]);
        let found = rows(&fixture, "SELECT v FROM shenzhen.d.t ORDER BY id").await;
        assert_eq!(found.as_deref(), Ok(expected), "{declared} of {kind}");
        let counted = rows(&fixture, "SELECT count(v), count(*) FROM shenzhen.d.t WHERE v IS NOT NULL OR id > 0").await;
        let values = expected.split(';').filter(|value| !value.is_empty()).count();
        assert_eq!(counted.unwrap(), format!("{values},2"), "{declared} of {kind}");
    }
}

#[tokio::test]
async fn a_value_that_its_declared_type_cannot_hold_is_a_bad_record() {
    let decimals: ArrayRef =
        Arc::new(Decimal128Array::from(vec![12_500, 12_345, 70_000]).with_precision_and_scale(18, 4).unwrap());
    let cases: Vec<(&str, ArrayRef, &str)> = vec![
        ("int64", Arc::new(UInt64Array::from(vec![1, u64::MAX, 3])), "1;3"),
        ("int32", Arc::new(Int64Array::from(vec![1, 1 << 40, 3])), "1;3"),
        ("float64", Arc::new(Int64Array::from(vec![1, (1 << 53) + 1, 3])), "1.0;3.0"),
        ("date", Arc::new(Date64Array::from(vec![0, 1, 86_400_000])), "1970-01-01;1970-01-02"),
        ("date", Arc::new(Date64Array::from(vec![-86_400_000, -1, 0])), "1969-12-31;1970-01-01"),
        ("decimal(12,2)", decimals, "1.25;7.00"),
    ];
    for (declared, stored, expected) in cases {
        let kind = stored.data_type().clone();
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let mut fixture =
            one(&format!("v: {declared} public; id: int32 public"), &[batch(vec![("v", stored), ("id", ids)])]);
        let refusal = rows(&fixture, "SELECT id FROM shenzhen.d.t WHERE id = 1").await.unwrap_err();
        assert_eq!(refusal.code, Code::Source, "{declared} of {kind}");
        fixture.skip_bad_records();
        let found = rows(&fixture, "SELECT v FROM shenzhen.d.t ORDER BY id").await;
        assert_eq!(found.as_deref(), Ok(expected), "{declared} of {kind}");
        assert_eq!(rows(&fixture, "SELECT id FROM shenzhen.d.t WHERE id = 2").await.as_deref(), Ok(""));
    }
}

#[tokio::test]
async fn text_in_another_encoding_is_refused_and_never_guessed() {
    let stored: ArrayRef = Arc::new(BinaryArray::from(vec!["甲".as_bytes(), b"\xbc\xd7"]));
    let fixture = one("v: string public", &[batch(vec![("v", stored)])]);
    let refusal = rows(&fixture, "SELECT v FROM shenzhen.d.t").await.unwrap_err();
    assert_eq!(refusal.code, Code::Source);
}

/// The legacy form of Hive and Spark, in which 9999-12-31 means "for ever".
#[tokio::test]
async fn int96_has_all_years() {
    let mut fixture = Fixture::new();
    let schema = Arc::new(parse_message_type("message m { REQUIRED INT96 t; }").unwrap());
    let file = File::create(fixture.dir.path().join("t.parquet")).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let at = |julian_day: u32| {
        let mut value = Int96::new();
        value.set_data(0, 0, julian_day);
        value
    };
    column.typed::<Int96Type>().write_batch(&[at(2_440_588), at(5_373_484)], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    fixture.dataset("t", "t.parquet", SourceFormat::Parquet, "t: timestamp public", rule(1, 1));
    let found = rows(&fixture, "SELECT t FROM shenzhen.d.t ORDER BY t").await.unwrap();
    assert_eq!(found, "1970-01-01T00:00:00;9999-12-31T00:00:00");
    let late = rows(&fixture, "SELECT t FROM shenzhen.d.t WHERE t > TIMESTAMP '2020-01-01'").await.unwrap();
    assert_eq!(late, "9999-12-31T00:00:00");
}

/// A footer is cached by the time of the file, which whoever copies a file can set back.
#[tokio::test]
async fn a_file_that_is_replaced_by_one_of_the_same_length_and_time_is_read_anew() {
    let group = |values: Vec<i32>| batch(vec![("n", Arc::new(Int32Array::from(values)) as ArrayRef)]);
    let fixture = one("n: int32 public", &[group(vec![1, 2])]);
    let engine = fixture.engine().unwrap();
    assert_eq!(ask(&fixture, &engine, "SELECT n FROM shenzhen.d.t WHERE n < 3").await.unwrap(), "1;2");
    let path = fixture.dir.path().join("t.parquet");
    let before = fs::metadata(&path).unwrap();
    write(&path, &[group(vec![8, 9])]);
    File::options().append(true).open(&path).unwrap().set_modified(before.modified().unwrap()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), before.len());
    assert_eq!(ask(&fixture, &engine, "SELECT n FROM shenzhen.d.t WHERE n > 3").await.unwrap(), "8;9");
}

#[tokio::test]
async fn files_of_any_name_are_read_and_those_of_a_folder_may_differ_in_their_types() {
    let mut fixture = Fixture::new();
    fs::create_dir(fixture.dir.path().join("t")).unwrap();
    let at = |name: &str| fixture.dir.path().join("t").join(name);
    let column = |array: ArrayRef| [batch(vec![("n", array)])];
    write(&at("a b%20c#d?.parquet"), &column(Arc::new(Int32Array::from(vec![1]))));
    write(&at("二〇二四年.parquet"), &column(Arc::new(Int64Array::from(vec![2]))));
    write(&at("[3]*~{x}.PARQUET"), &column(Arc::new(UInt64Array::from(vec![3]))));
    write(&at("none.parquet"), &column(Arc::new(NullArray::new(1))));
    fs::write(at("empty.parquet"), "").unwrap();
    fs::write(at("_common_metadata.parquet"), "no data").unwrap();
    fixture.dataset("t", "t", SourceFormat::Parquet, "n: int64 public", rule(1, 1));
    let found = rows(&fixture, "SELECT count(*) AS files, sum(n) AS n FROM shenzhen.d.t").await.unwrap();
    assert_eq!(found, "4,6");
    // One that has not the columns is named in the log, and refuses the dataset.
    write(
        &fixture.dir.path().join("t/other.parquet"),
        &[batch(vec![("m", Arc::new(Int32Array::from(vec![1])) as ArrayRef)])],
    );
    let refusal = rows(&fixture, "SELECT count(*) AS n FROM shenzhen.d.t").await.unwrap_err();
    assert!(refusal.message.contains("column \"n\" is not in the source"), "{}", refusal.message);
}

#[tokio::test]
async fn a_folder_of_empty_files_has_no_rows() {
    let mut fixture = Fixture::new();
    fixture.write("t/a.parquet", "");
    fixture.dataset("t", "t", SourceFormat::Parquet, "n: int64 public", rule(1, 1));
    assert_eq!(rows(&fixture, "SELECT n FROM shenzhen.d.t").await.unwrap(), "");
    assert_eq!(rows(&fixture, "SELECT count(*) AS n FROM shenzhen.d.t").await.unwrap(), "0");
}

/// INT96 holds six million years each way, and microseconds a twentieth of that.
#[tokio::test]
async fn int96_beyond_the_range_of_microseconds_is_a_bad_record() {
    let mut fixture = Fixture::new();
    let schema = Arc::new(parse_message_type("message m { OPTIONAL INT96 t; REQUIRED INT32 id; }").unwrap());
    let file = File::create(fixture.dir.path().join("t.parquet")).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let at = |julian_day: u32| {
        let mut value = Int96::new();
        value.set_data(0, 0, julian_day);
        value
    };
    // By wrapping, the second would be a time of 1970 to 2200 or so.
    let days = [at(2_440_589), at(2_440_588 + 213_503_982), at(i32::MAX.unsigned_abs())];
    column.typed::<Int96Type>().write_batch(&days, Some(&[1, 0, 1, 1]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<parquet::data_type::Int32Type>().write_batch(&[1, 2, 3, 4], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    fixture.dataset("t", "t.parquet", SourceFormat::Parquet, "t: timestamp public; id: int32 public", rule(1, 1));
    let refusal = rows(&fixture, "SELECT id FROM shenzhen.d.t").await.unwrap_err();
    assert!(refusal.message.contains("at least one record cannot be read"), "{}", refusal.message);
    fixture.skip_bad_records();
    let found = rows(&fixture, "SELECT id, t FROM shenzhen.d.t ORDER BY id").await.unwrap();
    assert_eq!(found, "1,1970-01-02T00:00:00;2,");
    assert_eq!(rows(&fixture, "SELECT count(*) AS n FROM shenzhen.d.t").await.unwrap(), "2");
}
