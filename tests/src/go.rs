//! Programs in Go.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::made::{MakeError, run};

/// Builds a program of one file, whose modules are pinned by its `go.mod` and `go.sum`. Go keeps them, and what it compiled of
/// them, in caches of its own.
///
/// # Errors
/// If there is no Go, or a module cannot be had.
pub fn built(files: [(&str, &str); 3], folder: &Path) -> Result<PathBuf, MakeError> {
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::write(&file, text).map_err(|e| MakeError::new(&format!("cannot write {}: {e}", file.display())))?;
    }
    let program = folder.join("program");
    let go = "install Go 1.26 or later, and let it reach its module proxy";
    run(Command::new("go").args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".").current_dir(folder), go)?;
    Ok(program)
}
