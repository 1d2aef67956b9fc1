//! `wanqu up`: the federation that a folder of manifests describes, in this process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::args::UpArgs;
use super::check;
use super::failure::{Failure, Outcome};
use super::render::cells::counted;
use super::running::{Roots, Running};
use super::state::{FederationState, StateDir};

/// Starts it and stays up.
pub async fn run(state: &StateDir, args: &UpArgs) -> Outcome {
    let resources = check::read(&args.manifests)?;
    let manifests = if args.manifests.is_dir() { Some(args.manifests.as_path()) } else { args.manifests.parent() };
    let base = args.data.as_deref().or(manifests).filter(|path| !path.as_os_str().is_empty());
    let base =
        std::path::absolute(base.unwrap_or(Path::new("."))).map_err(|e| Failure::file("find", &args.manifests, &e))?;
    let lock = state.take()?;
    let roots = Roots { base, of: BTreeMap::new() };
    let running = Running::start(state, lock, &resources, roots, args.ports).await?;
    super::put(&format!("{}\n{}{}", welcome(&running.state), unasked(resources.queries.len()), hints()))?;
    running.stay().await
}

/// Who listens where, and how to ask.
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
            node.display_name,
            node.gateway
        );
    }
    text
}

/// What is said of questions among the manifests: they are an operator's to ask.
fn unasked(queries: usize) -> String {
    if queries == 0 {
        return String::new();
    }
    format!(
        "{} among the manifests (FederatedQuery): not asked here. On a cluster the operator asks what is applied; here, ask \
         the same SQL by `wanqu query`.\n\n",
        counted(queries as u64, "question")
    )
}

/// What to do next.
#[must_use]
pub fn hints() -> &'static str {
    "From another terminal, with `wanqu` (or `cargo run --`):\n\n  \
     wanqu catalog\n  \
     wanqu query \"SELECT ...\"\n  \
     wanqu explain --policy \"SELECT ...\"\n  \
     wanqu audit --limit 10\n\n\
     Ctrl-C ends it.\n"
}
