//! Makes the sample data without a federation around it: `cargo run -p wanqu-samples --example generate -- DIR [VISITS [SEED]]`.

use std::path::PathBuf;
use std::process::ExitCode;

use wanqu_samples::Options;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(dir) = arguments.next().map(PathBuf::from) else {
        eprintln!("usage: generate DIR [VISITS [SEED]]");
        return ExitCode::from(2);
    };
    let mut options = Options::default();
    for field in [&mut options.visits, &mut options.seed] {
        match arguments.next().map(|text| text.parse()).transpose() {
            Ok(Some(value)) => *field = value,
            Ok(None) => {}
            Err(error) => {
                eprintln!("VISITS and SEED are numbers: {error}");
                return ExitCode::from(2);
            }
        }
    }
    let mut what = "";
    let report = &mut |progress: wanqu_samples::Progress| {
        if progress.what != what {
            what = progress.what;
            eprintln!("{what} ({} of {} rows done)", progress.done, progress.total);
        }
    };
    match wanqu_samples::ensure(&dir, &options, report) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
