//! Folders and files below a root, each opened from the folder that it lies in, so that no name is looked up twice.
//!
//! A path is walked one name at a time. No handle is opened through a link: a link is read as text and walked like any other
//! path, from the folder that it lies in. `..` leads to the folder that the walk came from, and never out of the root. So
//! whoever changes links, folders or files during a walk can make it fail, but cannot make it leave the root.
//!
//! `openat2` with `RESOLVE_BENEATH` does the same, but not for absolute links, which may lead below the root
//! (`docs/files.md`); nor is it on every system.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Deref;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, open, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::sources::own::{Id, LOOK, OwnFolders, id_of};
use crate::sources::{SourceFault, kernel};

/// Links that are followed on one path.
const MAX_LINKS: usize = 40;

/// Fault of a path, with the reason for the owner's log.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    pub fault: SourceFault,
    pub path: PathBuf,
    pub reason: String,
}

impl Problem {
    pub fn new(fault: SourceFault, path: impl Into<PathBuf>, reason: impl Display) -> Self {
        Self { fault, path: path.into(), reason: reason.to_string() }
    }

    fn of(error: Errno, path: PathBuf) -> Self {
        let fault = match error {
            Errno::NOENT => SourceFault::NoFile,
            // It was a file or folder when it was looked at, so that a link took its place.
            Errno::LOOP | Errno::NOTDIR => SourceFault::Changed,
            _ => SourceFault::Unreadable,
        };
        Self::new(fault, path, io::Error::from(error))
    }
}

/// Folder that no path leaves.
#[derive(Debug)]
pub struct Root {
    top: Arc<Folder>,
    /// Its canonical path, by which nothing is opened: for messages, and to tell its files from those of another root.
    path: PathBuf,
    /// Folders of the node's own.
    own: BTreeSet<Id>,
}

/// Open folder below a root.
#[derive(Debug)]
pub struct Folder {
    handle: File,
    pub id: Id,
    name: OsString,
    around: Option<Arc<Folder>>,
}

/// What a path leads to.
pub enum Reached {
    Folder(Arc<Folder>),
    File(SourceFile),
    /// Something else, at this path: a pipe, a device, a socket.
    Other(PathBuf),
}

/// State of one file of a source when it was listed. It holds nothing open, so that it can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Canonical path, for messages and order.
    pub path: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    /// Time of the last change of its content, which programs that copy files can set.
    pub modified: SystemTime,
    /// Time of the last change of the content or of anything else about the file.
    pub changed: SystemTime,
    /// Device and number of the file itself, whatever its names are.
    pub id: Id,
}

/// One file of a source, below a root that is held open for it. Not to be kept longer than a scan: a folder that is open cannot be
/// unmounted.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its state when it was listed.
    pub state: FileState,
    root: Arc<Root>,
    /// Path below the root, without links.
    below: PathBuf,
}

impl Deref for SourceFile {
    type Target = FileState;

    fn deref(&self) -> &FileState {
        &self.state
    }
}

impl PartialEq for SourceFile {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl Eq for SourceFile {}

impl Root {
    /// Opens a root by its name, links in it included.
    ///
    /// # Errors
    /// [`SourceFault::Path`] if there is no such folder, [`SourceFault::NodesOwn`] if it is not apart from those of the node.
    pub fn open(root: &str, own: &OwnFolders) -> Result<Arc<Self>, Problem> {
        let cannot = |error: io::Error| Problem::new(SourceFault::Path, root, error);
        let path = fs::canonicalize(root).map_err(cannot)?;
        let handle = open(root, LOOK | OFlags::DIRECTORY, Mode::empty()).map_err(|error| cannot(error.into()))?;
        let handle = File::from(handle);
        kernel::check(&handle).map_err(|reason| Problem::new(SourceFault::Path, root, reason))?;
        let own = own.apart_from(&handle).map_err(|reason| Problem::new(SourceFault::NodesOwn, root, reason))?;
        let id = id_of(&handle).map_err(cannot)?;
        let top = Arc::new(Folder { handle, id, name: OsString::new(), around: None });
        Ok(Arc::new(Self { top, path, own }))
    }

    /// Returns the root itself as a folder.
    pub fn top(&self) -> &Arc<Folder> {
        &self.top
    }

    /// Returns the path of a folder, for messages.
    pub fn path_to(&self, folder: &Folder) -> PathBuf {
        self.path.join(folder.below())
    }

    /// Returns the path of something in a folder, for messages.
    pub fn path_of(&self, folder: &Folder, name: &OsStr) -> PathBuf {
        self.path.join(folder.below()).join(name)
    }

    /// Follows a path from a folder, through the links on it.
    ///
    /// # Errors
    /// [`SourceFault::Path`] if it leads out of the root, [`SourceFault::NoFile`] if nothing is there.
    pub fn follow(self: &Arc<Self>, from: &Arc<Folder>, path: &Path) -> Result<Reached, Problem> {
        let whole = || self.path_of(from, path.as_os_str());
        let out = || Problem::new(SourceFault::Path, whole(), "it leads out of the folder of this jurisdiction's data");
        let (mut at, mut links) = (Arc::clone(from), 0);
        let mut ahead = steps(path);
        while let Some(step) = ahead.pop() {
            let Step::Down(name) = step else {
                at = at.around.clone().ok_or_else(out)?;
                continue;
            };
            let here = || self.path_of(&at, &name);
            let seen = statat(&at.handle, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| Problem::of(e, whole()))?;
            match FileType::from_raw_mode(seen.st_mode) {
                FileType::Directory => at = self.enter(&at, &name)?,
                FileType::Symlink => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Problem::new(SourceFault::NoFile, whole(), "there are too many links on the way"));
                    }
                    let link = readlinkat(&at.handle, &name, Vec::new()).map_err(|e| Problem::of(e, here()))?;
                    let link = PathBuf::from(OsString::from_vec(link.into_bytes()));
                    if link.is_absolute() {
                        let below = self.below(&link).ok_or_else(out)?;
                        ahead.extend(steps(below));
                        at = Arc::clone(&self.top);
                    } else {
                        ahead.extend(steps(&link));
                    }
                }
                _ if !ahead.is_empty() => {
                    return Err(Problem::new(SourceFault::NoFile, here(), "it is no folder"));
                }
                FileType::RegularFile => return Ok(Reached::File(self.look(&at, &name)?)),
                _ => return Ok(Reached::Other(here())),
            }
        }
        Ok(Reached::Folder(at))
    }

    /// Returns what of an absolute path lies below the root, if the root is on it under any of its names.
    fn below<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        let is_top = |prefix: &&Path| fs::metadata(prefix).is_ok_and(|seen| (seen.dev(), seen.ino()) == self.top.id);
        path.ancestors().find(is_top).and_then(|prefix| path.strip_prefix(prefix).ok())
    }

    /// Opens a folder in a folder, and no link.
    fn enter(&self, from: &Arc<Folder>, name: &OsStr) -> Result<Arc<Folder>, Problem> {
        let path = || self.path_of(from, name);
        let handle = openat(&from.handle, name, LOOK | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            .map_err(|error| Problem::of(error, path()))?;
        let handle = File::from(handle);
        let id = id_of(&handle).map_err(|error| Problem::new(SourceFault::Unreadable, path(), error))?;
        if self.own.contains(&id) {
            return Err(Problem::new(SourceFault::NodesOwn, path(), "it is a folder that the node keeps for itself"));
        }
        // Another file system begins where the device is another.
        if id.0 != from.id.0 {
            kernel::check(&handle).map_err(|reason| Problem::new(SourceFault::Path, path(), reason))?;
        }
        Ok(Arc::new(Folder { handle, id, name: name.to_owned(), around: Some(Arc::clone(from)) }))
    }

    /// Describes a file in a folder, and no link.
    fn look(self: &Arc<Self>, folder: &Arc<Folder>, name: &OsStr) -> Result<SourceFile, Problem> {
        let path = || self.path_of(folder, name);
        let handle = openat(&folder.handle, name, LOOK | OFlags::NOFOLLOW, Mode::empty());
        let handle = File::from(handle.map_err(|error| Problem::of(error, path()))?);
        let file = self.describe(&handle, folder.below().join(name))?;
        if file.id.0 != folder.id.0 {
            kernel::check(&handle).map_err(|reason| Problem::new(SourceFault::Path, path(), reason))?;
        }
        Ok(file)
    }

    fn describe(self: &Arc<Self>, handle: &File, below: PathBuf) -> Result<SourceFile, Problem> {
        let path = self.path.join(&below);
        let unreadable = |error: io::Error| Problem::new(SourceFault::Unreadable, path.clone(), error);
        let metadata = handle.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(Problem::new(SourceFault::Changed, path, "it was a file before"));
        }
        let modified = metadata.modified().map_err(unreadable)?;
        let (bytes, changed, id) = (metadata.len(), changed(&metadata), (metadata.dev(), metadata.ino()));
        Ok(SourceFile { state: FileState { path, bytes, modified, changed, id }, root: Arc::clone(self), below })
    }
}

impl Folder {
    /// Returns the names in the folder.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        // The handle itself only leads further; to list the folder, it is opened once more, from itself.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let listed = openat(&self.handle, ".", flags, Mode::empty())?;
        let mut names = Vec::new();
        for entry in Dir::new(listed)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Returns its path below the root.
    fn below(&self) -> PathBuf {
        self.around.as_ref().map_or_else(PathBuf::new, |around| around.below().join(&self.name))
    }
}

impl SourceFile {
    /// Opens the file for reading, if it is still the one that was listed, in the same state and by the same folders.
    ///
    /// # Errors
    /// [`SourceFault::Changed`] if it is not.
    pub fn open(&self) -> Result<File, Problem> {
        let opened = self.open_again();
        opened.map_err(|problem| match problem.fault {
            SourceFault::NoFile => Problem { fault: SourceFault::Changed, ..problem },
            _ => problem,
        })
    }

    fn open_again(&self) -> Result<File, Problem> {
        let changed = || Problem::new(SourceFault::Changed, self.path.clone(), "it is not the file that was listed");
        let mut folder = Arc::clone(&self.root.top);
        let mut names: Vec<&OsStr> = self.below.iter().collect();
        let name = names.pop().ok_or_else(changed)?;
        for around in names {
            folder = self.root.enter(&folder, around)?;
        }
        // Looked at first: to open a pipe or a device for reading does something to it.
        if self.root.look(&folder, name)? != *self {
            return Err(changed());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let handle = openat(&folder.handle, name, flags, Mode::empty());
        let handle = File::from(handle.map_err(|error| Problem::of(error, self.path.clone()))?);
        if self.root.describe(&handle, self.below.clone())? != *self {
            return Err(changed());
        }
        Ok(handle)
    }
}

/// Step of a path.
enum Step {
    Up,
    Down(OsString),
}

/// Returns the steps of a path, the last one first.
fn steps(path: &Path) -> Vec<Step> {
    let step = |part: Component<'_>| match part {
        Component::Normal(name) => Some(Step::Down(name.to_owned())),
        Component::ParentDir => Some(Step::Up),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(step).collect()
}

fn changed(metadata: &Metadata) -> SystemTime {
    let seconds = Duration::from_secs(metadata.ctime().unsigned_abs());
    let whole = if metadata.ctime() < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
    let nanos = Duration::from_nanos(metadata.ctime_nsec().unsigned_abs());
    whole.and_then(|whole| whole.checked_add(nanos)).unwrap_or(UNIX_EPOCH)
}
