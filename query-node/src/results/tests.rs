//! Results, those who may have them, and those who try.

use std::fs;
use std::path::Path;

use arrow::array::{ArrayRef, Int64Array};
use async_trait::async_trait;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use wanqu_model::answer::{Keep, Question, Summary};
use wanqu_rules::catalog::Catalog;

use super::*;
use crate::home::Described;
use crate::home::{HomeService, no_such_result};

const HOUR: Keep = Keep { ttl_seconds: 3600 };

/// Clock that is set by hand.
struct Hand(Mutex<Timestamp>);

impl Hand {
    fn forward(&self, seconds: i64) {
        let mut now = self.0.lock();
        *now += SignedDuration::from_secs(seconds);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// Home service that gives one answer to every question, and counts the questions.
struct Home {
    events: Vec<Result<Event, Refusal>>,
    asked: Mutex<u32>,
}

#[async_trait]
impl HomeService for Home {
    async fn ask(&self, _: Subject, _: Question, _: CancellationToken) -> Result<Answer, Refusal> {
        *self.asked.lock() += 1;
        Ok(stream::iter(self.events.clone()).boxed())
    }

    async fn describe(&self, _: Subject, _: Question, _: CancellationToken) -> Result<Described, Refusal> {
        Ok(Described::default())
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::new(Catalog::default())
    }
}

struct House {
    folder: tempfile::TempDir,
    clock: Arc<Hand>,
    home: Arc<Home>,
    keeping: Keeping,
    results: Arc<Results>,
}

fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

fn summary() -> Summary {
    Summary { query_id: Uuid::from_u128(7), rows: 5, may_lack: true, ..Summary::default() }
}

/// Two batches and an account.
fn answer() -> Vec<Result<Event, Refusal>> {
    vec![
        Ok(Event::Schema(batch(0..1).schema())),
        Ok(Event::Batch(batch(0..3))),
        Ok(Event::Batch(batch(3..5))),
        Ok(Event::Summary(summary())),
    ]
}

fn who(subject: &str) -> Subject {
    Subject { issuer: "kubernetes".to_owned(), subject: subject.to_owned() }
}

fn settings(folder: &Path) -> ResultsSettings {
    ResultsSettings { folder: folder.to_owned(), quota: 64 * 1024 }
}

impl House {
    fn new(events: Vec<Result<Event, Refusal>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(Mutex::new("2026-03-01T00:00:00Z".parse().unwrap())));
        let results = Arc::new(Results::open(settings(folder.path()), clock.clone()).unwrap());
        let home = Arc::new(Home { events, asked: Mutex::new(0) });
        let keeping = Keeping::new(home.clone(), Some(Arc::clone(&results)));
        Self { folder, clock, home, keeping, results }
    }

    async fn ask(&self, keep: Keep) -> Result<Answer, Refusal> {
        let question = Question { keep: Some(keep), ..Question::default() };
        self.keeping.ask(who("wei"), question, CancellationToken::new()).await
    }

    async fn fetch(&self, subject: Subject, id: Uuid) -> Result<Vec<Event>, Refusal> {
        self.keeping.fetch(subject, id).await?.try_collect().await
    }

    /// Returns every name in the folder.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Returns the results of the same folder, after the node was started again.
    fn restarted(&self) -> Results {
        Results::open(settings(self.folder.path()), self.clock.clone()).unwrap()
    }
}

/// Returns the rows of an answer and its account.
fn read(events: &[Event]) -> (Vec<i64>, Summary) {
    let rows = events.iter().flat_map(|event| match event {
        Event::Batch(batch) => {
            use arrow::array::AsArray;
            batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
        }
        _ => vec![],
    });
    let Some(Event::Summary(summary)) = events.last() else { panic!("an answer ends with its account") };
    (rows.collect(), summary.clone())
}

#[tokio::test]
async fn a_kept_answer_is_fetched_as_it_was_given() {
    let house = House::new(answer());
    let given: Vec<Event> = house.ask(HOUR).await.unwrap().try_collect().await.unwrap();
    let (rows, account) = read(&given);
    let kept = account.result.clone().unwrap();
    assert_eq!(
        (kept.id, kept.rows, kept.expires.to_string().as_str()),
        (summary().query_id, 5, "2026-03-01T01:00:00Z")
    );
    assert_eq!(house.files(), [format!("{}.parquet", kept.id)]);
    assert_eq!(fs::metadata(house.folder.path().join(&house.files()[0])).unwrap().len(), kept.bytes);
    let again = house.fetch(who("wei"), kept.id).await.unwrap();
    let Event::Schema(columns) = &again[0] else { panic!("columns come first") };
    assert_eq!(columns.fields(), batch(0..1).schema().fields());
    let account: Summary = serde_json::from_str(&columns.metadata()[ACCOUNT]).unwrap();
    assert!(account.may_lack && account.rows == 5);
    assert_eq!(read(&again), (rows, account));
    assert_eq!(*house.home.asked.lock(), 1, "nobody was asked again");
}

#[tokio::test]
async fn unknown_foreign_and_expired_results_are_one_refusal() {
    let house = House::new(answer());
    house.ask(HOUR).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    let id = summary().query_id;
    let unknown = house.fetch(who("wei"), Uuid::from_u128(8)).await.unwrap_err();
    assert_eq!(unknown.code, Code::UnknownName);
    let other_issuer = Subject { issuer: "https://issuer.example".to_owned(), ..who("wei") };
    for stranger in [who("mallory"), other_issuer, who("")] {
        assert_eq!(house.fetch(stranger, id).await.unwrap_err(), unknown);
    }
    assert!(house.fetch(who("wei"), id).await.is_ok(), "and it is still there for its requester");
    house.clock.forward(3600);
    assert_eq!(house.fetch(who("wei"), id).await.unwrap_err(), unknown, "expired before anybody swept");
    house.results.sweep();
    assert!(house.files().is_empty());
}

#[tokio::test]
async fn a_result_outlives_the_node_and_its_time_does_not_stop() {
    let house = House::new(answer());
    house.ask(HOUR).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    let id = summary().query_id;
    let again = house.restarted().fetch(&who("wei"), id).await.unwrap().answer;
    assert_eq!(read(&again.try_collect::<Vec<_>>().await.unwrap()).0, [0, 1, 2, 3, 4]);
    assert!(house.restarted().fetch(&who("mallory"), id).await.is_err());
    house.clock.forward(3600);
    let late = house.restarted();
    assert!(late.fetch(&who("wei"), id).await.is_err());
    assert!(house.files().is_empty(), "what expired while the node was away is removed at its start");
}

#[tokio::test]
async fn an_answer_that_nobody_takes_to_its_end_leaves_nothing() {
    let house = House::new(answer());
    for taken in 0..4 {
        let mut answer = house.ask(HOUR).await.unwrap();
        for _ in 0..taken {
            answer.next().await.unwrap().unwrap();
        }
        assert_eq!(house.files().is_empty(), taken == 0, "{taken} events: a draft is there while it is written");
        drop(answer);
        assert!(house.files().is_empty(), "{taken} events");
    }
    assert!(house.fetch(who("wei"), summary().query_id).await.is_err());
}

#[tokio::test]
async fn an_answer_that_is_refused_on_its_way_leaves_nothing() {
    let mut events = answer();
    events[2] = Err(Refusal::new(Code::Limit, "too many rows"));
    let house = House::new(events);
    let refused = house.ask(HOUR).await.unwrap().try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(refused.code, Code::Limit);
    assert!(house.files().is_empty());
}

#[tokio::test]
async fn an_answer_that_outgrows_its_room_goes_on_and_is_not_kept() {
    let mut events = answer();
    // Numbers without a pattern, so that no encoding makes them small.
    let noise: ArrayRef = Arc::new(Int64Array::from_iter_values(
        (0..8_192_u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17).cast_signed()),
    ));
    events.insert(2, Ok(Event::Batch(RecordBatch::try_from_iter([("n", noise)]).unwrap())));
    let house = House::new(events);
    let given: Vec<Event> = house.ask(HOUR).await.unwrap().try_collect().await.unwrap();
    let (rows, account) = read(&given);
    assert_eq!(rows.len(), 8_197);
    let why = account.not_kept.unwrap();
    assert_eq!(
        (why.code, why.rule.as_deref()),
        (Code::Limit, Some("the results of one requester fill their share of the room"))
    );
    assert!(account.result.is_none() && house.files().is_empty());
}

#[tokio::test]
async fn a_disk_that_fails_does_not_take_the_answer_with_it() {
    let house = House::new(answer());
    fs::remove_dir(house.folder.path()).unwrap();
    let given: Vec<Event> = house.ask(HOUR).await.unwrap().try_collect().await.unwrap();
    let (rows, account) = read(&given);
    assert_eq!(rows, [0, 1, 2, 3, 4]);
    let why = account.not_kept.unwrap();
    assert_eq!(why.rule.as_deref(), Some("the node's disk takes no more"));
    assert!(!why.to_string().contains(house.folder.path().to_str().unwrap()), "no path of the node's is told");
}

#[tokio::test]
async fn a_question_whose_answer_cannot_be_kept_is_refused_before_owners_are_asked() {
    let house = House::new(answer());
    for ttl_seconds in [0, 30 * 24 * 3600 + 1, u32::MAX] {
        assert_eq!(house.ask(Keep { ttl_seconds }).await.err().unwrap().code, Code::Limit);
    }
    let without = Keeping::new(house.home.clone(), None);
    let question = Question { keep: Some(HOUR), ..Question::default() };
    let refused = without.ask(who("wei"), question, CancellationToken::new()).await.err().unwrap();
    assert_eq!(refused.remedy.as_deref(), Some("ask without `keep`"));
    assert_eq!(without.fetch(who("wei"), summary().query_id).await.err().unwrap(), no_such_result());
    assert_eq!(*house.home.asked.lock(), 0);
}

#[tokio::test]
async fn only_intact_files_that_the_node_wrote_are_results() {
    let house = House::new(answer());
    house.ask(HOUR).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    let at = |name: &str| house.folder.path().join(name);
    let real = at(&file_name(summary().query_id));
    // Under another id, through a link, cut short, and left over from a node that was killed.
    let (moved, linked, cut) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    fs::copy(&real, at(&file_name(moved))).unwrap();
    std::os::unix::fs::symlink(&real, at(&file_name(linked))).unwrap();
    fs::write(at(&file_name(cut)), b"PAR1").unwrap();
    fs::write(at(".draft-x"), b"half").unwrap();
    fs::write(at("notes.txt"), b"not the node's").unwrap();
    let results = house.restarted();
    for id in [moved, linked, cut] {
        assert!(results.fetch(&who("wei"), id).await.is_err(), "{id}");
    }
    assert!(results.fetch(&who("wei"), summary().query_id).await.is_ok());
    assert!(at("notes.txt").exists() && !at(".draft-x").exists() && !at(&file_name(cut)).exists());
}

#[tokio::test]
async fn a_file_that_is_gone_is_no_result_and_one_that_cannot_be_read_is_said_to_be_there() {
    let house = House::new(answer());
    house.ask(HOUR).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    let id = summary().query_id;
    let path = house.folder.path().join(file_name(id));
    let aside = house.folder.path().join("aside");
    // A folder can be opened, and not read.
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(&path).unwrap();
    let refused = house.fetch(who("wei"), id).await.unwrap_err();
    assert_eq!(refused.code, Code::Source, "{refused}");
    assert!(!refused.to_string().contains(house.folder.path().to_str().unwrap()), "no path of the node's is told");
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    assert!(house.fetch(who("wei"), id).await.is_ok(), "it was kept all the time");
    fs::remove_file(&path).unwrap();
    assert_eq!(house.fetch(who("wei"), id).await.unwrap_err(), no_such_result());
}

#[tokio::test]
async fn an_expired_result_takes_room_until_its_file_is_gone() {
    let house = House::new(answer());
    house.ask(HOUR).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
    let path = house.folder.path().join(file_name(summary().query_id));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    house.clock.forward(3600);
    let expired = || house.results.ledger.lock().expired(house.clock.now());
    house.results.sweep();
    assert_eq!(expired(), [summary().query_id], "what cannot be removed is tried again");
    fs::remove_dir(&path).unwrap();
    house.results.sweep();
    assert!(expired().is_empty());
}
