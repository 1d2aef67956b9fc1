//! The arguments of `wanqu`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};

/// Printed below every `--help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    failure
  2    wrong usage of the command line
  3    the query was refused
  4    a jurisdiction or the node is missing or too late: no answer, and rows that were written are not one
  5    --partial answered without a jurisdiction
  130  interrupted";

const QUERY_EXAMPLES: &str = "\
Examples:
  wanqu query \"SELECT jurisdiction, count(*) AS visits FROM gba.health.visits GROUP BY jurisdiction\"
  wanqu query --file monthly.sql --format csv > monthly.csv
  wanqu query --format parquet --output visits.parquet --file monthly.sql
  echo 'SELECT * FROM gba.health.facilities' | wanqu query --format json
  wanqu query --partial --mark-incomplete --node CN-SZ --project cross-border-care \\
    --purpose health-planning --file monthly.sql
  wanqu query --receipts monthly.receipts --file monthly.sql && wanqu receipts monthly.receipts";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  wanqu explain \"SELECT jurisdiction, avg(cost_cny) FROM gba.health.visits GROUP BY jurisdiction\"
  wanqu explain --policy --file monthly.sql";

const AUDIT_EXAMPLES: &str = "\
Examples:
  wanqu audit --node HK
  wanqu audit --node HK --refused --limit 20
  wanqu audit --node MO --verify
  wanqu audit --log /var/lib/wanqu/audit --format ndjson > hk-audit.ndjson
  wanqu audit --log /var/lib/wanqu/audit --verify /archive/hk-0";

const UP_EXAMPLES: &str = "\
Examples:
  wanqu up -f examples/gba
  wanqu up -f my-federation --data /srv/wanqu --gateway-port 32010";

const SAMPLES_EXAMPLES: &str = "\
Examples:
  wanqu samples --jurisdiction HK --into /data
  wanqu samples --jurisdiction MO --into /data --visits 20000";

const READY_EXAMPLES: &str = "\
Examples:
  wanqu ready wanqu-operator.wanqu-system:9090
  wanqu ready --wait 60 localhost:9090";

const EXAMPLES: &str = "\
Examples:
  wanqu                      start the demo: three jurisdictions in one process, and a tour
  wanqu demo --tour          the tour alone; succeeds only if every step comes out as it should
  wanqu check -f DIR         every problem of a folder of manifests, at once
  wanqu up -f DIR            start the federation that a folder of manifests describes
  wanqu catalog              the tables and columns that a query can name
  wanqu query \"SELECT ...\"   ask the federation that `demo` or `up` started";

/// One SQL query over several jurisdictions; raw records stay where they are.
///
/// Without a subcommand, `wanqu` runs `wanqu demo`.
#[derive(Debug, Parser)]
#[command(name = "wanqu", version, max_term_width = 110, after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Args {
    /// Folder of the local federation's keys, logs and sample data [default: `wanqu` in the user's state folder].
    #[arg(long, global = true, value_name = "DIR", env = "WANQU_HOME")]
    pub state: Option<PathBuf>,
    /// The command to run.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the federation that ships with wanqu, with sample data, and take a tour through it.
    #[command(after_long_help = EXIT_CODES)]
    Demo(DemoArgs),
    /// Start the federation that a folder of manifests describes, in this process.
    #[command(after_help = UP_EXAMPLES, after_long_help = format!("{UP_EXAMPLES}\n\n{EXIT_CODES}"))]
    Up(UpArgs),
    /// Check a folder of manifests and print every problem.
    #[command(after_long_help = EXIT_CODES)]
    Check(CheckArgs),
    /// Ask one SQL query.
    #[command(after_help = QUERY_EXAMPLES, after_long_help = format!("{QUERY_EXAMPLES}\n\n{EXIT_CODES}"))]
    Query(QueryArgs),
    /// Show how a query would be split and merged, or which rules admit or refuse it; nothing is run.
    #[command(after_help = EXPLAIN_EXAMPLES, after_long_help = format!("{EXPLAIN_EXAMPLES}\n\n{EXIT_CODES}"))]
    Explain(ExplainArgs),
    /// List the tables and columns that a query can name, with classes and rules.
    #[command(after_long_help = EXIT_CODES)]
    Catalog(CatalogArgs),
    /// Check what owners and a home node signed of an answer (`query --receipts`), offline, with the CAs' certificates alone.
    #[command(after_long_help = EXIT_CODES)]
    Receipts(ReceiptsArgs),
    /// Read an owner's log of releases and refusals.
    #[command(after_help = AUDIT_EXAMPLES, after_long_help = format!("{AUDIT_EXAMPLES}\n\n{EXIT_CODES}"))]
    Audit(AuditArgs),
    /// Write the synthetic sample data of one jurisdiction into a folder, such as the root of a mounted volume.
    ///
    /// The data is that of `wanqu demo`. A folder that holds it already is left unchanged; one that holds anything else is refused.
    #[command(after_help = SAMPLES_EXAMPLES, after_long_help = format!("{SAMPLES_EXAMPLES}\n\n{EXIT_CODES}"))]
    Samples(SamplesArgs),
    /// Ask a node or an operator at its observation port whether it is ready.
    ///
    /// Prints the answer; exits with 0 only if it is ready.
    #[command(after_help = READY_EXAMPLES, after_long_help = format!("{READY_EXAMPLES}\n\n{EXIT_CODES}"))]
    Ready(ReadyArgs),
    /// Print a shell's completion script.
    ///
    /// For bash: `wanqu completions bash > ~/.local/share/bash-completion/completions/wanqu`.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the reference of the command line as Markdown.
    #[command(hide = true)]
    Reference,
}

/// Arguments of `demo`.
#[derive(Debug, Default, ClapArgs)]
pub struct DemoArgs {
    /// Take the tour and stop; exit with 0 only if every step came out as it should.
    #[arg(long)]
    pub tour: bool,
    /// Folder of the sample data, which is made if it is missing [default: `gba/data` in the state folder].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Ports to listen on.
    #[command(flatten)]
    pub ports: PortArgs,
}

/// Ports of a local federation.
#[derive(Debug, Default, Clone, Copy, ClapArgs)]
pub struct PortArgs {
    /// The first gateway's port; the next members take the ports after it. 0 takes any free ports.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub gateway_port: u16,
    /// The first exchange's port; the next members take the ports after it. 0 takes any free ports.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub exchange_port: u16,
}

/// Arguments of `up`.
#[derive(Debug, ClapArgs)]
pub struct UpArgs {
    /// A manifest file, or a folder of them (.yaml, .yml, .json).
    #[arg(short = 'f', long = "filename", value_name = "DIR", required = true)]
    pub manifests: PathBuf,
    /// The folder that relative data roots of the manifests start from [default: the folder of the manifests].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Ports to listen on.
    #[command(flatten)]
    pub ports: PortArgs,
}

/// Arguments of `check`.
#[derive(Debug, ClapArgs)]
pub struct CheckArgs {
    /// A manifest file, or a folder of them (.yaml, .yml, .json).
    #[arg(short = 'f', long = "filename", value_name = "DIR", required = true)]
    pub manifests: PathBuf,
}

/// Arguments of `samples`.
#[derive(Debug, ClapArgs)]
pub struct SamplesArgs {
    /// The jurisdiction whose data to write: CN-SZ, HK or MO.
    #[arg(long, value_name = "ID")]
    pub jurisdiction: JurisdictionId,
    /// The folder to write to: empty, or with sample data in it.
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// Number of visits in all three jurisdictions together, of which this one gets its share.
    #[arg(long, value_name = "COUNT", default_value_t = wanqu_samples::Options::default().visits)]
    pub visits: u64,
    /// Seed of the random numbers; the same for every jurisdiction of a federation.
    #[arg(long, value_name = "SEED", default_value_t = wanqu_samples::Options::default().seed)]
    pub seed: u64,
}

/// Arguments of `ready`.
#[derive(Debug, ClapArgs)]
pub struct ReadyArgs {
    /// Its observation port.
    #[arg(value_name = "HOST:PORT")]
    pub address: String,
    /// Keep asking for this many seconds until it is ready.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
}

/// The gateway to ask, and the identity to ask with. None is needed for a federation that `demo` or `up` started here.
#[derive(Debug, Default, ClapArgs)]
pub struct GatewayArgs {
    /// The home node to ask: a jurisdiction of the local federation, such as HK [default: the federation's first].
    #[arg(long, value_name = "ID")]
    pub node: Option<JurisdictionId>,
    /// A gateway outside the local federation, `https://host:port`.
    #[arg(long, value_name = "URL", env = "WANQU_GATEWAY", conflicts_with = "node", requires_all = ["ca", "token_file"])]
    pub gateway: Option<String>,
    /// The PEM file of the CA that vouches for that gateway.
    #[arg(long, value_name = "FILE", env = "WANQU_CA")]
    pub ca: Option<PathBuf>,
    /// The file that holds the bearer token.
    #[arg(long, value_name = "FILE", env = "WANQU_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// The research project [default: in a local federation, the researcher's first].
    #[arg(long, value_name = "NAME", env = "WANQU_PROJECT")]
    pub project: Option<ResourceName>,
    /// The purpose of the query [default: in a local federation, the project's first].
    #[arg(long, value_name = "PURPOSE", env = "WANQU_PURPOSE")]
    pub purpose: Option<Purpose>,
}

/// The SQL text, or the file that holds it.
#[derive(Debug, Default, ClapArgs)]
pub struct SqlArgs {
    /// The query. Without it and without --file, it is read from standard input.
    #[arg(value_name = "SQL", conflicts_with = "file")]
    pub sql: Option<String>,
    /// Read the query from a file; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Formats of rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people, fitted to the terminal.
    #[default]
    Table,
    /// Comma-separated values with a header line (RFC 4180). NULL is nothing, an empty text is `""`.
    Csv,
    /// One array of objects. A float that JSON has no number for is a text: `"NaN"`, `"Infinity"`, `"-Infinity"`.
    Json,
    /// One object per line, with values as in `json`.
    Ndjson,
    /// Apache Parquet; needs --output.
    Parquet,
}

/// Format and place of an answer's rows.
#[derive(Debug, Default, Clone, ClapArgs)]
pub struct RowsArgs {
    /// The format of the rows; csv writes NULL as nothing, an empty text as `""` and a list as JSON (`["a, b",null]`), json
    /// and ndjson write NaN and the infinities as `"NaN"`, `"Infinity"` and `"-Infinity"`.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the rows to a file; it appears only once the answer is whole.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The most rows that a table shows; 0 for all.
    #[arg(long, value_name = "ROWS", default_value_t = 1000)]
    pub max_rows: usize,
    /// Print neither progress nor the account of the answer; warnings about missing parts are still printed.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Arguments of `query`.
#[derive(Debug, Default, ClapArgs)]
pub struct QueryArgs {
    /// The SQL text, or the file that holds it.
    #[command(flatten)]
    pub sql: SqlArgs,
    /// Which gateway to ask.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Answer even if a jurisdiction is missing, and say which.
    #[arg(long, env = "WANQU_PARTIAL")]
    pub partial: bool,
    /// Add a column that marks the rows which may lack an owner's part.
    #[arg(long)]
    pub mark_incomplete: bool,
    /// Format and place of the rows.
    #[command(flatten)]
    pub rows: RowsArgs,
    /// Write what the owners and the home node sign of the answer to a file: `wanqu receipts` checks it, and
    /// `wanqu audit --verify --held` checks an owner's log with it.
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
}

/// Arguments of `receipts`.
#[derive(Debug, Default, ClapArgs)]
pub struct ReceiptsArgs {
    /// File that `wanqu query --receipts` wrote.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Certificates of a jurisdiction's CA, PEM; one for each that signed [default: those of the local federation].
    #[arg(long, value_name = "FILE")]
    pub ca: Vec<PathBuf>,
}

/// Arguments of `explain`.
#[derive(Debug, Default, ClapArgs)]
pub struct ExplainArgs {
    /// The SQL text, or the file that holds it.
    #[command(flatten)]
    pub sql: SqlArgs,
    /// Which gateway to ask.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Show, for each column and operator, the rule of each owner that admits or refuses it.
    #[arg(long)]
    pub policy: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the output to a file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `catalog`.
#[derive(Debug, Default, ClapArgs)]
pub struct CatalogArgs {
    /// Show only tables whose name contains this, with their columns.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Which gateway to ask.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Read a node bundle from a file instead of asking a gateway.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["node", "gateway"])]
    pub bundle: Option<PathBuf>,
    /// Show the columns of every table.
    #[arg(long)]
    pub columns: bool,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write the output to a file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments of `audit`.
#[derive(Debug, Default, ClapArgs)]
pub struct AuditArgs {
    /// The owner whose log is read [default: the federation's first].
    #[arg(long, value_name = "ID")]
    pub node: Option<JurisdictionId>,
    /// Read the log in a folder, or one file of a log, instead.
    #[arg(long, value_name = "PATH", conflicts_with = "node")]
    pub log: Option<PathBuf>,
    /// Files of the same log that were moved away, or folders of them. The chain is followed through all.
    #[arg(value_name = "PATH")]
    pub archived: Vec<PathBuf>,
    /// Only entries of this query.
    #[arg(long, value_name = "UUID", value_parser = query_id)]
    pub query: Option<uuid::Uuid>,
    /// Only entries of this project.
    #[arg(long, value_name = "NAME")]
    pub project: Option<ResourceName>,
    /// Only entries from this time on, such as 2026-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<jiff::Timestamp>,
    /// Only refusals.
    #[arg(long)]
    pub refused: bool,
    /// Only the ends of other members' logs, as their nodes told them. With `--format ndjson` to a file, it is what such a member
    /// checks its log with (`--held`).
    #[arg(long, conflicts_with = "refused")]
    pub checkpoints: bool,
    /// Only the last ENTRIES entries that match; 0 for all.
    #[arg(long, value_name = "ENTRIES", default_value_t = 0)]
    pub limit: usize,
    /// Check that the log is whole: numbered without gaps, each entry chained to the one before, no file missing. The whole log
    /// is checked, and nothing of it is printed.
    #[arg(
        long,
        conflicts_with_all = ["query", "project", "since", "refused", "checkpoints", "limit", "format"],
    )]
    pub verify: bool,
    /// Check also that the log holds this entry, by its number and digest: of a release that somebody was given, or of the last
    /// entry that an earlier check found. It shows a log that was cut or written anew.
    #[arg(long, value_name = "SEQUENCE:DIGEST", requires = "verify")]
    pub expect: Vec<query_node::audit::Expected>,
    /// Check also that the log holds what others have of it: every end of it that another member was told, in a file that this
    /// one wrote with `wanqu audit --checkpoints --format ndjson`, and every release of a `wanqu query --receipts FILE`.
    #[arg(long, value_name = "FILE", requires = "verify")]
    pub held: Vec<PathBuf>,
    /// Check also that the log's own node signed these, by the certificates of its jurisdiction's CA.
    #[arg(long, value_name = "FILE", requires = "held")]
    pub ca: Option<PathBuf>,
    /// The output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Reads the id of a query.
fn query_id(text: &str) -> Result<uuid::Uuid, &'static str> {
    const FORM: &str = "the id of a query is a UUID, as its answer's account names it and as `wanqu audit --format csv` has it in the \
                        column `query`";
    text.parse().map_err(|_| FORM)
}

/// Reads a moment, with its offset from UTC.
fn moment(text: &str) -> Result<jiff::Timestamp, &'static str> {
    const FORM: &str =
        "a time is written with its offset from UTC, as in 2026-01-31T00:00:00Z or 2026-01-31T08:00:00+08:00";
    text.parse().map_err(|_| FORM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_an_audit_cannot_take_is_said_with_what_it_can() {
        let fault = |arguments: &[&str]| {
            let line = ["wanqu", "audit"].iter().chain(arguments);
            Args::try_parse_from(line).map(|_| ()).unwrap_err().to_string()
        };
        assert!(fault(&["--query", "zzz"]).contains("is a UUID"));
        assert!(fault(&["--since", "yesterday"]).contains("2026-01-31T00:00:00Z"));
        let digest = "a".repeat(64);
        for (expected, why) in [
            ("17", "SEQUENCE:DIGEST"),
            (&*format!("0:{digest}"), "begin at 1"),
            (&*format!("x:{digest}"), "begin at 1"),
            ("17:abc", "64 hexadecimal digits"),
        ] {
            let fault = fault(&["--verify", "--expect", expected]);
            assert!(fault.contains(why), "{fault}");
        }
        for ignored in [&["--checkpoints"] as &[_], &["--limit", "3"], &["--refused"], &["--format", "csv"]] {
            let fault = fault(&[&["--verify"], ignored].concat());
            assert!(fault.contains("cannot be used with"), "{fault}");
        }
    }

    #[test]
    fn no_subcommand_is_left_to_the_caller_to_read_as_demo() {
        let args = Args::try_parse_from(["wanqu"]).unwrap();
        assert!(args.command.is_none());
    }

    #[test]
    fn a_query_takes_its_flags_in_any_order() {
        let line = [
            "wanqu",
            "query",
            "--node",
            "CN-SZ",
            "SELECT 1",
            "--format",
            "csv",
            "--purpose",
            "health-planning",
            "--partial",
            "--state",
            "/tmp/x",
        ];
        let args = Args::try_parse_from(line).unwrap();
        assert_eq!(args.state, Some(PathBuf::from("/tmp/x")));
        let Some(Command::Query(query)) = args.command else { panic!("not a query") };
        assert_eq!(query.sql.sql.as_deref(), Some("SELECT 1"));
        assert_eq!(query.gateway.node.unwrap().as_str(), "CN-SZ");
        assert_eq!(query.rows.format, Format::Csv);
        assert!(query.partial && !query.mark_incomplete);
    }

    #[test]
    fn arguments_that_contradict_each_other_are_a_usage_error() {
        for line in [
            &["wanqu", "query", "SELECT 1", "--file", "x.sql"][..],
            &["wanqu", "query", "--node", "shenzhen", "SELECT 1"],
            &["wanqu", "query", "--gateway", "https://localhost:1", "SELECT 1"],
            &["wanqu", "query", "--format", "xml", "SELECT 1"],
            &["wanqu", "up"],
            &["wanqu", "check"],
            &["wanqu", "catalog", "--node", "HK", "--bundle", "b.json"],
            &["wanqu", "samples", "--jurisdiction", "HK"],
            &["wanqu", "ready", "--wait", "a while", "localhost:9090"],
        ] {
            let error = Args::try_parse_from(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }
}
