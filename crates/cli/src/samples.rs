//! `wanqu samples`: the sample data of one jurisdiction, for a volume on a cluster.

use indicatif::ProgressBar;
use wanqu_samples::{Error, Options, Progress};

use super::args::SamplesArgs;
use super::failure::{Failure, Outcome};
use super::render::progress::bar;

/// Writes the data unless it is there already, and prints which of the two it was.
pub async fn run(args: &SamplesArgs) -> Outcome {
    let options = Options { visits: args.visits, seed: args.seed, ..Options::default() };
    let (dir, jurisdiction) = (args.into.clone(), args.jurisdiction.clone());
    let new = made(move |progress| wanqu_samples::ensure_city(&dir, jurisdiction.as_str(), &options, progress)).await?;
    let what = if new { "was written to" } else { "is there already, in" };
    super::put(&format!("The sample data of {} {what} {}.\n", args.jurisdiction, args.into.display()))
}

/// Generates sample data on a blocking thread and shows progress. Returns true if it had to be made.
pub async fn made<F>(make: F) -> Outcome<bool>
where
    F: FnOnce(&mut dyn FnMut(Progress)) -> Result<bool, Error> + Send + 'static,
{
    let work = tokio::task::spawn_blocking(move || {
        let mut shown: Option<ProgressBar> = None;
        let result = make(&mut |progress| {
            let bar = shown.get_or_insert_with(|| bar(progress.total, "making sample data"));
            bar.set_message(progress.what);
            bar.set_position(progress.done);
        });
        if let Some(bar) = shown {
            bar.finish_and_clear();
        }
        result
    });
    match work.await {
        Ok(made) => made.map_err(|error| Failure::failed(error.to_string())),
        Err(error) => Err(Failure::failed(format!("the sample data could not be made: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn samples_of_one_jurisdiction_are_written_once_and_touch_no_other_folder() {
        let folder = tempfile::tempdir().unwrap();
        let args = |id: &str| SamplesArgs {
            jurisdiction: id.parse().unwrap(),
            into: folder.path().join("data"),
            visits: 500,
            seed: 3,
        };
        run(&args("MO")).await.unwrap();
        let written = folder.path().join("data/saude/consultas.ndjson");
        let first = std::fs::metadata(&written).unwrap().modified().unwrap();
        run(&args("MO")).await.unwrap();
        assert_eq!(std::fs::metadata(&written).unwrap().modified().unwrap(), first);
        let failure = run(&args("XX")).await.unwrap_err();
        assert!(failure.to_string().contains("CN-SZ, HK, MO"), "{failure}");
    }
}
