//! Archives of Java, and programs of one file.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::made::{MakeError, made, run};

/// What to do where there is no Java.
const JDK: &str = "install a JDK of version 17 or later (on Debian: apt-get install openjdk-17-jdk-headless)";

/// Returns an archive that Maven brings, without what it depends on.
///
/// # Errors
/// If there is no Maven, or it does not bring the archive.
pub fn archive(group: &str, name: &str, version: &str) -> Result<PathBuf, MakeError> {
    let artifact = format!("{group}:{name}:{version}");
    let folder = made(&format!("java-{name}-{version}"), &format!("a copy of {artifact}"), |folder| {
        let maven = "install Maven (on Debian: apt-get install maven), and let it reach its repository";
        let mut get = Command::new("mvn");
        get.args(["--quiet", "--batch-mode", "dependency:get", "-Dtransitive=false"]);
        get.arg(format!("-Dartifact={artifact}")).arg(format!("-Dmaven.repo.local={}", folder.display()));
        run(&mut get, maven)
    })?;
    Ok(folder.join(group.replace('.', "/")).join(name).join(version).join(format!("{name}-{version}.jar")))
}

/// Returns the command that runs a program of one file with an archive. `folder` is for the file.
///
/// # Errors
/// If the file cannot be written, or there is no Java.
pub fn program(archive: &Path, name: &str, text: &str, folder: &Path) -> Result<Command, MakeError> {
    run(Command::new("javac").arg("-version"), JDK)?;
    let file = folder.join(name);
    std::fs::write(&file, text).map_err(|e| MakeError::new(&format!("cannot write {}: {e}", file.display())))?;
    let mut command = Command::new("java");
    // The driver's memory is outside the heap; moments are those of UTC.
    command.args(["--add-opens=java.base/java.nio=ALL-UNNAMED", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-cp"]);
    command.arg(archive).arg(file);
    Ok(command)
}
