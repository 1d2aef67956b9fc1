//! Long tasks of a whole operator: whichever ends, the operator does not go on without it.

mod api;

use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Parser;
use tokio::task::JoinSet;
use wanqu_http::Http;
use wanqu_operator::Settings;
use wanqu_operator::framework::Clock;
use wanqu_operator::run::RunError;

use api::Api;

/// The longest that anything may take on a machine that is busy.
const WITHIN: Duration = Duration::from_mins(1);

fn settings(observe: &str) -> Settings {
    let arguments = ["wanqu-operator", "--node-image=wanqu:test", "--operator-namespace=gba", "--lease-seconds=3"];
    Settings::parse_from(arguments.into_iter().chain(["--observe", observe]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_panics_ends_the_operator_with_an_error_that_names_it() {
    // Reconciliation reads the clock.
    let clock = Clock::new(|| panic!("a fault in a controller"));
    let run = wanqu_operator::run(Api::default().client(), settings("127.0.0.1:0"), clock, std::future::pending());
    let error = tokio::time::timeout(WITHIN, run).await.expect("it does not go on").unwrap_err();
    assert!(matches!(error, RunError::Lead(_)));
    assert_eq!(error.to_string(), "the controller of Federation panicked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_refused_is_counted_until_it_is_established_again() {
    let api = Api::default();
    api.refuses_datasets.store(true, Ordering::Relaxed);
    let address = wanqu_testing::free_address().to_string();
    let (client, settings) = (api.client(), settings(&address));
    let mut operators = JoinSet::new();
    operators.spawn(wanqu_operator::run(client, settings, Clock::system(), std::future::pending()));
    let http = Http::new();
    let until = async |line: &str| {
        wanqu_testing::until(&format!("/metrics saying {line}"), WITHIN, async || {
            let metrics = http.get(&address, "/metrics").await;
            let text = metrics.map(|(_, body)| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default();
            if text.lines().any(|found| found == line) { Ok(()) } else { Err(text) }
        })
        .await;
    };
    until("wanqu_operator_failing_tasks{task=\"watch of Dataset\"} 1").await;
    api.refuses_datasets.store(false, Ordering::Relaxed);
    until("wanqu_operator_failing_tasks{task=\"watch of Dataset\"} 0").await;
}
