//! A cluster's number, held by a lock, and the clearing up after the cluster. A test process that was killed frees its
//! number; what its cluster left behind is cleared before the next one starts.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::leftovers;
use super::range::Range;
use crate::error::{Result, TestbedError};

/// Clears all that a cluster is besides its own processes, from its number and the folder of its state.
type Clear = fn(Range, &Path);

/// One cluster's number. When this is dropped, what the cluster made is cleared: its own processes must have ended.
#[derive(Debug)]
pub(super) struct Seat {
    range: Range,
    state: PathBuf,
    lock: File,
    clear: Clear,
}

impl Seat {
    /// Takes the first number that nobody holds, for a cluster that keeps its state in this folder.
    pub(super) fn take(state: &Path) -> Result<Self> {
        Self::take_in(Path::new("/run/wanqu-testbed"), state, leftovers::clear)
    }

    fn take_in(folder: &Path, state: &Path, clear: Clear) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(TestbedError::io(folder))?;
        let mut taken = None;
        for number in 1..=Range::MOST {
            let path = folder.join(number.to_string());
            if taken.is_some() && !path.exists() {
                break;
            }
            let open = OpenOptions::new().read(true).append(true).create(true).open(&path);
            let mut lock = open.map_err(TestbedError::io(&path))?;
            if lock.try_lock().is_err() {
                continue;
            }
            let range = Range::new(number);
            let mut left = String::new();
            lock.read_to_string(&mut left).map_err(TestbedError::io(&path))?;
            if !left.is_empty() {
                clear(range, Path::new(&left));
                lock.set_len(0).map_err(TestbedError::io(&path))?;
            }
            if taken.is_none() {
                // Written down for whoever must clear up, should this process be killed.
                lock.write_all(state.as_os_str().as_encoded_bytes()).map_err(TestbedError::io(&path))?;
                taken = Some(Self { range, state: state.to_owned(), lock, clear });
            }
        }
        taken.ok_or_else(|| TestbedError::Missing {
            program: "a free number for one more cluster".to_owned(),
            install: "end the tests that hold them all".to_owned(),
        })
    }

    pub(super) fn range(&self) -> Range {
        self.range
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        (self.clear)(self.range, &self.state);
        // If this fails, the next one clears what is not there.
        let _ = self.lock.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes in the state what would be cleared.
    fn note(range: Range, state: &Path) {
        let mut file = OpenOptions::new().create(true).append(true).open(state.join("cleared")).unwrap();
        writeln!(file, "{}", range.name()).unwrap();
    }

    fn cleared(state: &Path) -> String {
        std::fs::read_to_string(state.join("cleared")).unwrap_or_default()
    }

    #[test]
    fn each_cluster_has_a_number_and_is_cleared_up_after_once() {
        let (locks, state, killed) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let take = || Seat::take_in(locks.path(), state.path(), note).unwrap();
        let (first, second) = (take(), take());
        assert_eq!([first.range(), second.range()], [Range::new(1), Range::new(2)]);
        drop(first);
        assert_eq!(cleared(state.path()), "wanqu-1\n");
        assert_eq!(take().range(), Range::new(1), "a number is used again");
        drop(second);
        // As a process that was killed leaves it.
        std::fs::write(locks.path().join("2"), killed.path().as_os_str().as_encoded_bytes()).unwrap();
        drop(take());
        drop(take());
        assert_eq!(cleared(killed.path()), "wanqu-2\n");
    }
}
