//! Tests of the chart: what it renders, what it refuses, and how it installs on a real API server.

mod access;
mod documents;
mod examples;
mod lint;
mod observed;
mod pods;
mod server;
mod switches;
mod values;

use std::sync::LazyLock;

use wanqu_chart_tests::{Helm, Rendered};

/// Renders the chart with its default values.
static DEFAULTS: LazyLock<Rendered> = LazyLock::new(|| Helm::new().template(&[]));

/// Renders the chart with `--set` of each of these.
fn with(sets: &[&str]) -> Rendered {
    let arguments: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    Helm::new().template(&arguments)
}
