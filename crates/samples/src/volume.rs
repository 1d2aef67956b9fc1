//! One city's sample data at the root of a volume: a folder that is a mount point cannot be put in another's place.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::city;
use crate::error::Error;
use crate::options::{Options, Progress};
use crate::places::{CITIES, City};
use crate::store::{MARKER, check, marker, remove};
use crate::visits::Population;
use crate::write::Tally;

/// The folder inside the volume in which data is written before it is moved up.
const PARTIAL: &str = ".wanqu-samples.partial";
/// Folder that file systems create in a volume themselves.
const OF_THE_DISK: &str = "lost+found";

/// Makes the sample data of one jurisdiction directly in a folder, unless just that is there. Returns whether it was made.
///
/// It is the same data that [`ensure`](crate::ensure) makes in the city's folder. The marker, written last, says that it is
/// whole; a run that was stopped is made up for by the next one.
pub fn ensure_city(
    dir: &Path,
    jurisdiction: &str,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<bool, Error> {
    check(options)?;
    let city = find(jurisdiction)?;
    let path = dir.join(MARKER);
    let whole = format!("{}city {}\n", marker(options), city.name);
    let is_whole = || wanqu_file::read_text(&path, wanqu_file::SMALL).is_ok_and(|text| text == whole);
    if is_whole() {
        return Ok(false);
    }
    fs::create_dir_all(dir).map_err(|error| Error::io(dir, error))?;
    if !path.exists() && holds_something(dir)? {
        return Err(Error::NotOurs(dir.to_owned()));
    }
    let failed = |error| Error::io(&path, error);
    // From here on the folder is ours, finished or not. The lock goes with the process.
    let lock = File::options().create(true).append(true).open(&path).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if is_whole() {
        return Ok(false);
    }
    fs::write(&path, "unfinished\n").map_err(failed)?;
    fill(dir, city, options, progress)?;
    fs::write(&path, whole).map_err(failed)?;
    Ok(true)
}

fn find(jurisdiction: &str) -> Result<&'static City, Error> {
    CITIES.iter().find(|city| city.jurisdiction == jurisdiction).ok_or_else(|| {
        let there: Vec<&str> = CITIES.iter().map(|city| city.jurisdiction).collect();
        Error::Options(format!("there is no sample data of {jurisdiction}; there is some of {}", there.join(", ")))
    })
}

fn holds_something(dir: &Path) -> Result<bool, Error> {
    let entries = fs::read_dir(dir).map_err(|error| Error::io(dir, error))?;
    Ok(entries.flatten().any(|entry| entry.file_name() != OF_THE_DISK))
}

/// Writes the data beside its place, then moves each of its folders there.
fn fill(dir: &Path, city: &'static City, options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
    let population = Population::new(city, options);
    let partial = dir.join(PARTIAL);
    remove(&partial)?;
    let mut tally = Tally::new(city::rows(&population, options), progress);
    city::write(&partial, &population, options, &mut tally)?;
    tally.finish();
    let moved = |error: io::Error| Error::io(dir, error);
    for entry in fs::read_dir(&partial).map_err(moved)? {
        let entry = entry.map_err(moved)?;
        let place = dir.join(entry.file_name());
        remove(&place)?;
        fs::rename(entry.path(), &place).map_err(moved)?;
    }
    remove(&partial)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet() -> impl FnMut(Progress) {
        |_| ()
    }

    #[test]
    fn a_volume_holds_what_the_folder_of_the_city_does() {
        let temp = tempfile::tempdir().unwrap();
        let (all, volume) = (temp.path().join("all"), temp.path().join("volume"));
        fs::create_dir_all(volume.join(OF_THE_DISK)).unwrap();
        crate::generate(&all, &Options::small(), &mut quiet()).unwrap();
        let mut last = Progress { what: "", done: 0, total: 1 };
        assert!(ensure_city(&volume, "HK", &Options::small(), &mut |progress| last = progress).unwrap());
        assert_eq!(last.done, last.total);
        for file in ["health/attendances.csv", "air/hourly.csv", "codes/specialties.csv", "finance/rates.csv"] {
            let same = fs::read(all.join("hongkong").join(file)).unwrap() == fs::read(volume.join(file)).unwrap();
            assert!(same, "{file}");
        }
        assert!(!volume.join(PARTIAL).exists());
        assert!(!ensure_city(&volume, "HK", &Options::small(), &mut quiet()).unwrap(), "it is there");
        let others = Options { seed: 2, ..Options::small() };
        assert!(ensure_city(&volume, "HK", &others, &mut quiet()).unwrap(), "other options, other data");
    }

    #[test]
    fn a_run_that_was_stopped_is_made_up_for() {
        let temp = tempfile::tempdir().unwrap();
        let stopped =
            std::panic::catch_unwind(|| ensure_city(temp.path(), "MO", &Options::small(), &mut |_| panic!("stopped")));
        assert!(stopped.is_err());
        assert!(ensure_city(temp.path(), "MO", &Options::small(), &mut quiet()).unwrap());
        assert!(temp.path().join("saude/consultas.ndjson").is_file());
    }

    #[test]
    fn other_data_and_other_jurisdictions_are_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("thesis.txt"), "mine").unwrap();
        let refused = ensure_city(temp.path(), "MO", &Options::small(), &mut quiet());
        assert!(matches!(refused, Err(Error::NotOurs(_))));
        let unknown = ensure_city(temp.path(), "TW", &Options::small(), &mut quiet()).unwrap_err().to_string();
        assert_eq!(unknown, "there is no sample data of TW; there is some of CN-SZ, HK, MO");
    }
}
