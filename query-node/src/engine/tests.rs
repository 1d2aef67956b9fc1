use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray,
};
use arrow::util::pretty::pretty_format_batches;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use parking_lot::Mutex;
use wanqu_gate::Engine as _;
use wanqu_model::bundle::{CommonTableInfo, Encoding, Slice, SourceFormat, TextSpec};
use wanqu_model::names::{SqlName, TableRef};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::{Fetched, refusal_over_public};

use super::fixture::{Fixture, rule};

use super::{Engine, RemotePublic};

/// The rows of a query, as a table.
pub(super) async fn rows(fixture: &Fixture, sql: &str) -> Result<String, Refusal> {
    let engine = fixture.engine().unwrap();
    let run = engine.start(Timestamp::MAX)?;
    let plan = fixture.catalog().plan(sql, 10_000)?;
    let bound = run.bind(&plan).map_err(|e| refusal_over_public(&e))?;
    let stream = run.execute(&bound).await.map_err(|e| refusal_over_public(&e))?;
    let batches: Vec<RecordBatch> = stream.try_collect().await.map_err(|e| refusal_over_public(&e))?;
    let table = pretty_format_batches(&batches).unwrap().to_string();
    Ok(table.lines().filter(|l| l.starts_with('|')).skip(1).map(|l| l.replace(' ', "")).collect::<Vec<_>>().join("\n"))
}

const COLUMNS: &str = "id: string identifier; sex=性别: string dimension; n: int64 measure; paid: decimal(12,2) measure; day: date dimension";

fn batch() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("other", Arc::new(Int64Array::from(vec![9, 9, 9]))),
        ("day", Arc::new(Date32Array::from(vec![Some(0), Some(1), None]))),
        ("paid", Arc::new(Decimal128Array::from(vec![150, 250, 300]).with_precision_and_scale(10, 2).unwrap())),
        ("n", Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]))),
        ("性别", Arc::new(StringArray::from(vec!["F", "M", "F"]))),
        ("id", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

const CSV: &str = "other,day,paid,n,性别,id\n9,1970-01-01,1.50,1,F,a\n9,1970-01-02,2.50,,M,b\n9,,3.00,3,F,c\n";
const NDJSON: &str = "{\"id\":\"a\",\"性别\":\"F\",\"n\":1,\"paid\":1.50,\"day\":\"1970-01-01\",\"other\":9}\n\
    {\"day\":\"1970-01-02\",\"id\":\"b\",\"性别\":\"M\",\"n\":null,\"paid\":\"2.50\"}\n\
    {\"id\":\"c\",\"性别\":\"F\",\"n\":3,\"paid\":3}";

fn three(columns: &str) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.write_parquet("v.parquet", &batch());
    fixture.write("v.csv", CSV);
    fixture.write("v.ndjson", NDJSON);
    fixture.dataset("p", "v.parquet", SourceFormat::Parquet, columns, rule(1, 1));
    fixture.dataset("c", "v.csv", SourceFormat::Csv, columns, rule(1, 1));
    fixture.dataset("j", "v.ndjson", SourceFormat::Ndjson, columns, rule(1, 1));
    fixture
}

#[tokio::test]
async fn the_three_formats_give_the_same_rows() {
    let fixture = three(COLUMNS);
    for table in ["p", "c", "j"] {
        let sql = format!("SELECT sex, n, paid, day, id FROM shenzhen.d.{table} ORDER BY id");
        let expected = "|F|1|1.50|1970-01-01|a|\n|M||2.50|1970-01-02|b|\n|F|3|3.00||c|";
        assert_eq!(rows(&fixture, &sql).await.unwrap(), expected, "{table}");
        let sql = format!("SELECT count(*), sum(n), max(v.sex) FROM shenzhen.d.{table} v WHERE paid < 3 AND sex = 'F'");
        assert_eq!(rows(&fixture, &sql).await.unwrap(), "|1|1|F|", "{table}");
        let sql = format!("SELECT count(*) FROM shenzhen.d.{table}");
        assert_eq!(rows(&fixture, &sql).await.unwrap(), "|3|", "{table}");
        let sql = format!("SELECT id FROM shenzhen.d.{table} WHERE n = (SELECT max(n) FROM shenzhen.d.{table})");
        assert_eq!(rows(&fixture, &sql).await.unwrap(), "|c|", "{table}");
    }
}

#[tokio::test]
async fn a_mapping_is_computed_at_the_owner() {
    let mut fixture = three(COLUMNS);
    fixture.common(
        "visits",
        "c",
        "female: boolean dimension = sex = 'F'; paid: float64 measure = paid * 2; code: int32 dimension = CAST(id AS INT); month: string dimension = substr(CAST(day AS VARCHAR), 1, 7)",
    );
    let sql = "SELECT jurisdiction, female, paid, code, month FROM gba.d.visits ORDER BY paid";
    let expected = "|CN-SZ|true|3.0||1970-01|\n|CN-SZ|false|5.0||1970-01|\n|CN-SZ|true|6.0|||";
    assert_eq!(rows(&fixture, sql).await.unwrap(), expected);
}

#[test]
fn a_bundle_whose_mapping_does_not_fit_is_not_opened() {
    for (expression, why) in [
        ("nothing + 1", "nothing"),
        ("sum(n)", "aggregate"),
        ("random()", "same value"),
        ("n +", "Expected"),
        ("(SELECT 1)", ""),
        ("make_array(n)", "cannot become"),
        ("id", "only by a cast"),
        ("CAST(day AS TIMESTAMP)", "only by a cast"),
    ] {
        let mut fixture = three(COLUMNS);
        fixture.common("visits", "c", &format!("x: date dimension = {expression}"));
        let error = fixture.engine().unwrap_err().to_string();
        assert!(error.starts_with("gba.d.visits: column x: "), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_declared_column_that_the_file_lacks_or_types_otherwise_is_named() {
    for (columns, fault) in [
        ("id: string identifier; absent: int64 measure", "column \"absent\" is not in the source"),
        ("id: int64 identifier", "\"id\" does not have its declared type|at least one record cannot be read"),
        ("id: string identifier; paid: decimal(8,2) measure", "\"paid\" does not have its declared type|"),
    ] {
        let fixture = three(columns);
        for table in ["p", "c", "j"] {
            let result = rows(&fixture, &format!("SELECT count(*) FROM shenzhen.d.{table}")).await;
            // NDJSON cannot know a column that is left out everywhere in a short file; a narrower decimal may hold it.
            let Err(refusal) = result else {
                assert!(fault.ends_with('|') || table == "j", "{table}: {columns}");
                continue;
            };
            assert_eq!(refusal.code, Code::Source);
            assert!(refusal.message.starts_with(&format!("shenzhen.d.{table} cannot be read: ")), "{refusal}");
            assert!(fault.split('|').any(|f| !f.is_empty() && refusal.message.contains(f)), "{table}: {refusal}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_cut_off_or_missing_refuses_the_query() {
    let fixture = three(COLUMNS);
    let whole = std::fs::read(fixture.dir.path().join("v.parquet")).unwrap();
    for length in [0, 3, whole.len() / 2, whole.len() - 1] {
        fixture.write("v.parquet", &whole[..length]);
        let refusal = rows(&fixture, "SELECT count(n) FROM shenzhen.d.p").await.unwrap_err();
        assert_eq!(refusal.code, Code::Source, "{length}: {refusal}");
    }
    for (table, file) in [("p", "v.parquet"), ("c", "v.csv"), ("j", "v.ndjson")] {
        std::fs::remove_file(fixture.dir.path().join(file)).unwrap();
        let refusal = rows(&fixture, &format!("SELECT count(*) FROM shenzhen.d.{table}")).await.unwrap_err();
        assert_eq!(refusal.message, format!("shenzhen.d.{table} cannot be read: no file is there"));
    }
}

#[tokio::test]
async fn a_bad_record_rejects_the_file_or_is_left_out_and_counted() {
    let mut csv = b"other,day,paid,n,\xe6\x80\xa7\xe5\x88\xab,id\n".to_vec();
    let mut json = Vec::new();
    for i in 0..20_000 {
        csv.extend(format!("9,1970-01-01,1.50,1,\"F\n\"\"\",u{i}\n").bytes());
        json.extend(
            format!("{{\"id\":\"u{i}\",\"性别\":\"F\",\"n\":1,\"paid\":1.5,\"day\":\"1970-01-01\"}}\n").bytes(),
        );
        match i {
            17 => {
                csv.extend(b"9,1970-01-01,1.50\n");
                json.extend(b"{\"id\":\"u\",\n");
            }
            9000 => {
                csv.extend(b"9,1970-01-01,1.50,1,\xff\xfe,u\n");
                json.extend(b"{\"id\":\"\xff\xfe\"}\n");
            }
            15_000 => {
                csv.extend(b"9,1970-01-01,1.50,CANARY,F,u\n");
                json.extend(b"{\"n\":\"CANARY\"}\n");
            }
            19_999 => {
                csv.extend(b"9,not a day,1.50,1,F,u\n9,1970-01-01,1.50,1,F,u,9,9\n");
                json.extend(b"not json\n[1]\n");
            }
            _ => {}
        }
    }
    let mut fixture = three(COLUMNS);
    fixture.write("v.csv", &csv);
    fixture.write("v.ndjson", &json);
    // Where it is not declared, bytes that are not UTF-8 refuse the file.
    fixture.declare_text(&TextSpec { encoding: Some(Encoding::Utf8), ..TextSpec::default() });
    for table in ["c", "j"] {
        // Also where the query does not touch the column that is bad.
        let refusal = rows(&fixture, &format!("SELECT count(id) FROM shenzhen.d.{table}")).await.unwrap_err();
        assert!(refusal.message.contains("at least one record cannot be read"), "{refusal}");
        assert!(!serde_json::to_string(&refusal).unwrap().contains("CANARY"));
    }
    fixture.skip_bad_records();
    let engine = fixture.engine().unwrap();
    for table in ["c", "j"] {
        for columns in ["count(*)", "sum(n)", "count(id)"] {
            let plan = fixture.catalog().plan(&format!("SELECT {columns} FROM shenzhen.d.{table}"), 1000).unwrap();
            let run = engine.start(Timestamp::MAX).unwrap();
            let bound = run.bind(&plan).unwrap();
            let batches: Vec<RecordBatch> = run.execute(&bound).await.unwrap().try_collect().await.unwrap();
            assert!(pretty_format_batches(&batches).unwrap().to_string().contains("| 20000"), "{table} {columns}");
        }
    }
    let skipped = |tables: &[&str]| {
        let tables: Vec<TableRef> = tables.iter().map(|table| table.parse().unwrap()).collect();
        engine.skipped_records(&tables)
    };
    assert_eq!(["shenzhen.d.c", "shenzhen.d.j", "shenzhen.d.p"].map(|table| skipped(&[table])), [5, 5, 0]);
    assert_eq!(skipped(&["shenzhen.d.c", "shenzhen.d.j", "shenzhen.d.c"]), 10, "each source once");
}

#[tokio::test]
async fn a_link_out_of_the_root_refuses_the_query() {
    let fixture = three(COLUMNS);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("v.csv"), CSV).unwrap();
    std::fs::remove_file(fixture.dir.path().join("v.csv")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("v.csv"), fixture.dir.path().join("v.csv")).unwrap();
    let refusal = rows(&fixture, "SELECT count(*) FROM shenzhen.d.c").await.unwrap_err();
    assert_eq!(refusal.message, "shenzhen.d.c cannot be read: its path cannot be used");
}

/// Another member that records what it is asked for, and answers with more than that.
#[derive(Debug, Default)]
struct RecordingMember(Mutex<Vec<String>>);

#[async_trait]
impl RemotePublic for RecordingMember {
    async fn fetch(
        &self,
        _: &Slice,
        columns: &[SqlName],
        conditions: &[String],
        _: Timestamp,
    ) -> Result<Fetched, Refusal> {
        let names: Vec<&str> = columns.iter().map(SqlName::as_str).collect();
        self.0.lock().push(format!("{} WHERE {}", names.join(", "), conditions.join(" AND ")));
        let column = |name: &&str| -> (String, ArrayRef) {
            let values: ArrayRef = match *name {
                "code" => Arc::new(StringViewArray::from(vec!["a", "b", "c"])),
                _ => Arc::new(Int64Array::from(vec![1, 5, 9])),
            };
            ((*name).to_owned(), values)
        };
        let batch = RecordBatch::try_from_iter(names.iter().map(column)).unwrap();
        let batches = futures::stream::iter([Ok(batch)]).boxed();
        Ok(Fetched { batches, bytes: Arc::new(AtomicU64::new(100)), left_out: Arc::default() })
    }
}

#[tokio::test]
async fn a_public_query_asks_others_for_the_columns_and_rows_that_it_needs() {
    let mut fixture = Fixture::new();
    fixture.foreign("places", "code: string public; beds: int64 public; rooms: int64 public");
    let remote = Arc::new(RecordingMember::default());
    let engine = Engine::open(&fixture.bundle, Arc::<RecordingMember>::clone(&remote)).unwrap();
    for (sql, asked, expected) in [
        ("SELECT code FROM hongkong.d.places WHERE beds > 4", "code, beds WHERE (beds > 4)", 2),
        ("SELECT beds, code FROM hongkong.d.places", "code, beds WHERE ", 3),
        ("SELECT count(*) AS n FROM hongkong.d.places", "code WHERE ", 1),
    ] {
        let run = engine.start_public(Timestamp::MAX).unwrap();
        let bound = run.bind(&fixture.catalog().plan(sql, 10_000).unwrap()).unwrap();
        let batches: Vec<RecordBatch> = run.execute(&bound).await.unwrap().try_collect().await.unwrap();
        assert_eq!(remote.0.lock().drain(..).collect::<Vec<_>>(), [asked], "{sql}");
        assert_eq!(run.fetched_bytes().sum(), 100, "{sql}");
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), expected, "{sql}");
    }
}

#[test]
fn a_plan_reads_own_slices_alone_if_no_table_of_it_is_anybody_elses() {
    let mut fixture = Fixture::new();
    fixture.dataset("w", "w.csv", SourceFormat::Csv, "code: string public; beds: int64 public", rule(1, 1));
    fixture.common("wards", "w", "code: string public = code; beds: int64 public = beds");
    fixture.foreign("places", "code: string public; beds: int64 public");
    let own = fixture.bundle.slices.iter().find(|slice| slice.table.is_common()).unwrap().clone();
    fixture.bundle.slices.push(Slice { jurisdiction: "HK".parse().unwrap(), ..own });
    for (sql, alone) in [
        ("SELECT code FROM gba.d.wards WHERE beds > 4", true),
        ("SELECT w.code FROM gba.d.wards w JOIN shenzhen.d.w v ON w.code = v.code", true),
        ("SELECT 1 AS one", true),
        ("SELECT code FROM hongkong.d.places", false),
        ("SELECT code FROM whole.d.wards", false),
        ("SELECT w.code FROM gba.d.wards w JOIN hongkong.d.places p ON w.code = p.code", false),
        ("SELECT code FROM gba.d.wards WHERE code IN (SELECT code FROM hongkong.d.places)", false),
        ("SELECT code, (SELECT max(beds) FROM whole.d.wards) AS most FROM gba.d.wards", false),
    ] {
        let plan = fixture.catalog().plan(sql, 10_000).unwrap();
        assert_eq!(fixture.engine().unwrap().reads_own_slices_alone(&plan), alone, "{sql}");
    }
    let replicated = CommonTableInfo {
        table: "gba.d.wards".parse().unwrap(),
        replicated: true,
        colocation: Vec::new(),
        disjoint_units: false,
    };
    fixture.bundle.common_tables.push(replicated);
    let plan = fixture.catalog().plan("SELECT code FROM whole.d.wards", 10_000).unwrap();
    assert!(fixture.engine().unwrap().reads_own_slices_alone(&plan), "its own copy is the whole table");
}

#[tokio::test]
async fn a_public_file_that_changes_while_it_is_read_refuses_the_answer() {
    type Change = fn(&std::path::Path);
    let long = |first: &str| format!("n\n{first}\n{}", "1\n".repeat(300_000));
    let changes: [(&str, Change); 4] = [
        ("appended", |path| {
            let mut file = std::fs::File::options().append(true).open(path).unwrap();
            std::io::Write::write_all(&mut file, b"7\n").unwrap();
        }),
        ("in place, of the same length and time", |path| {
            let time = std::fs::metadata(path).unwrap().modified().unwrap();
            let file = std::fs::File::options().write(true).open(path).unwrap();
            std::os::unix::fs::FileExt::write_all_at(&file, b"8", 2).unwrap();
            file.set_modified(time).unwrap();
        }),
        ("replaced", |path| {
            std::fs::write(path.with_extension("new"), "n\n1\n").unwrap();
            std::fs::rename(path.with_extension("new"), path).unwrap();
        }),
        ("removed", |path| std::fs::remove_file(path).unwrap()),
    ];
    for (what, change) in changes {
        let mut fixture = Fixture::new();
        fixture.write("w.csv", long("1"));
        fixture.dataset("w", "w.csv", SourceFormat::Csv, "n: int32 public", rule(1, 1));
        let engine = fixture.engine().unwrap();
        let run = engine.start_public(Timestamp::MAX).unwrap();
        let bound = run.bind(&fixture.catalog().plan("SELECT n FROM shenzhen.d.w", 1 << 30).unwrap()).unwrap();
        let mut rows = run.execute(&bound).await.unwrap();
        assert!(rows.try_next().await.unwrap().is_some());
        change(&fixture.dir.path().join("w.csv"));
        let refusal = refusal_over_public(&rows.try_collect::<Vec<_>>().await.unwrap_err());
        assert_eq!(refusal.message, "a source changed while it was read", "{what}");
        assert_eq!(refusal.remedy.as_deref(), Some("ask again"));
    }
}

#[tokio::test]
async fn left_out_records_are_counted_to_those_who_ask_over_public_data_alone() {
    let mut fixture = Fixture::new();
    fixture.write("w.csv", format!("n,id\n1,a\nx,b\ny,c\n{}", "1,d\n".repeat(200_000)));
    for (name, columns) in [("w", "n: int32 public"), ("v", "id: string identifier; n: int32 measure")] {
        fixture.dataset(name, "w.csv", SourceFormat::Csv, columns, rule(1, 1));
    }
    fixture.write("fine.csv", "n,id\n1,a\n");
    fixture.dataset("f", "fine.csv", SourceFormat::Csv, "n: int32 public", rule(1, 1));
    fixture.dataset("g", "fine.csv", SourceFormat::Csv, "id: string identifier; n: int32 measure", rule(1, 1));
    fixture.skip_bad_records();
    let engine = fixture.engine().unwrap();
    let tables: Vec<TableRef> = ["w", "v", "f", "g"].map(|name| format!("shenzhen.d.{name}").parse().unwrap()).to_vec();
    let told =
        || engine.left_out(&tables).into_iter().map(|one| (one.table.to_string(), one.records)).collect::<Vec<_>>();
    let said = |name: &str, records| (format!("shenzhen.d.{name}"), records);
    // Nothing is known before the first scan, nor after one that nobody read to its end.
    let unknown = ["w", "v", "f", "g"].map(|name| said(name, None));
    assert_eq!(told(), unknown);
    let first = |sql: &str| {
        let plan = fixture.catalog().plan(sql, 10_000_000).unwrap();
        let engine = &engine;
        async move {
            let run = engine.start_public(Timestamp::MAX).unwrap();
            let mut rows = run.execute(&run.bind(&plan).unwrap()).await.unwrap();
            rows.try_next().await.unwrap();
        }
    };
    first("SELECT n FROM shenzhen.d.w").await;
    assert_eq!(told()[0], said("w", None));
    for name in ["w", "v", "f", "g"] {
        first(&format!("SELECT count(*) AS n FROM shenzhen.d.{name}")).await;
    }
    // Of what protects somebody the same is said whether a record is bad or not.
    assert_eq!(told(), [said("w", Some(2)), said("v", None), said("g", None)]);
}

#[tokio::test]
async fn a_dataset_that_cannot_be_read_is_known_before_anybody_asks() {
    let mut fixture = three(COLUMNS);
    fixture.common("all", "c", "n: int64 measure = n");
    let engine = fixture.engine().unwrap();
    engine.look_at_sources().await;
    assert_eq!(engine.unavailable(), []);
    fixture.write("v.csv", "id,n\n1,2\n");
    std::fs::remove_file(fixture.dir.path().join("v.ndjson")).unwrap();
    fixture.write("v.parquet", "no Parquet");
    engine.look_at_sources().await;
    let found: Vec<(String, String)> =
        engine.unavailable().into_iter().map(|one| (one.table.to_string(), one.reason)).collect();
    let expected = [
        ("gba.d.all", "column \"性别\" is not in the source"),
        ("shenzhen.d.c", "column \"性别\" is not in the source"),
        ("shenzhen.d.j", "no file is there"),
        ("shenzhen.d.p", "a file cannot be read as declared"),
    ];
    assert_eq!(found, expected.map(|(table, reason)| (table.to_owned(), reason.to_owned())));
    fixture.write("v.csv", CSV);
    engine.look_at_sources().await;
    assert!(engine.unavailable().iter().all(|one| one.table.to_string() != "shenzhen.d.c"));
}
