//! From a manifest's path to files: below the root, whatever `..`, links and absolute paths say.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::endings::ends_in;
use crate::sources::SourceFault;

/// Deeper folders than this are not followed: a loop of folders is no dataset.
const MAX_DEPTH: usize = 16;

/// One file of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Canonical path.
    pub path: PathBuf,
    /// Length in bytes.
    pub bytes: u64,
    /// Time of the last change of its content, which programs that copy files can set.
    pub modified: SystemTime,
    /// Time of the last change of the content or of anything else about the file, in seconds and nanoseconds since 1970.
    pub changed: (i64, i64),
}

/// Returns the files at `path` below `root`, in order of their names: the file itself, or every file of a folder whose name
/// ends in one of `extensions` and does not begin with `.` or `_`.
///
/// # Errors
/// [`SourceFault::Path`] if the path or a link in it leads out of the root; [`SourceFault::NoFile`] if nothing is there.
pub fn files(root: &str, path: &str, extensions: &[&str]) -> Result<Vec<SourceFile>, SourceFault> {
    let relative = Path::new(path);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(SourceFault::Path);
    }
    let root = fs::canonicalize(root).map_err(|_| SourceFault::Path)?;
    let start = inside(&root, &root.join(relative))?;
    let mut found = Vec::new();
    if start.is_dir() {
        walk(&root, &start, extensions, 0, &mut found)?;
        found.sort_by(|a, b| a.path.cmp(&b.path));
    } else {
        found.push(describe(start)?);
    }
    if found.is_empty() { Err(SourceFault::NoFile) } else { Ok(found) }
}

/// Returns the canonical form of `path`, if it lies below `root`.
fn inside(root: &Path, path: &Path) -> Result<PathBuf, SourceFault> {
    let canonical = fs::canonicalize(path).map_err(|_| SourceFault::NoFile)?;
    if canonical.starts_with(root) { Ok(canonical) } else { Err(SourceFault::Path) }
}

fn walk(
    root: &Path,
    folder: &Path,
    extensions: &[&str],
    depth: usize,
    found: &mut Vec<SourceFile>,
) -> Result<(), SourceFault> {
    if depth > MAX_DEPTH {
        return Err(SourceFault::Path);
    }
    for entry in fs::read_dir(folder).map_err(|_| SourceFault::Unreadable)? {
        let entry = entry.map_err(|_| SourceFault::Unreadable)?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(['.', '_']) {
            continue;
        }
        let path = inside(root, &entry.path())?;
        if path.is_dir() {
            walk(root, &path, extensions, depth + 1, found)?;
        } else if ends_in(&name, extensions) {
            found.push(describe(path)?);
        }
    }
    Ok(())
}

fn describe(path: PathBuf) -> Result<SourceFile, SourceFault> {
    let metadata = fs::metadata(&path).map_err(|_| SourceFault::Unreadable)?;
    if !metadata.is_file() {
        return Err(SourceFault::Path);
    }
    let modified = metadata.modified().map_err(|_| SourceFault::Unreadable)?;
    Ok(SourceFile { path, bytes: metadata.len(), modified, changed: (metadata.ctime(), metadata.ctime_nsec()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_path_leads_out_of_the_root() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.csv"), "a\n1\n").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("folder")).unwrap();
        fs::write(root.join("data.csv"), "a\n1\n").unwrap();
        fs::write(dir.path().join("sibling.csv"), "a\n1\n").unwrap();
        fs::create_dir(dir.path().join("root-2")).unwrap();
        fs::write(dir.path().join("root-2/x.csv"), "a\n1\n").unwrap();
        symlink(outside.path().join("secret.csv"), root.join("link.csv")).unwrap();
        symlink(outside.path(), root.join("linked")).unwrap();
        symlink(outside.path().join("secret.csv"), root.join("folder/inner.csv")).unwrap();
        symlink(root.join("data.csv"), root.join("within.csv")).unwrap();
        symlink(dir.path().join("root-2"), root.join("two")).unwrap();

        let root = root.to_str().unwrap();
        let absolute = outside.path().join("secret.csv");
        for bad in [
            "../sibling.csv",
            "folder/../../sibling.csv",
            "link.csv",
            "linked",
            "linked/secret.csv",
            "folder",
            "two",
            "two/x.csv",
            "/etc/passwd",
            absolute.to_str().unwrap(),
        ] {
            assert_eq!(files(root, bad, &["csv"]), Err(SourceFault::Path), "{bad}");
        }
        assert_eq!(files(root, "data.csv", &["csv"]).unwrap().len(), 1);
        assert_eq!(files(root, "./within.csv", &["csv"]).unwrap().len(), 1);
        assert_eq!(files(root, "absent.csv", &["csv"]), Err(SourceFault::NoFile));
    }

    #[test]
    fn a_folder_is_its_files_of_the_format_in_order() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        for name in ["b.csv", "a.csv", "sub/c.CSV", "_SUCCESS", ".hidden.csv", "notes.txt"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let found = files(dir.path().to_str().unwrap(), ".", &["csv"]).unwrap();
        let names: Vec<_> = found.iter().map(|f| f.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.csv", "b.csv", "c.CSV"]);
        // Another file of the same length, with the time of the one that it replaces.
        let other = fs::File::create(dir.path().join("other")).unwrap();
        std::io::Write::write_all(&mut &other, b"y").unwrap();
        other.set_modified(found[0].modified).unwrap();
        fs::rename(dir.path().join("other"), dir.path().join("a.csv")).unwrap();
        let after = files(dir.path().to_str().unwrap(), ".", &["csv"]).unwrap();
        assert_eq!(after[0].modified, found[0].modified);
        assert_ne!(after, found);
    }
}
