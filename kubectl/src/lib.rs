//! `kubectl wanqu`: asks questions as `FederatedQuery` objects and brings their answers to a terminal.
//!
//! ```text
//! query    object made ─▶ watched to its end ─▶ answer ─▶ table, CSV, JSON, Parquet
//! result   an object's answer: from its ConfigMap, or else from the home node
//! list     what is asked here, and how it stands
//! ```
//!
//! It is a program of its own and not a part of `wanqu`, because it needs a client of Kubernetes and no engine, and `wanqu`
//! an engine and no Kubernetes.

pub mod answer;
pub mod args;
pub mod ask;
pub mod failure;
pub mod fetch;
pub mod list;
pub mod result;
pub mod rows;
pub mod session;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use failure::{Failure, Outcome};
use session::Session;

/// Reads the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    // Of the providers of cryptography that are compiled in, this one, and nobody asks which.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::failed(format!("cannot start: {error}")));
    runtime
        .and_then(|runtime| runtime.block_on(run(args)))
        .map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

/// Does what the command line says.
pub async fn run(args: Args) -> Outcome {
    let session = Session::open(&args.place).await?;
    match args.command {
        Command::Query(args) => ask::query(&session, &args).await,
        Command::Explain(args) => ask::explain(&session, &args).await,
        Command::Result(args) => result::run(&session, &args).await,
        Command::List => list::run(&session).await,
    }
}
