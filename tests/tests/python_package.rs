//! The package for Python: its sources, its tests against a federation, its pages, and its notebook.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use query_node::clock::Clock;
use serde_json::{Value, json};
use wanqu_cli::running::Running;
use wanqu_tests::federation::{Federation, HONG_KONG, MACAU, jid, researcher};
use wanqu_tests::health::HealthOptions;
use wanqu_tests::package::{self, Failed};
use wanqu_tests::world::World;

/// A clock that can be put forward.
#[derive(Default)]
struct Later(Mutex<SignedDuration>);

impl Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::now() + *self.0.lock()
    }
}

#[test]
fn the_sources_are_formatted_linted_and_typed() {
    for step in [&["ruff", "format", "--check", "."][..], &["ruff", "check", "."], &["mypy", "--strict"]] {
        let said = package::run(package::command().unwrap().arg("-m").args(step)).unwrap();
        assert!(!said.is_empty(), "{step:?} looked at nothing");
    }
}

/// A federation in which Macau's node has ended, and a token of its researcher that has expired.
async fn lacking(folder: &Path) -> (Federation, Value) {
    let clock = Arc::new(Later::default());
    let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let world = World::health(4, HealthOptions::default()).unwrap();
    let mut federation = Federation::start_with(world, |options| options.clock = shared).await.unwrap();
    federation.local.kill(&jid(MACAU)).unwrap();
    let token = |name: &str| {
        let token = federation.local.token(&jid(HONG_KONG), &researcher(), Duration::from_hours(1)).unwrap();
        fs::write(folder.join(name), token).unwrap();
        folder.join(name)
    };
    token("expired");
    *clock.0.lock() = SignedDuration::from_hours(2);
    let ca = folder.join("ca");
    fs::write(&ca, federation.local.ca(&jid(HONG_KONG)).unwrap()).unwrap();
    let described = json!({
        "gateway": federation.local.gateway(&jid(HONG_KONG)).unwrap().replace("127.0.0.1", "localhost"),
        "ca": ca,
        "token_file": token("token"),
        "project": "capacity",
        "purpose": "health-planning",
    });
    (federation, described)
}

/// What the tests of the package must know of a federation, as a file.
fn describe(running: &Running, lacking: &Value, state: &Path, folder: &Path) -> Result<(), Failed> {
    let node = |id: &str| running.state.nodes.iter().find(|node| node.jurisdiction.as_str() == id);
    let (Some(home), Some(other)) = (node("CN-SZ"), node("HK")) else { return Err("a member is missing".into()) };
    let [researcher, stranger, ..] = home.researchers.as_slice() else { return Err("somebody is missing".into()) };
    let project = researcher.projects.first().ok_or("there is no project")?;
    let described = json!({
        "gateway": home.gateway,
        "ca": home.ca,
        "other_ca": other.ca,
        "token": researcher.token,
        "stranger": stranger.token,
        "expired": folder.join("expired"),
        "project": project.name,
        "purpose": project.purposes.first().ok_or("there is no purpose")?,
        "state": state,
        "lacking": lacking,
    });
    Ok(fs::write(folder.join("federation.json"), described.to_string())?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_package_at_a_federation() {
    let (state, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let running = package::demo(state.path()).await.unwrap();
    let (_lacking, lacking) = lacking(folder.path()).await;
    describe(&running, &lacking, state.path(), folder.path()).unwrap();
    let (state, folder) = (state.path().to_owned(), folder.path().to_owned());
    tokio::task::spawn_blocking(move || {
        own_tests(&folder.join("federation.json"));
        pages(&state);
        notebook(&state);
    })
    .await
    .unwrap();
    running.end().await;
}

/// Runs the tests of the package. Not one is skipped.
fn own_tests(federation: &Path) {
    let mut command = package::command().unwrap();
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).env("WANQU_TEST_FEDERATION", federation);
    let said = package::run(&mut command).unwrap();
    let last = said.lines().rfind(|line| !line.is_empty()).unwrap_or_default();
    let count: usize = last.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 140 && last.contains(" passed in "), "{said}");
}

/// Runs the blocks of Python on each page one after the other.
fn pages(state: &Path) {
    for page in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(package::folder().join(page)).unwrap();
        let blocks: Vec<&str> =
            text.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()).collect();
        assert!(blocks.len() >= 5, "{page} has few examples");
        let mut command = package::command().unwrap();
        command.args(["-c", &blocks.join("\n")]).env("WANQU_HOME", state);
        let said = package::run(&mut command).unwrap();
        assert!(said.contains("jurisdiction") && said.contains("GROUP BY"), "{page}: {said}");
    }
}

/// Runs the notebook, and looks at what it shows: rows that lack a part are marked, and a refusal says what passes.
fn notebook(state: &Path) {
    let file = package::folder().join("../examples/notebook/gba.ipynb");
    let committed: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let code = |notebook: &Value| {
        let cells = notebook["cells"].as_array().unwrap().clone();
        cells.into_iter().filter(|cell| cell["cell_type"] == "code").collect::<Vec<_>>()
    };
    assert!(code(&committed).iter().all(|cell| cell["outputs"] == json!([])), "it is kept without what it showed");
    let shown = package::notebook(&file, state).unwrap();
    let outputs: Vec<String> = code(&shown).iter().map(|cell| cell["outputs"].to_string()).collect();
    assert!(outputs.iter().all(|output| !output.contains("\"error\"")), "{outputs:?}");
    for text in [
        "gba.health.visits",
        "at least 10 units (gba, macau-people)",
        "<tr class=\\\"wanqu-lacks\\\"><td>nuclear_medicine</td>",
        "not-an-aggregate, CN-SZ",
        "ask for groups of people",
        "cardiology {'0-14'",
    ] {
        assert!(outputs.iter().any(|output| output.contains(text)), "{text} is not in {outputs:?}");
    }
}
