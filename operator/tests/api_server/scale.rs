//! A federation of the size of the Bay Area's public bodies: 78 jurisdictions and custodians, 1,095 datasets. The real
//! binary runs, so that its memory is its own.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use wanqu_testbed::Mark;
use wanqu_testing::until;

use crate::bed::{Bed, OPERATOR, condition};

const JURISDICTIONS: usize = 78;
const DATASETS: usize = 1_095;

/// Ends the process whatever ends the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn start(bed: &Bed) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_wanqu-operator"))
            .args(["--node-image", "wanqu:test", "--observe", "127.0.0.1:0", "--operator-namespace", "gba"])
            .args(["--lease-seconds", "60", "--instance", "scale"])
            .env("KUBECONFIG", bed.login().path())
            .env("RUST_LOG", "warn")
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// The most memory that it ever had resident, in MiB.
    fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

fn id(number: usize) -> String {
    format!("CN-{number:02}")
}

fn jurisdictions() -> Vec<Value> {
    let ids: Vec<String> = (0..JURISDICTIONS).map(id).collect();
    let mut documents = vec![json!({
        "apiVersion": "wanqu.dev/v1alpha1", "kind": "Federation", "metadata": {"name": "gba"},
        "spec": {"trustDomain": "gba.example", "members": ids},
    })];
    documents.extend((0..JURISDICTIONS).map(|number| {
        json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "Jurisdiction", "metadata": {"name": format!("j{number}")},
            "spec": {"id": id(number), "sqlName": format!("j{number}")},
        })
    }));
    documents
}

fn datasets() -> Vec<Value> {
    let dataset = |number: usize| {
        let columns: Vec<Value> = (0..12)
            .map(|column| json!({"name": format!("c{column}"), "type": "int64", "class": "measure", "unit": "CNY"}))
            .chain([json!({"name": "person", "type": "string", "class": "identifier"})])
            .collect();
        json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "Dataset", "metadata": {"name": format!("d{number}")},
            "spec": {
                "jurisdiction": id(number % JURISDICTIONS), "custodian": format!("Bureau {}", number % JURISDICTIONS),
                "table": format!("domain{}.t{number}", number % 7), "privacyUnit": "person", "columns": columns,
                "source": {"files": {"path": format!("t{number}.parquet"), "format": "parquet"}},
            },
        })
    };
    (0..DATASETS).map(dataset).collect()
}

async fn apply_all(bed: &Bed, documents: Vec<Value>) {
    stream::iter(documents).for_each_concurrent(16, async |document| bed.apply(&document.to_string()).await).await;
}

#[tokio::test]
async fn seventy_eight_jurisdictions_with_a_thousand_datasets_settle_and_then_cost_nothing() {
    let bed = Bed::start().await;
    let program = Program::start(&bed);
    apply_all(&bed, jurisdictions()).await;
    apply_all(&bed, datasets()).await;
    let begun = Instant::now();
    until("everything being in order", Duration::from_mins(10), async || {
        let sets = bed.api("StatefulSet", "gba").list_metadata(&<_>::default()).await.unwrap().items.len();
        let list = bed.api("Dataset", "gba").list(&<_>::default()).await.unwrap();
        let ready = |object: &&kube::api::DynamicObject| {
            let value = serde_json::to_value(object).unwrap();
            condition(&value, "Ready").is_some_and(|condition| condition["status"] == "True")
        };
        let datasets = list.items.iter().filter(ready).count();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let all = sets == JURISDICTIONS && datasets == DATASETS;
        all.then_some(()).ok_or_else(|| format!("{sets} workloads, {datasets} datasets"))
    })
    .await;
    bed.until_quiet(Duration::from_secs(5)).await;
    let settled = begun.elapsed();
    let calls = bed.plane.audit().since(Mark::default()).unwrap();
    let calls: Vec<_> = calls.iter().filter(|request| request.user.username == OPERATOR).collect();
    let writes = calls.iter().filter(|request| request.is_write()).count();

    let mark = bed.plane.audit().mark().unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let after = bed.writes_since(mark).len();
    let memory = program.most_memory();
    println!(
        "{JURISDICTIONS} jurisdictions, {DATASETS} datasets: settled {settled:.1?} after the last manifest; {} calls, {writes} \
         writes; {memory} MiB at most; {after} writes in the minute after",
        calls.len(),
    );
    assert!(memory < 150, "{memory} MiB");
    assert_eq!(after, 0);
}
