//! `wanqu up`: the federation that a folder of manifests describes, in this process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::args::UpArgs;
use super::check;
use super::escape;
use super::failure::{Failure, Outcome};
use super::render::cells::counted;
use super::running::{Roots, Running};
use super::state::{FederationState, StateDir};

/// Starts the federation and serves until it is interrupted.
pub async fn run(state: &StateDir, args: &UpArgs) -> Outcome {
    let resources = check::read(&args.manifests)?;
    let manifests = if args.manifests.is_dir() { Some(args.manifests.as_path()) } else { args.manifests.parent() };
    let base = args.data.as_deref().or(manifests).filter(|path| !path.as_os_str().is_empty());
    let base =
        std::path::absolute(base.unwrap_or(Path::new("."))).map_err(|e| Failure::file("find", &args.manifests, &e))?;
    let lock = state.take()?;
    let roots = Roots { base, of: BTreeMap::new() };
    let running = Running::start(state, lock, &resources, roots, args.ports).await?;
    let notes = format!("{}{}", unavailable(&running.unavailable), unasked(resources.queries.len()));
    super::put(&format!("{}\n{notes}{}", welcome(&running.state), hints()))?;
    running.stay().await
}

/// Returns the list of nodes with their gateways.
#[must_use]
pub fn welcome(state: &FederationState) -> String {
    let mut text = format!(
        "The federation {} is up: {}.\n\n",
        state.federation,
        counted(state.nodes.len() as u64, "jurisdiction")
    );
    for node in &state.nodes {
        let home = if node.jurisdiction == state.default_node { "  (asked unless --node says otherwise)" } else { "" };
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "  {:<7} {}{home}\n          {}",
            node.jurisdiction.as_str(),
            escape::line(&node.display_name),
            node.gateway
        );
    }
    text
}

/// Returns a note about the datasets that cannot be read.
fn unavailable(datasets: &[String]) -> String {
    if datasets.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = datasets.iter().map(|dataset| format!("  {}\n", escape::line(dataset))).collect();
    let lines = lines.concat();
    format!(
        "{} cannot be read, and queries over it are refused until it can (the log above names the file; --data names the \
         folder that relative data roots start from):\n{lines}\n",
        counted(datasets.len() as u64, "dataset")
    )
}

/// Returns a note about the `FederatedQuery` objects of the manifests, which only an operator asks.
fn unasked(queries: usize) -> String {
    if queries == 0 {
        return String::new();
    }
    format!(
        "{} among the manifests (FederatedQuery): not asked here, since only an operator asks them. Ask the same SQL with \
         `wanqu query`.\n\n",
        counted(queries as u64, "question")
    )
}

/// Returns the commands to try next.
#[must_use]
pub fn hints() -> &'static str {
    "From another terminal, with `wanqu` (or `cargo run --`):\n\n  \
     wanqu catalog\n  \
     wanqu query \"SELECT ...\"\n  \
     wanqu explain --policy \"SELECT ...\"\n  \
     wanqu audit --limit 10\n\n\
     Ctrl-C ends it.\n"
}
