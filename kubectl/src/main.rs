//! The plugin's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    wanqu_kubectl::main()
}
