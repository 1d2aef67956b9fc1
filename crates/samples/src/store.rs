//! The folder of sample data: made whole or not at all, and made again only when it has to be.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::city;
use crate::error::Error;
use crate::options::{Options, Progress};
use crate::places::CITIES;
use crate::visits::Population;
use crate::write::Tally;

/// Raised whenever the same options give other bytes.
const VERSION: u32 = 1;

/// The file that says what a folder of sample data was made from.
pub(crate) const MARKER: &str = ".wanqu-samples";

/// Makes the sample data unless the folder already holds just what the options ask for. Returns whether it was made.
///
/// Two processes that do this at once wait for each other.
pub fn ensure(dir: &Path, options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<bool, Error> {
    check(options)?;
    if is_current(dir, options) {
        return Ok(false);
    }
    let _lock = Lock::take(dir)?;
    if is_current(dir, options) {
        return Ok(false);
    }
    make(dir, options, progress)?;
    Ok(true)
}

/// Makes the sample data, in place of what an earlier call made there.
pub fn generate(dir: &Path, options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    check(options)?;
    let _lock = Lock::take(dir)?;
    make(dir, options, progress)
}

pub(crate) fn check(options: &Options) -> Result<(), Error> {
    if options.visits > Options::MAX_VISITS {
        let most = Options::MAX_VISITS;
        return Err(Error::Options(format!("{} visits are asked for; at most {most} can be made", options.visits)));
    }
    if options.air_days > Options::MAX_AIR_DAYS {
        let most = Options::MAX_AIR_DAYS;
        return Err(Error::Options(format!(
            "{} days of air are asked for; at most {most} can be made",
            options.air_days
        )));
    }
    Ok(())
}

pub(crate) fn marker(options: &Options) -> String {
    let Options { seed, visits, air_days, canaries } = options;
    format!("version {VERSION}\nseed {seed}\nvisits {visits}\nair-days {air_days}\ncanaries {canaries}\n")
}

fn is_current(dir: &Path, options: &Options) -> bool {
    wanqu_file::read_text(&dir.join(MARKER), wanqu_file::SMALL).is_ok_and(|text| text == marker(options))
}

fn make(dir: &Path, options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    let replaced = dir.exists();
    if replaced && !dir.join(MARKER).is_file() && !is_empty(dir) {
        return Err(Error::NotOurs(dir.to_owned()));
    }
    let partial = Partial::create(beside(dir, "partial"))?;
    write(&partial.0, options, progress)?;
    // An earlier run may have been ended between the two renames.
    let old = beside(dir, "old");
    remove(&old)?;
    if replaced {
        fs::rename(dir, &old).map_err(|error| Error::io(dir, error))?;
    }
    fs::rename(&partial.0, dir).map_err(|error| Error::io(dir, error))?;
    if replaced { remove(&old) } else { Ok(()) }
}

/// Writes all of it, and last the marker.
fn write(root: &Path, options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    let populations: Vec<Population> = CITIES.iter().map(|city| Population::new(city, options)).collect();
    let total = populations.iter().map(|population| city::rows(population, options)).sum();
    let mut tally = Tally::new(total, progress);
    for population in &populations {
        city::write(&root.join(population.city.name), population, options, &mut tally)?;
    }
    tally.finish();
    let path = root.join(MARKER);
    fs::write(&path, marker(options)).map_err(|error| Error::io(&path, error))
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// A hidden name next to the folder, on the same disk.
fn beside(dir: &Path, what: &str) -> PathBuf {
    let name = dir.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned());
    dir.with_file_name(format!(".{name}.{what}"))
}

pub(crate) fn remove(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io(dir, error)),
        _ => Ok(()),
    }
}

/// A folder that goes away again unless it was renamed.
struct Partial(PathBuf);

impl Partial {
    fn create(path: PathBuf) -> Result<Self, Error> {
        remove(&path)?;
        fs::create_dir_all(&path).map_err(|error| Error::io(&path, error))?;
        Ok(Self(path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing can be done about a folder that stays; the next run removes it first.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Held while a folder is being made. The system lets go of it when the process ends, however it ends.
struct Lock {
    _file: File,
}

impl Lock {
    fn take(dir: &Path) -> Result<Self, Error> {
        let path = beside(dir, "lock");
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
        }
        let file = File::create(&path).map_err(|error| Error::io(&path, error))?;
        file.lock().map_err(|error| Error::io(&path, error))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn quiet() -> impl FnMut(Progress) {
        |_| ()
    }

    /// Every file below a folder with its bytes.
    fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path.strip_prefix(dir).unwrap().to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    #[test]
    fn the_same_options_give_the_same_bytes() {
        let temp = tempfile::tempdir().unwrap();
        let (a, b, c) = (temp.path().join("a"), temp.path().join("b"), temp.path().join("c"));
        generate(&a, &Options::small(), &mut quiet()).unwrap();
        generate(&b, &Options::small(), &mut quiet()).unwrap();
        generate(&c, &Options { seed: 2, ..Options::small() }, &mut quiet()).unwrap();
        let (first, second, other) = (files(&a), files(&b), files(&c));
        assert_eq!(first.len(), 7 + 7 + 6 + 1, "{:?}", first.keys());
        assert!(first == second);
        let visits = Path::new("hongkong/health/attendances.csv");
        assert_ne!(first[visits], other[visits]);
    }

    #[test]
    fn data_is_made_once_and_again_for_other_options() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        let mut last = Progress { what: "", done: 0, total: 1 };
        assert!(ensure(&dir, &Options::small(), &mut |progress| last = progress).unwrap());
        assert_eq!(last.done, last.total);
        assert!(!ensure(&dir, &Options::small(), &mut quiet()).unwrap());
        assert!(ensure(&dir, &Options::small().with_canaries(), &mut quiet()).unwrap());
        let text = fs::read_to_string(dir.join("macau/saude/consultas.ndjson")).unwrap();
        assert!(text.contains("CANARY-NOTE-MO-1") && text.contains("765432.19"));
        let beside: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(beside.len(), 2, "{beside:?}");
    }

    #[test]
    fn every_text_canary_is_in_its_own_city_and_in_no_other() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        generate(&dir, &Options::small().with_canaries(), &mut quiet()).unwrap();
        let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
        let (hongkong, macau) = (read("hongkong/health/attendances.csv"), read("macau/saude/consultas.ndjson"));
        for (jurisdiction, text) in crate::canaries() {
            // Converted costs are in no file: a query makes them.
            let planted = !text.contains('.') || text.starts_with("876") || text.starts_with("765");
            assert_eq!(hongkong.contains(&text), jurisdiction == "HK" && planted, "{text}");
            assert_eq!(macau.contains(&text), jurisdiction == "MO" && planted, "{text}");
        }
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("thesis");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("chapter1.txt"), "mine").unwrap();
        assert!(matches!(ensure(&dir, &Options::small(), &mut quiet()), Err(Error::NotOurs(_))));
        assert_eq!(fs::read_to_string(dir.join("chapter1.txt")).unwrap(), "mine");
    }

    #[test]
    fn a_run_that_fails_leaves_nothing_half_made() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("data");
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            generate(&dir, &Options::small(), &mut |_| panic!("stopped"))
        }));
        assert!(stopped.is_err());
        assert!(!dir.exists() && !beside(&dir, "partial").exists());
        assert!(ensure(&dir, &Options::small(), &mut quiet()).unwrap());
        let too_many = Options { visits: Options::MAX_VISITS + 1, ..Options::small() };
        assert!(matches!(ensure(&dir, &too_many, &mut quiet()), Err(Error::Options(_))));
    }
}
