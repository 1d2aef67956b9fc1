//! The arguments of `kubectl wanqu`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};

use crate::args::{EXIT_CODES, Format, RowsArgs, SqlArgs};

const QUERY_EXAMPLES: &str = "\
Examples:
  kubectl wanqu query --from HK --project cross-border-care --purpose health-planning \\
    \"SELECT jurisdiction, count(*) AS visits FROM gba.health.visits GROUP BY jurisdiction\"
  kubectl wanqu query --from HK --file monthly.sql --format parquet --output visits.parquet
  kubectl wanqu query --from HK --inline-rows 0 --file monthly.sql";

const RESULT_EXAMPLES: &str = "\
Examples:
  kubectl wanqu result monthly
  kubectl wanqu result monthly --run 3 --format csv > march.csv
  kubectl wanqu result monthly --gateway gateway.hk.example:8443";

/// Query the federation from a Kubernetes cluster.
///
/// Each query is an object of kind `FederatedQuery`, created in your name; its answer is printed here. The plugin is `wanqu`
/// under the name `kubectl-wanqu`, which kubectl finds on the PATH.
#[derive(Debug, Parser)]
#[command(name = "kubectl-wanqu", bin_name = "kubectl wanqu", version, max_term_width = 110, after_long_help = EXIT_CODES)]
pub struct Args {
    /// Cluster, namespace and user.
    #[command(flatten)]
    pub target: TargetArgs,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// Cluster, namespace and user, passed on to kubectl.
#[derive(Debug, Default, ClapArgs)]
pub struct TargetArgs {
    /// The federation's namespace [default: that of the context].
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// A context of the kubeconfig [default: the current one].
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// A cluster of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME")]
    pub cluster: Option<String>,
    /// A user of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, or ~/.kube/config].
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Act as another user, if you may.
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Act as a member of a group, if you may; can be repeated.
    #[arg(long = "as-group", global = true, value_name = "GROUP", requires = "impersonate")]
    pub impersonate_groups: Vec<String>,
    /// The kubectl to run.
    #[arg(long, global = true, value_name = "PROGRAM", env = "WANQU_KUBECTL", default_value = "kubectl")]
    pub kubectl: OsString,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask, wait, and show the answer. Ctrl-C cancels, at the owners too.
    #[command(after_help = QUERY_EXAMPLES, after_long_help = format!("{QUERY_EXAMPLES}\n\n{EXIT_CODES}"))]
    Query(QueryArgs),
    /// Show how a query would be split and merged, or which rules admit or refuse it; nothing is run.
    #[command(after_long_help = EXIT_CODES)]
    Explain(ExplainArgs),
    /// Show the answer of an earlier query.
    #[command(after_help = RESULT_EXAMPLES, after_long_help = format!("{RESULT_EXAMPLES}\n\n{EXIT_CODES}"))]
    Result(ResultArgs),
    /// List the queries of the namespace with their state.
    #[command(after_long_help = EXIT_CODES)]
    List(ListArgs),
}

/// Home node, project and purpose.
#[derive(Debug, ClapArgs)]
pub struct HomeArgs {
    /// The jurisdiction whose node answers: the home node.
    #[arg(long, value_name = "ID")]
    pub from: JurisdictionId,
    /// The research project. Not needed if only public tables are read.
    #[arg(long, value_name = "NAME", requires = "purpose", env = "WANQU_PROJECT")]
    pub project: Option<ResourceName>,
    /// The purpose of the query. Not needed if only public tables are read.
    #[arg(long, value_name = "PURPOSE", requires = "project", env = "WANQU_PURPOSE")]
    pub purpose: Option<Purpose>,
}

/// Connection to the home node, for answers that it keeps.
#[derive(Debug, Default, ClapArgs)]
pub struct HomeGatewayArgs {
    /// Address of the home node's gateway, for answers that it keeps [default: through `kubectl port-forward`].
    #[arg(long, value_name = "HOST:PORT")]
    pub gateway: Option<String>,
}

/// Arguments of `query`.
#[derive(Debug, ClapArgs)]
pub struct QueryArgs {
    /// The SQL text, or the file that holds it.
    #[command(flatten)]
    pub sql: SqlArgs,
    /// Home node, project and purpose.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The name of the object [default: `ask-` and five letters].
    #[arg(long, value_name = "NAME")]
    pub name: Option<ResourceName>,
    /// Answer even if a jurisdiction is missing, and say which.
    #[arg(long, env = "WANQU_PARTIAL")]
    pub partial: bool,
    /// Add a column that marks the rows which may lack an owner's part.
    #[arg(long)]
    pub mark_incomplete: bool,
    /// Most rows of an answer that is kept in a `ConfigMap`, for whoever may read those of the namespace; 0 leaves every
    /// answer at the home node, which gives it to you alone.
    #[arg(long, value_name = "ROWS", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=10_000))]
    pub inline_rows: u32,
    /// Seconds for which the object and the kept answer stay after the query has finished.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(60..=2_592_000))]
    pub ttl: u32,
    /// Connection to the home node.
    #[command(flatten)]
    pub home_gateway: HomeGatewayArgs,
    /// Format and place of the rows.
    #[command(flatten)]
    pub rows: RowsArgs,
}

/// Arguments of `explain`.
#[derive(Debug, ClapArgs)]
pub struct ExplainArgs {
    /// The SQL text, or the file that holds it.
    #[command(flatten)]
    pub sql: SqlArgs,
    /// Home node, project and purpose.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Show, for each column and operator, the rule of each owner that admits or refuses it.
    #[arg(long)]
    pub policy: bool,
    /// Connection to the home node.
    #[command(flatten)]
    pub home_gateway: HomeGatewayArgs,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the output to a file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `result`.
#[derive(Debug, ClapArgs)]
pub struct ResultArgs {
    /// The name of the query.
    #[arg(value_name = "NAME")]
    pub name: ResourceName,
    /// Number of the run, for a scheduled query [default: the latest that was answered].
    #[arg(long, value_name = "NUMBER")]
    pub run: Option<u32>,
    /// Connection to the home node.
    #[command(flatten)]
    pub home_gateway: HomeGatewayArgs,
    /// Format and place of the rows.
    #[command(flatten)]
    pub rows: RowsArgs,
}

/// Arguments of `list`.
#[derive(Debug, Default, ClapArgs)]
pub struct ListArgs {
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the output to a file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl TargetArgs {
    /// Returns the flags with which kubectl speaks to this server as this user.
    #[must_use]
    pub fn flags(&self) -> Vec<OsString> {
        let texts = [
            ("namespace", &self.namespace),
            ("context", &self.context),
            ("cluster", &self.cluster),
            ("user", &self.user),
            ("as", &self.impersonate),
        ];
        let texts = texts.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?.into())));
        let kubeconfig = self.kubeconfig.iter().map(|path| ("kubeconfig", path.into()));
        let groups = self.impersonate_groups.iter().map(|group| ("as-group", group.into()));
        let flag = |(name, value): (&str, OsString)| {
            let mut flag = OsString::from(format!("--{name}="));
            flag.push(value);
            flag
        };
        texts.chain(kubeconfig).chain(groups).map(flag).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from([&["kubectl-wanqu"], line].concat())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
        let help = Args::command().render_usage().to_string();
        assert!(help.contains("kubectl wanqu"), "{help}");
    }

    #[test]
    fn a_query_says_from_where_and_project_and_purpose_together() {
        let line = ["query", "SELECT 1", "--from", "HK", "--project", "care", "--purpose", "planning", "-n", "gba"];
        let args = parse(&line).unwrap();
        assert_eq!(args.target.namespace.as_deref(), Some("gba"));
        let Command::Query(query) = args.command else { panic!("not a query") };
        assert_eq!((query.home.from.as_str(), query.ttl, query.inline_rows), ("HK", 3600, 1000));
        for wrong in [
            &["query", "SELECT 1"][..],
            &["query", "SELECT 1", "--from", "hk"],
            &["query", "SELECT 1", "--from", "HK", "--project", "care"],
            &["query", "SELECT 1", "--from", "HK", "--ttl", "1"],
            &["query", "SELECT 1", "--from", "HK", "--inline-rows", "10001"],
            &["query", "SELECT 1", "--from", "HK", "--name=--all"],
            &["result"],
            &["result", "--", "--all"],
            &["result", "x", "--format", "xml"],
            &["list", "--as-group", "admins"],
            &[],
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn options_for_namespace_context_and_user_are_handed_on_to_kubectl() {
        let line = [
            "list",
            "-n",
            "gba",
            "--context=c",
            "--cluster",
            "k",
            "--user",
            "u",
            "--kubeconfig",
            "/k",
            "--as",
            "wei",
            "--as-group",
            "a",
            "--as-group=b",
        ];
        let expected = [
            "--namespace=gba",
            "--context=c",
            "--cluster=k",
            "--user=u",
            "--as=wei",
            "--kubeconfig=/k",
            "--as-group=a",
            "--as-group=b",
        ];
        assert_eq!(parse(&line).unwrap().target.flags(), expected);
        assert_eq!(parse(&["list"]).unwrap().target.flags(), [""; 0]);
    }
}
