//! Debian packages that a node or the building of an image needs.

use std::path::Path;
use std::process::Command;

use crate::binaries::find;
use crate::command::run;
use crate::error::{Result, TestbedError};
use crate::say::say;

/// A program or a folder of a package, and the Debian package.
const NEEDED: [(&str, &str); 9] = [
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("conntrack", "conntrack"),
    ("ip", "iproute2"),
    ("/bin/busybox", "busybox-static"),
    ("ipset", "ipset"),
];

/// Installs what a node needs.
pub(crate) fn ensure_for_node() -> Result<()> {
    ensure(&NEEDED)
}

/// Installs what the building of images needs.
pub(crate) fn ensure_for_images() -> Result<()> {
    ensure(&[("buildah", "buildah"), ("strip", "binutils"), ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates")])
}

/// Installs what is missing.
fn ensure(needed: &[(&str, &'static str)]) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Err(TestbedError::Missing {
            program: "the right to make network namespaces, mounts and cgroups".to_owned(),
            install: "run the tests of whole clusters and of images as root".to_owned(),
        });
    }
    install(&missing(
        needed,
        |file| if file.starts_with('/') { Path::new(file).exists() } else { find(file).is_some() },
    ))
}

/// Installs Debian packages, with a message.
fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    let apt = find("apt-get").ok_or_else(|| TestbedError::Missing {
        program: names.clone(),
        install: "this machine has no apt-get; install what these Debian packages hold".to_owned(),
    })?;
    say(&format!("installing the packages {names}"));
    let command = || {
        let mut command = Command::new(&apt);
        // Programs are wanted, not services that start.
        command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1").args(["-o", "DPkg::Lock::Timeout=300"]);
        command
    };
    run(command().arg("update"))?;
    run(command().args(["install", "--yes", "--no-install-recommends"]).args(packages))?;
    Ok(())
}

fn missing<'a>(needed: &[(&str, &'a str)], there: impl Fn(&str) -> bool) -> Vec<&'a str> {
    needed.iter().filter(|(file, _)| !there(file)).map(|(_, package)| *package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_that_are_missing_are_installed() {
        let needed = [("a", "package-a"), ("/b/c", "package-b")];
        assert_eq!(missing(&needed, |file| file == "a"), ["package-b"]);
        assert!(missing(&needed, |_| true).is_empty());
    }
}
