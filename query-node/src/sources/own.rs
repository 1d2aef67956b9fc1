//! Folders that a node keeps for itself, which no source may reach.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, open, openat};

/// Device and number of a file or folder, whatever its names are.
pub type Id = (u64, u64);

/// Opens a file or folder to be looked at and entered; its content cannot be read by this handle where the system knows such.
#[cfg(target_os = "linux")]
pub const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// Opens a file or folder to be looked at and entered.
#[cfg(not(target_os = "linux"))]
pub const LOOK: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// More folders than this do not lie around one.
const DEEPEST: usize = 4096;

/// Folders of the node's own: keys, bundle, audit log, results with their ledger, spilled data. A folder of data that holds
/// one of them, is one or lies in one is refused, or a Dataset would publish the node's private key.
///
/// Folders are compared by device and number, and so are those around them: by whatever links and mounts they are reached.
#[derive(Debug, Clone, Default)]
pub struct OwnFolders(Arc<BTreeSet<PathBuf>>);

impl OwnFolders {
    /// Returns these folders.
    #[must_use]
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(Arc::new(folders.into_iter().collect()))
    }

    /// Checks an open folder, and returns the ids of the node's own folders.
    ///
    /// # Errors
    /// The reason why the folder cannot be one of data, for the owner's log.
    pub fn apart_from(&self, folder: &File) -> Result<BTreeSet<Id>, String> {
        let around = around(folder).map_err(|error| format!("the folders around it cannot be looked at: {error}"))?;
        let Some((root, outside)) = around.split_first() else { return Err("it cannot be looked at".to_owned()) };
        if outside.is_empty() {
            return Err("it is the root of all folders".to_owned());
        }
        let mut ids = BTreeSet::new();
        for own in self.0.iter() {
            let cannot =
                |error: io::Error| format!("{}, of the node's own, cannot be looked at: {error}", own.display());
            let (exists, nearest) = nearest(own).map_err(cannot)?;
            let chain = self::around(&nearest).map_err(cannot)?;
            if chain.contains(root) {
                return Err(format!("{}, which the node keeps for itself, is it or lies in it", own.display()));
            }
            let Some(id) = chain.first().filter(|_| exists) else { continue };
            if outside.contains(id) {
                return Err(format!("it lies in {}, which the node keeps for itself", own.display()));
            }
            ids.insert(*id);
        }
        Ok(ids)
    }
}

/// Returns the folder of a file by its name, and that of what the name leads to by links.
#[must_use]
pub fn folders_of(file: &Path) -> Vec<PathBuf> {
    let names = [Some(file.to_owned()), std::fs::canonicalize(file).ok()];
    let parent = |path: PathBuf| match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Some(PathBuf::from(".")),
        parent => parent.map(Path::to_owned),
    };
    names.into_iter().flatten().filter_map(parent).collect()
}

/// Returns the id of what is open.
pub fn id_of(handle: &File) -> io::Result<Id> {
    let metadata = handle.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Opens a folder, or the nearest one around it that is there already; says whether it is the folder itself.
fn nearest(folder: &Path) -> io::Result<(bool, File)> {
    let absolute = std::path::absolute(folder)?;
    for (position, path) in absolute.ancestors().enumerate() {
        match open(path, LOOK | OFlags::DIRECTORY, Mode::empty()) {
            Ok(open) => return Ok((position == 0, open.into())),
            Err(error) if io::Error::from(error).kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ErrorKind::NotFound.into())
}

/// Returns the ids of a folder and of those around it, from the inside out.
fn around(folder: &File) -> io::Result<Vec<Id>> {
    let mut at = folder.try_clone()?;
    let mut ids = vec![id_of(&at)?];
    while ids.len() < DEEPEST {
        at = openat(&at, "..", LOOK | OFlags::DIRECTORY, Mode::empty())?.into();
        let id = id_of(&at)?;
        if ids.last() == Some(&id) {
            return Ok(ids);
        }
        ids.push(id);
    }
    Err(io::Error::other("it lies too deep"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn check(root: &Path, own: &[&Path]) -> Result<BTreeSet<Id>, String> {
        let own = OwnFolders::new(own.iter().map(|path| (*path).to_owned()));
        own.apart_from(&open(root, LOOK | OFlags::DIRECTORY, Mode::empty()).unwrap().into())
    }

    #[test]
    fn a_folder_of_data_lies_apart_from_those_of_the_node() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["data/deep", "identity/inner", "elsewhere"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        symlink(at("identity"), at("elsewhere/keys")).unwrap();
        symlink(at("identity"), at("data-by-link")).unwrap();
        let own = at("identity");
        for (root, word) in [
            (folder.path().to_owned(), "lies in it"),
            (at("identity"), "lies in it"),
            (at("data-by-link"), "lies in it"),
            (at("elsewhere/keys"), "lies in it"),
            (at("identity/inner"), "it lies in"),
            (at("elsewhere/keys/inner"), "it lies in"),
            (PathBuf::from("/"), "the root of all folders"),
        ] {
            let reason = check(&root, &[&own]).unwrap_err();
            assert!(reason.contains(word), "{}: {reason}", root.display());
        }
        for root in ["data", "data/deep", "elsewhere"] {
            assert_eq!(check(&at(root), &[&own]).unwrap().len(), 1, "{root}");
        }
        // Named by a link, or not there yet.
        assert!(check(&at("identity"), &[&at("elsewhere/keys")]).is_err());
        assert!(check(&at("data"), &[&at("data/audit")]).is_err());
        assert!(check(&at("data"), &[&at("data/deep/not/there")]).is_err());
        assert_eq!(check(&at("data"), &[&at("audit")]), Ok(BTreeSet::new()));
    }

    #[test]
    fn the_folder_of_a_file_is_also_that_where_its_links_end() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("vault")).unwrap();
        fs::write(folder.path().join("vault/node.key"), "").unwrap();
        symlink(folder.path().join("vault/node.key"), folder.path().join("node.key")).unwrap();
        let vault = fs::canonicalize(folder.path().join("vault")).unwrap();
        assert_eq!(folders_of(&folder.path().join("node.key")), [folder.path().to_owned(), vault]);
        assert_eq!(folders_of(Path::new("node.key")), [PathBuf::from(".")]);
    }
}
