//! `wanqu`: one SQL query over several jurisdictions.

use std::process::ExitCode;

fn main() -> ExitCode {
    query_node::cli::main()
}
