//! `go build`.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::program::require;
use super::tool::{GO, Recipe};
use crate::error::{Result, TestbedError, tail};
use crate::say::say;

/// Builds a tool into a file. Only what `go.sum` names is taken.
pub(super) fn build(recipe: &Recipe, into: &Path) -> Result<()> {
    let go = require("go", GO)?;
    let Recipe { name, version, about, .. } = recipe;
    say(&format!("building {name} {version}, once; about {about} on two cores"));
    let began = Instant::now();
    let output = Command::new(&go)
        .current_dir(&recipe.module)
        // What the user has set for other work must not change what is built.
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &recipe.ldflags, "-o"])
        .arg(into)
        .arg(recipe.package)
        .output()
        .map_err(TestbedError::io(&go))?;
    if !output.status.success() {
        return Err(TestbedError::Build {
            tool: format!("{name} {version}"),
            status: output.status.to_string(),
            output: tail(&String::from_utf8_lossy(&output.stderr)),
        });
    }
    say(&format!("built {name} {version} in {} s", began.elapsed().as_secs()));
    Ok(())
}
