//! From a manifest's path to files: below the root, whatever `..`, links and absolute paths say.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::beneath::{Folder, Problem, Reached, Root, SourceFile};
use crate::sources::SourceFault;
use crate::sources::own::Id;

/// Deeper folders than this are not followed.
const MAX_DEPTH: usize = 16;

/// Returns the files at `path` below `root`, in order of their paths: the file itself, or every file of a folder and its
/// folders whose name ends in one of `extensions`.
///
/// Of a folder are not read: what has a name that begins with `.`, `_` or `~`, as hidden files, those that other programs
/// keep beside their data, and what an editor has open; and files of 0 bytes. A file that has several names there, by links
/// of either kind, is read once.
///
/// # Errors
/// [`SourceFault::Path`] if the path or a link in it leads out of the root; [`SourceFault::NoFile`] if nothing is there, or
/// a link leads to nothing.
pub fn files(root: &Arc<Root>, path: &str, extensions: &[&str]) -> Result<Vec<SourceFile>, Problem> {
    let relative = Path::new(path);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(Problem::new(SourceFault::Path, relative, "a path is relative and without '..'"));
    }
    let start = match root.follow(root.top(), relative)? {
        Reached::Folder(folder) => folder,
        Reached::File(file) => return Ok(vec![file]),
        Reached::Other(path) => return Err(no_file(path)),
    };
    let mut walk = Walk { root, extensions, seen: BTreeSet::new(), found: Vec::new() };
    walk.folder(&start, 0)?;
    let mut found = walk.found;
    if found.is_empty() {
        let reason = format!("no file in the folder ends in .{}", extensions.join(" or ."));
        return Err(Problem::new(SourceFault::NoFile, root.path_to(&start), reason));
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.retain(|file| file.bytes > 0);
    // Of the names that one file has by hard links, the first. By other links it has one path.
    let mut seen = BTreeSet::new();
    found.retain(|file| seen.insert(file.id));
    Ok(found)
}

/// Returns true if a name ends in a point and one of the endings, in letters of any case.
fn ends_in(name: &OsStr, endings: &[&str]) -> bool {
    let name = name.as_encoded_bytes();
    endings.iter().any(|ending| {
        let at = name.len().checked_sub(ending.len() + 1);
        at.is_some_and(|at| name[at] == b'.' && name[at + 1..].eq_ignore_ascii_case(ending.as_bytes()))
    })
}

/// Walk through a folder.
struct Walk<'a> {
    root: &'a Arc<Root>,
    extensions: &'a [&'a str],
    /// Folders that were entered: a link can lead to one again, or to one around it.
    seen: BTreeSet<Id>,
    found: Vec<SourceFile>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Arc<Folder>, depth: usize) -> Result<(), Problem> {
        let path = || self.root.path_to(folder);
        if depth > MAX_DEPTH {
            return Err(Problem::new(SourceFault::Path, path(), format!("it lies deeper than {MAX_DEPTH} folders")));
        }
        if !self.seen.insert(folder.id) {
            return Ok(());
        }
        let names = folder.names().map_err(|error| Problem::new(SourceFault::Unreadable, path(), error))?;
        for name in names {
            if is_passed_over(&name) {
                continue;
            }
            match self.root.follow(folder, Path::new(&name)) {
                Ok(Reached::Folder(inner)) => self.folder(&inner, depth + 1)?,
                Ok(Reached::File(file)) if self.has_extension(&name) => self.found.push(file),
                Ok(Reached::Other(path)) if self.has_extension(&name) => return Err(no_file(path)),
                Ok(_) => {}
                // A link to nothing is a file that is missing, unless its name says that it is none of these.
                Err(problem) if problem.fault == SourceFault::NoFile && !self.has_extension(&name) => {}
                Err(problem) => return Err(problem),
            }
        }
        Ok(())
    }

    fn has_extension(&self, name: &OsStr) -> bool {
        ends_in(name, self.extensions)
    }
}

/// Returns true for a name that is no data's: hidden, kept by another program beside its data, or open in an editor.
fn is_passed_over(name: &OsStr) -> bool {
    matches!(name.as_encoded_bytes().first(), Some(b'.' | b'_' | b'~'))
}

/// Returns the problem of a pipe, a device or a socket in the place of a file.
fn no_file(path: PathBuf) -> Problem {
    Problem::new(SourceFault::Path, path, "it is no file")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sources::own::OwnFolders;

    fn files(root: &str, path: &str, extensions: &[&str]) -> Result<Vec<SourceFile>, Problem> {
        super::files(&Root::open(root, &OwnFolders::default())?, path, extensions)
    }

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
            assert_eq!(files(root, bad, &["csv"]).unwrap_err().fault, SourceFault::Path, "{bad}");
        }
        assert_eq!(files(root, "data.csv", &["csv"]).unwrap().len(), 1);
        assert_eq!(files(root, "./within.csv", &["csv"]).unwrap().len(), 1);
        assert_eq!(files(root, "absent.csv", &["csv"]).unwrap_err().fault, SourceFault::NoFile);
    }

    #[test]
    fn a_folder_is_its_files_of_the_format_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["sub", "_temporary", ".git"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("empty.csv"), "").unwrap();
        for name in [
            "b.csv",
            "a.csv",
            "sub/c.CSV",
            "_SUCCESS",
            "_temporary/part.csv",
            ".hidden.csv",
            ".a.csv.crc",
            ".git/a.csv",
            "~$b.csv",
            "b.csv~",
            "b.csv.tmp",
            "#b.csv#",
            "notes.txt",
        ] {
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

    fn names(folder: &Path) -> Vec<String> {
        let found = files(folder.to_str().unwrap(), ".", &["csv"]).unwrap();
        found.iter().map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_of_several_names_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("2024")).unwrap();
        fs::write(at("2024/a.csv"), "x").unwrap();
        fs::write(at("b.csv"), "x").unwrap();
        symlink(at("2024/a.csv"), at("latest.csv")).unwrap();
        symlink(at("2024"), at("current")).unwrap();
        symlink(dir.path(), at("2024/around")).unwrap();
        fs::hard_link(at("b.csv"), at("c.csv")).unwrap();
        // Of the same content, but another file.
        fs::write(at("d.csv"), "x").unwrap();
        assert_eq!(names(dir.path()), ["a.csv", "b.csv", "d.csv"]);
    }

    #[test]
    fn a_link_to_nothing_is_a_missing_file_unless_its_name_is_none_of_these() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.csv"), "x").unwrap();
        symlink(dir.path().join("gone"), dir.path().join("notes.txt")).unwrap();
        assert_eq!(names(dir.path()), ["a.csv"]);
        symlink(dir.path().join("gone"), dir.path().join("b.csv")).unwrap();
        let problem = files(dir.path().to_str().unwrap(), ".", &["csv"]).unwrap_err();
        assert_eq!((problem.fault, problem.path), (SourceFault::NoFile, dir.path().join("b.csv")));
    }

    #[test]
    fn a_folder_of_empty_files_has_no_records_and_one_without_files_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let found = || files(dir.path().to_str().unwrap(), ".", &["csv"]);
        assert_eq!(found().unwrap_err().fault, SourceFault::NoFile);
        fs::write(dir.path().join("a.csv"), "").unwrap();
        assert_eq!(found(), Ok(Vec::new()));
        fs::write(dir.path().join("a.csv"), "x").unwrap();
        assert_eq!(found().unwrap().len(), 1);
    }
}
