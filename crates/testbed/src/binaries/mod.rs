//! Programs that the tests run, built from source once and kept.
//!
//! ```text
//! Tool ─▶ testbed/go/MODULE/{go.mod, go.sum}   which versions, checked by Go's checksum database
//!      ─▶ key                                  a hash of both, of the package and of how it is linked
//!      ─▶ lock                                 one process builds, the others wait for it
//!      ─▶ go build ─▶ CACHE/TOOL-VERSION-KEY/TOOL
//! ```
//!
//! The cache lies outside the clone, so that a fresh clone does not build again: `$WANQU_TESTBED_CACHE`, else
//! `wanqu-testbed` in `$XDG_CACHE_HOME`, else `~/.cache/wanqu-testbed`. One module per tool, so that the dependencies of
//! one do not hold back those of another.

mod build;
pub(crate) mod cache;
mod program;
mod tool;

use std::path::PathBuf;

pub(crate) use program::{find, require};
pub use tool::Tool;

use crate::error::Result;

/// The path of a tool that runs: taken from the cache, or built now, which can take minutes and says so.
///
/// # Errors
/// If Go is missing, or a build fails. A tool that cannot be had is never passed over.
pub fn ensure(tool: Tool) -> Result<PathBuf> {
    if tool == Tool::Kubectl
        && let Some(installed) = find("kubectl")
    {
        return Ok(installed);
    }
    let recipe = tool.recipe()?;
    let entry = cache::Entry::new(&recipe)?;
    entry.get_or(|into| build::build(&recipe, into))
}
