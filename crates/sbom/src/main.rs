//! Prints the bill of materials of the workspace in the current folder: `wanqu-sbom [TARGET]`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let target = std::env::args().nth(1);
    match std::env::current_dir().map_err(Into::into).and_then(|folder| wanqu_sbom::bill(&folder, target.as_deref())) {
        Ok(bill) => {
            println!("{bill:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("wanqu-sbom: {error}");
            ExitCode::FAILURE
        }
    }
}
