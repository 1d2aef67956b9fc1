//! The roots of images that tests need besides the project's own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binaries::require;
use crate::command::run;
use crate::error::{Result, TestbedError};

/// The root of an image of busybox.
pub(crate) fn busybox(root: &Path) -> Result<()> {
    for folder in ["bin", "etc", "home", "root", "var"] {
        fs::create_dir_all(root.join(folder)).map_err(TestbedError::io(root))?;
    }
    let installed = Path::new("/bin/busybox");
    fs::copy(installed, root.join("bin/busybox")).map_err(TestbedError::io(installed))?;
    for tool in run(Command::new(installed).arg("--list"))?.lines().filter(|tool| *tool != "busybox") {
        symlink("busybox", root.join("bin").join(tool)).map_err(TestbedError::io(root))?;
    }
    let users = "root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/home:/bin/sh\n";
    fs::write(root.join("etc/passwd"), users).map_err(TestbedError::io(root))?;
    fs::write(root.join("etc/group"), "root:x:0:\nnonroot:x:65532:\n").map_err(TestbedError::io(root))
}

/// What a `RUN` step of a Dockerfile may call.
const PROGRAMS: [&str; 21] = [
    "bash", "cat", "chmod", "chown", "cp", "date", "echo", "env", "find", "grep", "head", "install", "ldd", "ln", "ls",
    "mkdir", "mv", "rm", "sh", "sort", "touch",
];

/// The certificates of public authorities, where Debian has them.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The root of an image to build on: this machine's own shell and tools, and the libraries that they and the programs to be
/// packed name. What this machine built finds here what it was built for, and nothing is fetched.
pub(super) fn machine(root: &Path, packed: &[PathBuf]) -> Result<()> {
    for folder in ["usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc/ssl/certs", "tmp", "var", "proc", "sys", "dev"] {
        fs::create_dir_all(root.join(folder)).map_err(TestbedError::io(root))?;
    }
    for folder in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{folder}"), root.join(folder)).map_err(TestbedError::io(root))?;
    }
    for name in PROGRAMS {
        let program = require(name, "install the package of Debian's essential tools that holds it")?;
        fs::copy(&program, root.join("usr/bin").join(name)).map_err(TestbedError::io(&program))?;
        copy_libraries(&program, root)?;
    }
    packed.iter().try_for_each(|program| copy_libraries(program, root))?;
    fs::copy(AUTHORITIES, root.join(AUTHORITIES.trim_start_matches('/'))).map_err(TestbedError::io(AUTHORITIES))?;
    Ok(())
}

fn copy_libraries(program: &Path, root: &Path) -> Result<()> {
    for library in libraries(program) {
        let below = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(below.parent().unwrap_or(root)).map_err(TestbedError::io(&below))?;
        fs::copy(&library, &below).map_err(TestbedError::io(&library))?;
    }
    Ok(())
}

/// The libraries of a program; none for a script.
fn libraries(program: &Path) -> Vec<String> {
    let named = run(Command::new("ldd").arg(program)).unwrap_or_default();
    named.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':')).map(str::to_owned).collect()
}
