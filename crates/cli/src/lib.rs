//! The command line `wanqu`: starts a local federation, and queries one that runs. Under the name `kubectl-wanqu` it is a
//! plugin of kubectl.

pub mod args;
pub mod audit;
pub mod catalog;
pub mod check;
pub mod connect;
pub mod deliver;
mod demo;
mod escape;
pub mod failure;
pub mod input;
pub mod kubectl;
pub mod local;
pub mod query;
mod ready;
mod receipts;
pub mod reference;
#[cfg(test)]
mod reference_node;
pub mod render;
pub mod running;
mod samples;
pub mod state;
mod steps;
pub mod tour;
mod up;

use query_node::telemetry::log_filter;
use std::io::{self, Write};
use std::process::ExitCode;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

use clap::{CommandFactory, Parser};

use args::{Args, Command, DemoArgs};
use failure::{Failure, Outcome};
use state::StateDir;

/// Parses the command line, runs its command, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    if std::env::args_os().next().is_some_and(|program| kubectl::is_called(&program)) {
        let args = kubectl::args::Args::parse();
        return finish(kubectl::run(args));
    }
    finish(run(Args::parse()))
}

/// Runs a command to its end and returns the exit code.
fn finish(command: impl Future<Output = Outcome>) -> ExitCode {
    start_log();
    let outcome =
        tokio::runtime::Runtime::new().map_err(|e| Failure::failed(format!("cannot start: {e}"))).and_then(|runtime| {
            let outcome = runtime.block_on(command);
            // A thread that waits for standard input would keep the process alive.
            runtime.shutdown_background();
            outcome
        });
    outcome.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

async fn run(args: Args) -> Outcome {
    let state = StateDir::locate(args.state.as_deref());
    match args.command.unwrap_or_else(|| Command::Demo(DemoArgs::default())) {
        Command::Demo(args) => demo::run(&state?, &args).await,
        Command::Up(args) => up::run(&state?, &args).await,
        Command::Check(args) => check::run(&args.manifests),
        Command::Query(args) => query::query(&state?, &args).await,
        Command::Explain(args) => query::explain(&state?, &args).await,
        Command::Catalog(args) => catalog::run(&state?, &args).await,
        Command::Receipts(args) => receipts::run(&state?, &args),
        Command::Audit(args) => audit::run(&state?, &args),
        Command::Samples(args) => samples::run(&args).await,
        Command::Ready(args) => ready::run(&args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "wanqu", &mut script);
            put_bytes(&script)
        }
        Command::Reference => put(&reference::markdown()),
    }
}

/// Starts logging to standard error; only warnings unless `RUST_LOG` names another level.
fn start_log() {
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr).without_time();
    // A second call in one process leaves the log of the first.
    let _ = registry().with(log_filter("error,query_node=warn,wanqu=warn")).with(log).try_init();
}

/// Writes to standard output; `println!` would panic where nobody reads.
pub(crate) fn put(text: &str) -> Outcome {
    put_bytes(text.as_bytes())
}

fn put_bytes(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| Failure::output(&e))
}
