//! `wanqu`: one SQL query over several jurisdictions.

use std::process::ExitCode;

fn main() -> ExitCode {
    wanqu_cli::main()
}
