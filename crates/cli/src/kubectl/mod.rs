//! `kubectl wanqu`: asks questions as `FederatedQuery` objects and brings their answers to a terminal.
//!
//! ```text
//! query    object made ─▶ watched to its end ─▶ answer ─▶ table, CSV, JSON, Parquet
//! result   an object's answer: from its ConfigMap, or else from the home node
//! list     what is asked here, and how it stands
//! ```
//!
//! The plugin is `wanqu` under the name `kubectl-wanqu`. It speaks to the API server by running the kubectl whose plugin it
//! is: contexts, credentials and proxies are as the user configured them, and the engine's crate needs no client of
//! Kubernetes.

mod answer;
pub mod args;
mod ask;
mod fetch;
mod interrupt;
mod list;
mod program;
mod result;
mod stands;
mod watch;

use std::ffi::OsStr;
use std::path::Path;

use super::failure::Outcome;
use args::{Args, Command};
use interrupt::Interrupt;
use program::Kubectl;

/// The name under which kubectl looks for the plugin.
const NAME: &str = "kubectl-wanqu";

/// The kind of the questions, as kubectl is told of it.
const QUERIES: &str = "federatedqueries.wanqu.dev";

/// Where their API is.
const COLLECTION: &str = "/apis/wanqu.dev/v1alpha1";

/// Whether a program that was started as `program` is the plugin.
#[must_use]
pub fn is_called(program: &OsStr) -> bool {
    Path::new(program).file_name().is_some_and(|name| name == NAME)
}

/// Does what the command line says.
pub async fn run(args: Args) -> Outcome {
    let kubectl = Kubectl::new(&args.place);
    let mut interrupt = Interrupt::listen()?;
    match args.command {
        Command::Query(args) => ask::query(&kubectl, &args, &mut interrupt).await,
        Command::Explain(args) => ask::explain(&kubectl, &args, &mut interrupt).await,
        Command::Result(args) => interrupt.or(result::run(&kubectl, &args)).await,
        Command::List(args) => interrupt.or(list::run(&kubectl, &args)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_program_says_what_it_is() {
        for plugin in ["kubectl-wanqu", "/usr/local/bin/kubectl-wanqu", "./kubectl-wanqu"] {
            assert!(is_called(OsStr::new(plugin)), "{plugin}");
        }
        for other in ["wanqu", "/opt/kubectl-wanqu/wanqu", "kubectl", "kubectl-wanqu-other", ""] {
            assert!(!is_called(OsStr::new(other)), "{other}");
        }
    }
}
