//! Ending for certain what a cluster's kubelet and containerd started, and undoing what they mounted.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroups;
use super::range::Range;
use crate::command::run;
use crate::mounts;

/// How long processes that were killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clears all that a cluster is besides its own processes, which must be dead: containers, mounts, network namespace,
/// cgroups. What is not there is not missed.
pub(crate) fn clear(range: Range, state: &Path) {
    let name = range.name();
    end_all(|| cgroups::members(&name));
    // The watchers of the containers are children of nobody; each names the socket that it serves.
    end_all(|| watchers(state));
    mounts::remove_with_mounts(&state.join("containerd"));
    mounts::release(state);
    // They are gone already if the cluster ended before it had them.
    for network in [name.clone(), range.outside_name()] {
        let _ = run(Command::new("ip").args(["netns", "delete", &network]));
    }
    cgroups::remove(&name);
    remove_links(Path::new("/var/log/containers"), state);
}

/// The kubelet makes a link to each container's log at a place of its own choice.
fn remove_links(folder: &Path, state: &Path) {
    let links = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for link in links.filter(|link| std::fs::read_link(link).is_ok_and(|target| target.starts_with(state))) {
        // One that stays leads nowhere.
        let _ = std::fs::remove_file(link);
    }
}

/// Ends processes until there are none.
fn end_all(find: impl Fn() -> Vec<i32>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ids = find();
        if ids.is_empty() || Instant::now() > deadline {
            return;
        }
        for id in ids.into_iter().map(Pid::from_raw) {
            // It may have ended between the look and the signal.
            let _ = kill(id, Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes of containerd, `containerd-shim-…`, that serve a socket below a folder.
fn watchers(folder: &Path) -> Vec<i32> {
    let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id: &i32| is_watcher(&std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default(), folder))
        .collect()
}

fn is_watcher(command_line: &[u8], folder: &Path) -> bool {
    let line = String::from_utf8_lossy(command_line);
    let mut words = line.split('\0').map(Path::new);
    let program = words.next().and_then(Path::file_name).unwrap_or_default();
    program.to_string_lossy().starts_with("containerd-shim") && words.any(|word| word.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_watchers_of_this_cluster_are_ended() {
        let folder = Path::new("/tmp/wanqu-testbed-a");
        let line = |words: &[&str]| words.join("\0").into_bytes();
        let shim = "/usr/bin/containerd-shim-runc-v2";
        assert!(is_watcher(&line(&[shim, "-address", "/tmp/wanqu-testbed-a/containerd.sock", ""]), folder));
        assert!(!is_watcher(&line(&[shim, "-address", "/tmp/wanqu-testbed-ab/containerd.sock"]), folder));
        assert!(!is_watcher(&line(&[shim, "-address", "/run/containerd/containerd.sock"]), folder));
        assert!(!is_watcher(&line(&["tail", "-f", "/tmp/wanqu-testbed-a/kubelet.log"]), folder));
        assert!(!is_watcher(b"", folder));
    }

    #[test]
    fn only_links_into_this_cluster_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let links = ["ours", "theirs", "file"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink("/tmp/wanqu-testbed-a/pod-logs/x", &links[0]).unwrap();
        std::os::unix::fs::symlink("/tmp/wanqu-testbed-ab/pod-logs/x", &links[1]).unwrap();
        std::fs::write(&links[2], "").unwrap();
        remove_links(folder.path(), Path::new("/tmp/wanqu-testbed-a"));
        assert_eq!(links.map(|link| link.is_symlink() || link.exists()), [false, true, true]);
    }
}
