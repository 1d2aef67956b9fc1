//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use wanqu_crds::names::{JurisdictionId, Purpose, ResourceName};

use crate::rows::Format;

/// Ask over the federation from a Kubernetes cluster.
///
/// Exit codes: 0 answered; 1 failed; 2 the command line is wrong; 3 refused by a rule; 4 a jurisdiction is missing; 130
/// interrupted.
#[derive(Debug, Parser)]
#[command(name = "kubectl-wanqu", bin_name = "kubectl wanqu", version, max_term_width = 110)]
pub struct Args {
    /// Which cluster and namespace.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Which cluster and namespace; as for kubectl itself.
#[derive(Debug, Default, ClapArgs)]
pub struct PlaceArgs {
    /// The federation's namespace [default: that of the context].
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// A context of the kubeconfig [default: the current one].
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config].
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask, wait, and show the answer. Ctrl-C cancels, at the owners too.
    Query(QueryArgs),
    /// Show what would be sent to whom, without asking.
    Explain(ExplainArgs),
    /// Show the answer of a query that was asked before.
    Result(ResultArgs),
    /// List the queries of the namespace.
    List,
}

/// In whose project, and where.
#[derive(Debug, ClapArgs)]
pub struct HomeArgs {
    /// The jurisdiction at whose node it is asked.
    #[arg(long, value_name = "ID")]
    pub from: JurisdictionId,
    /// The research project.
    #[arg(long, value_name = "NAME", requires = "purpose")]
    pub project: Option<ResourceName>,
    /// Why you ask.
    #[arg(long, value_name = "PURPOSE", requires = "project")]
    pub purpose: Option<Purpose>,
}

/// Where rows go, and how.
#[derive(Debug, Default, Clone, ClapArgs)]
pub struct RowsArgs {
    /// How to write the rows.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the rows to a file; it appears only once the answer is whole.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Neither progress nor account; what is missing is still said.
    #[arg(short, long)]
    pub quiet: bool,
    /// Where the home node's gateway can be reached, `host:port` [default: through `kubectl port-forward`].
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Option<String>,
}

/// What `query` takes.
#[derive(Debug, ClapArgs)]
pub struct QueryArgs {
    /// The query.
    #[arg(value_name = "SQL")]
    pub sql: String,
    /// In whose project, and where.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Answer even if a jurisdiction is missing, and say which.
    #[arg(long)]
    pub partial: bool,
    /// Add a column that marks the rows which may lack an owner's part.
    #[arg(long)]
    pub mark_incomplete: bool,
    /// How long the object and the kept answer stay after it finished, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(60..=2_592_000))]
    pub ttl: u32,
    /// Where rows go, and how.
    #[command(flatten)]
    pub rows: RowsArgs,
}

/// What `explain` takes.
#[derive(Debug, ClapArgs)]
pub struct ExplainArgs {
    /// The query.
    #[arg(value_name = "SQL")]
    pub sql: String,
    /// In whose project, and where.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Show, for each column and operator, the rule of each owner that admits or refuses it.
    #[arg(long)]
    pub policy: bool,
    /// Where rows go, and how.
    #[command(flatten)]
    pub rows: RowsArgs,
}

/// What `result` takes.
#[derive(Debug, ClapArgs)]
pub struct ResultArgs {
    /// The name of the query.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The run of a schedule [default: the latest that was answered].
    #[arg(long, value_name = "NUMBER")]
    pub run: Option<u32>,
    /// Where rows go, and how.
    #[command(flatten)]
    pub rows: RowsArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_query_says_from_where_and_project_and_purpose_together() {
        let parse = |line: &[&str]| Args::try_parse_from([&["kubectl-wanqu"], line].concat());
        let line = ["query", "SELECT 1", "--from", "HK", "--project", "care", "--purpose", "planning", "-n", "gba"];
        let args = parse(&line).unwrap();
        assert_eq!(args.place.namespace.as_deref(), Some("gba"));
        let Command::Query(query) = args.command else { panic!("not a query") };
        assert_eq!((query.home.from.as_str(), query.ttl), ("HK", 3600));
        for wrong in [
            &["query", "SELECT 1"][..],
            &["query", "SELECT 1", "--from", "hk"],
            &["query", "SELECT 1", "--from", "HK", "--project", "care"],
            &["result"],
            &["result", "x", "--format", "xml"],
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
