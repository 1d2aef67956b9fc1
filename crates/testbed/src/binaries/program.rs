//! Programs that the machine has.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Result, TestbedError};

/// The program of this name that a shell would run. Folders of the administrator count too: not everybody's PATH has them.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    find_in(&path, name).or_else(|| find_in(OsStr::new("/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin"), name))
}

/// The program of this name, or an error that says what to install.
pub(crate) fn require(name: &str, install: &str) -> Result<PathBuf> {
    find(name).ok_or_else(|| TestbedError::Missing { program: name.to_owned(), install: install.to_owned() })
}

fn find_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(name)).find(|file| executable(file))
}

fn executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_the_path_says_and_only_if_it_runs() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = std::env::join_paths([first.path(), second.path()]).unwrap();
        std::fs::write(first.path().join("go"), "no program").unwrap();
        assert_eq!(find_in(&path, "go"), None);
        let program = second.path().join("go");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(find_in(&path, "go"), Some(program));
    }

    #[test]
    fn a_program_that_is_missing_is_named_with_what_to_do() {
        let error = require("wanqu-no-such-program", "install the package `such`").unwrap_err();
        assert_eq!(error.to_string(), "wanqu-no-such-program is missing: install the package `such`");
    }
}
