//! A folder in memory that fails when told to, counts what is read, and knows what a power failure would leave.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::super::folder::{Folder, LogFile};

/// Part of the disk that survives a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// Everything that was written.
    Written,
    /// Only what was flushed.
    Flushed,
}

#[derive(Default)]
pub struct Memory {
    state: Mutex<State>,
    /// Wakes those who wait for a write.
    wrote: Condvar,
}

#[derive(Default)]
pub struct State {
    names: BTreeMap<String, usize>,
    /// The names as they were when the folder was last flushed.
    flushed_names: BTreeMap<String, usize>,
    files: Vec<Stored>,
    /// Number of operations that change something.
    pub operations: u64,
    /// Number of the operation at which the power fails: this and all later ones fail.
    pub power_fails_at: Option<u64>,
    /// Bytes that fit into all files; everything if not said.
    pub room: Option<usize>,
    pub sync_fails: bool,
    pub cut_fails: bool,
    /// Number of flushes of files.
    pub syncs: u64,
    /// A flush waits until so many lines were written.
    pub sync_waits_for: usize,
    pub bytes_read: u64,
}

#[derive(Default, Clone)]
struct Stored {
    bytes: Vec<u8>,
    flushed: usize,
    read_only: bool,
}

impl State {
    /// Counts an operation. Returns false if the power fails in it.
    fn has_power(&mut self) -> bool {
        self.operations += 1;
        self.power_fails_at.is_none_or(|at| self.operations < at)
    }

    fn operate(&mut self) -> io::Result<()> {
        if self.has_power() { Ok(()) } else { Err(io::Error::other("no power")) }
    }

    pub fn used(&self) -> usize {
        self.files.iter().map(|file| file.bytes.len()).sum()
    }

    fn lines(&self) -> usize {
        self.files.iter().map(|file| file.bytes.split(|byte| *byte == b'\n').count() - 1).sum()
    }

    pub fn text(&self, name: &str) -> Option<&[u8]> {
        Some(&self.files[*self.names.get(name)?].bytes)
    }

    pub fn is_read_only(&self, name: &str) -> bool {
        self.files[self.names[name]].read_only
    }
}

/// The file system's view: files are shared, so that a renamed file can still be written.
#[derive(Clone)]
pub struct Disk(pub Arc<Memory>);

impl Disk {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// The disk as it is found when the power is back.
    pub fn after_power_failure(&self, survives: Survives) -> Self {
        let state = self.state();
        let mut found = State::default();
        let names = if survives == Survives::Written { &state.names } else { &state.flushed_names };
        for (name, file) in names {
            let mut file = state.files[*file].clone();
            if survives == Survives::Flushed {
                file.bytes.truncate(file.flushed);
            }
            file.flushed = file.bytes.len();
            found.names.insert(name.clone(), found.files.len());
            found.files.push(file);
        }
        found.flushed_names.clone_from(&found.names);
        Self(Arc::new(Memory { state: Mutex::new(found), wrote: Condvar::new() }))
    }

    /// Writes the files into a folder, for readers.
    pub fn save(&self, folder: &Path) {
        let state = self.state();
        for (name, file) in &state.names {
            std::fs::write(folder.join(name), &state.files[*file].bytes).unwrap();
        }
    }

    fn file(&self, id: usize) -> Arc<dyn LogFile> {
        Arc::new(MemoryFile { disk: self.clone(), id })
    }
}

impl Folder for Disk {
    fn path(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn append(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let mut state = self.state();
        state.operate()?;
        let known = state.names.get(name).copied();
        let id = known.unwrap_or_else(|| {
            let id = state.files.len();
            state.files.push(Stored::default());
            state.names.insert(name.to_owned(), id);
            id
        });
        assert!(!state.files[id].read_only, "{name} is sealed");
        drop(state);
        Ok(self.file(id))
    }

    fn read(&self, name: &str) -> io::Result<Arc<dyn LogFile>> {
        let id = self.state().names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(id))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), id);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operate()?;
        state.flushed_names = state.names.clone();
        Ok(())
    }

    fn probe(&self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryFile {
    disk: Disk,
    id: usize,
}

impl LogFile for MemoryFile {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let has_power = state.has_power();
        let fits = if has_power {
            state.room.map_or(bytes.len(), |room| room.saturating_sub(state.used()).min(bytes.len()))
        } else if state.power_fails_at == Some(state.operations) {
            bytes.len() / 2
        } else {
            0
        };
        state.files[self.id].bytes.extend_from_slice(&bytes[..fits]);
        self.disk.0.wrote.notify_all();
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate()?;
        if state.sync_fails {
            return Err(io::Error::other("the disk is gone"));
        }
        // Bytes that are written while it runs need not survive.
        let length = state.files[self.id].bytes.len();
        while state.lines() < state.sync_waits_for {
            self.disk.0.wrote.wait(&mut state);
        }
        state.syncs += 1;
        let file = &mut state.files[self.id];
        file.flushed = file.flushed.max(length);
        Ok(())
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate()?;
        if state.cut_fails {
            return Err(io::Error::other("the disk is gone"));
        }
        let file = &mut state.files[self.id];
        file.bytes.truncate(usize::try_from(length).unwrap());
        file.flushed = file.flushed.min(file.bytes.len());
        Ok(())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let all = &state.files[self.id].bytes;
        let rest = &all[usize::try_from(offset).unwrap().min(all.len())..];
        let read = rest.len().min(bytes.len());
        bytes[..read].copy_from_slice(&rest[..read]);
        state.bytes_read += read as u64;
        Ok(read)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.id].bytes.len() as u64)
    }

    fn make_read_only(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.operate()?;
        state.files[self.id].read_only = true;
        Ok(())
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let name = path.to_str().unwrap();
        let id = self.disk.state().names.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
        Ok(id == self.id)
    }
}
