//! A network namespace of one cluster's own: nothing in it reaches the machine's network or the world.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::range::Range;
use crate::command::run;
use crate::error::Result;

/// The network namespace of a cluster. It is deleted with what else a cluster leaves.
#[derive(Debug, Clone)]
pub(crate) struct Network(PathBuf);

impl Network {
    /// Makes the namespace, with a device that carries the node's address.
    pub(crate) fn make(range: Range) -> Result<Self> {
        let name = range.name();
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let network = Self(Path::new("/run/netns").join(&name));
        let address = format!("{}/24", range.node());
        for words in [
            "link set lo up".to_owned(),
            // A bridge with nobody on it is a device that any kernel has.
            "link add node type bridge".to_owned(),
            format!("address add {address} dev node"),
            "link set node up".to_owned(),
            // Components ask for the default route to learn which address is theirs.
            "route add default dev node".to_owned(),
        ] {
            run(network.command("ip").args(words.split(' ')))?;
        }
        run(network.command("sh").args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]))?;
        Ok(network)
    }

    /// One that is there already.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Deletes it, and the devices in it.
    pub(crate) fn delete(&self) {
        // It is gone already if its cluster is.
        let _ = run(Command::new("ip").args(["netns", "delete"]).args(self.0.file_name()));
    }

    /// The file that stands for it.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A command in it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.0.display())).arg(program);
        command
    }
}
