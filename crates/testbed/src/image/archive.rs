//! A folder as the one layer of an archive that containerd imports.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::command::run;
use crate::error::{Result, TestbedError};

/// Makes an archive (as of `docker save`) of an image whose root is a folder.
///
/// # Errors
/// If a file cannot be read or written.
pub fn archive(name: &str, root: &Path, entrypoint: &[&str], into: &Path) -> Result<()> {
    let work = tempfile::tempdir_in(into.parent().unwrap_or(Path::new("."))).map_err(TestbedError::io(into))?;
    let layer = work.path().join("layer.tar");
    // The image depends on the folder alone, not on the time or the user.
    let same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"];
    run(Command::new("tar")
        .arg("--create")
        .args(same)
        .arg("--file")
        .arg(&layer)
        .arg("--directory")
        .arg(root)
        .arg("."))?;
    let mut hash = Sha256::new();
    let mut file = fs::File::open(&layer).map_err(TestbedError::io(&layer))?;
    std::io::copy(&mut file, &mut hash).map_err(TestbedError::io(&layer))?;
    let digest = format!("{:x}", hash.finalize());
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"], "Entrypoint": entrypoint},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
    });
    let manifest = json!([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]);
    for (file, content) in [("config.json", &config), ("manifest.json", &manifest)] {
        let path = work.path().join(file);
        fs::write(&path, content.to_string()).map_err(TestbedError::io(&path))?;
    }
    let files = ["manifest.json", "config.json", "layer.tar"];
    run(Command::new("tar").arg("--create").arg("--file").arg(into).arg("--directory").arg(work.path()).args(files))?;
    Ok(())
}

/// The processor by the name that images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
