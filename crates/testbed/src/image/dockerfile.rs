//! The project's Dockerfile, built without a daemon and without a registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::archive::archive;
use super::roots;
use crate::binaries::cache;
use crate::command::run;
use crate::error::{Result, TestbedError};
use crate::packages;
use crate::say::say;
use crate::scratch::Scratch;

/// The image that the Dockerfile's stages build on.
const BASE: &str = "localhost/wanqu-testbed/machine:1";

/// Builds an image from a Dockerfile and from programs that are built already, and gives the path of its archive. The
/// Dockerfile takes the base of its stages from the arguments `BUILD_IMAGE` and `BASE_IMAGE`, and the folder of the programs
/// from `PREBUILT`, in which their bill of materials lies too. The archive is kept: the same programs are not packed twice.
///
/// # Errors
/// If this is not root, buildah cannot be had, or a step of the Dockerfile fails.
pub fn build(dockerfile: &Path, programs: &[PathBuf], name: &str) -> Result<PathBuf> {
    packages::ensure_for_images()?;
    let work = Scratch::new()?;
    let context = work.path().join("context");
    let bin = context.join("bin");
    fs::create_dir_all(&bin).map_err(TestbedError::io(&bin))?;
    for program in programs {
        strip(program, &bin.join(program.file_name().unwrap_or_default()))?;
    }
    let workspace = dockerfile.parent().unwrap_or(Path::new("."));
    let bill = wanqu_sbom::bill(workspace, None)?;
    let path = bin.join("sbom.cdx.json");
    fs::write(&path, bill.to_string()).map_err(TestbedError::io(&path))?;
    let key = key(dockerfile, &bin, name)?;
    cache::kept("images", &format!("{key}.tar"), |into| {
        say(&format!("building the image {name}"));
        roots::machine(&work.path().join("machine"), programs)?;
        buildah(dockerfile, work.path(), &context, name, into)
    })
}

/// Copies a program without what only a debugger reads: the better part of a debug build.
fn strip(program: &Path, into: &Path) -> Result<()> {
    run(Command::new("strip").arg("--strip-debug").arg("-o").arg(into).arg(program)).map(drop)
}

fn key(dockerfile: &Path, bin: &Path, name: &str) -> Result<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(bin).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut hash = Sha256::new_with_prefix(name);
    for file in std::iter::once(dockerfile.to_owned()).chain(files) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content = fs::read(&file).map_err(TestbedError::io(&file))?;
        hash.update(format!("{name} {}\n", content.len()));
        hash.update(content);
    }
    Ok(format!("{:x}", hash.finalize())[..16].to_owned())
}

fn buildah(dockerfile: &Path, work: &Path, context: &Path, name: &str, into: &Path) -> Result<()> {
    let (root, base) = (work.join("machine"), work.join("machine.tar"));
    archive(BASE, &root, &[], &base)?;
    let buildah = || {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(work.join("storage")).arg("--runroot").arg(work.join("run"));
        command.args(["--storage-driver", "overlay"]);
        command
    };
    run(buildah().arg("pull").arg(format!("docker-archive:{}", base.display())))?;
    // What this machine's own files were made into has no digest that anybody could have written down before.
    let bases = [format!("BUILD_IMAGE={BASE}"), format!("BASE_IMAGE={BASE}")];
    let bases = bases.into_iter().chain(["PREBUILT=bin".to_owned(), "UNPINNED=yes".to_owned()]);
    run(buildah()
        .args(["bud", "--isolation", "chroot", "--pull=never", "--timestamp", "0", "--tag", name])
        .args(bases.flat_map(|argument| ["--build-arg".to_owned(), argument]))
        .arg("--file")
        .arg(dockerfile)
        .arg(context))?;
    run(buildah().args(["push", name]).arg(format!("docker-archive:{}:{name}", into.display())))?;
    Ok(())
}
