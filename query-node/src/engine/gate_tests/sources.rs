//! Sources that change while they are read.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use async_trait::async_trait;
use futures::StreamExt;
use jiff::Timestamp;
use parking_lot::Mutex;
use wanqu_model::bundle::{Slice, SourceFormat};
use wanqu_model::names::SqlName;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_model::report::LeftOutRecords;
use wanqu_rules::Fetched;

use super::{gated, taken_with_report};

use crate::engine::fixture::{Fixture, rule};
use crate::engine::{Engine, RemotePublic};

/// Another member, whose public table is fetched while the owner's own file changes the first few times.
#[derive(Debug)]
struct Meddling {
    fetches: AtomicUsize,
    file: PathBuf,
    changes: usize,
}

#[async_trait]
impl RemotePublic for Meddling {
    async fn fetch(&self, _: &Slice, columns: &[SqlName], _: &[String], _: Timestamp) -> Result<Fetched, Refusal> {
        let fetch = self.fetches.fetch_add(1, Ordering::SeqCst);
        if fetch < self.changes {
            let mut text = std::fs::read_to_string(&self.file).unwrap();
            text.push_str("u900,p1\n");
            std::fs::write(&self.file, text).unwrap();
        }
        assert_eq!(columns.iter().map(SqlName::as_str).collect::<Vec<_>>(), ["code", "region"]);
        // A member that answers otherwise the second time must not be asked twice within one attempt.
        let codes = StringViewArray::from(vec!["p1", "p2"]);
        let regions = StringViewArray::from(vec![if fetch.is_multiple_of(2) { "north" } else { "south" }; 2]);
        let columns: Vec<(&str, ArrayRef)> = vec![("code", Arc::new(codes)), ("region", Arc::new(regions))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let left_out = LeftOutRecords { table: "hongkong.d.codes".parse().unwrap(), records: Some(3) };
        let batches = futures::stream::iter([Ok(batch)]).boxed();
        let bytes = Arc::new(AtomicU64::new(100));
        Ok(Fetched { batches, bytes, left_out: Arc::new(Mutex::new(vec![left_out])) })
    }
}

#[tokio::test]
async fn all_passes_see_one_state_of_every_source() {
    for (changes, expected) in [(0, Ok("north")), (1, Ok("south")), (2, Err(Code::Source))] {
        let mut fixture = Fixture::new();
        let rows: Vec<String> = (0..40).map(|u| format!("u{u},p{}", u % 2 + 1)).collect();
        fixture.write("v.csv", format!("unit,place\n{}\n", rows.join("\n")));
        fixture.dataset(
            "v",
            "v.csv",
            SourceFormat::Csv,
            "unit: string identifier; place: string dimension",
            rule(5, 1),
        );
        fixture.foreign("codes", "code: string public; region: string public");
        let file = fixture.dir.path().join("v.csv");
        let remote = Arc::new(Meddling { fetches: AtomicUsize::new(0), file, changes });
        let engine = Engine::open(&fixture.bundle, Arc::<Meddling>::clone(&remote)).unwrap();
        let sql = "SELECT c.region, count(*) FROM shenzhen.d.v v JOIN hongkong.d.codes c ON v.place = c.code GROUP BY c.region";
        let result = gated(&fixture, &engine, sql).await;
        assert_eq!(remote.fetches.load(Ordering::SeqCst), changes.min(1) + 1, "one fetch for each attempt");
        match (result, expected) {
            (Ok(release), Ok(region)) => {
                let (rows, report) = taken_with_report(release).await.unwrap();
                assert_eq!(rows[0][0], region);
                let fetched = 100 * (changes as u64 + 1);
                assert_eq!(report.fetched_bytes, fetched, "an attempt that came to nothing has fetched too");
                let told: Vec<String> = report.left_out.iter().map(|one| one.table.to_string()).collect();
                assert_eq!(told, ["hongkong.d.codes"], "once, however often it was fetched");
            }
            (Err(refusal), Err(code)) => assert_eq!(refusal.code, code),
            (result, expected) => panic!("{changes} changes: {:?} where {expected:?} was expected", result.map(|_| ())),
        }
    }
}
