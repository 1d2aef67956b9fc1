//! The cgroups of one cluster. Each has a root of its own: two kubelets under one would end each other's pods as orphans.

use std::path::{Path, PathBuf};

use crate::error::{Result, TestbedError};

const MOUNT: &str = "/sys/fs/cgroup";

/// Makes a cluster's root in every hierarchy.
pub(super) fn make(name: &str) -> Result<()> {
    for hierarchy in hierarchies() {
        let group = hierarchy.join(name);
        std::fs::create_dir_all(&group).map_err(TestbedError::io(&group))?;
        // In version 1 a new group has no processors and no memory until it is given some.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if let Ok(all) = std::fs::read_to_string(hierarchy.join(file)) {
                let path = group.join(file);
                std::fs::write(&path, all).map_err(TestbedError::io(&path))?;
            }
        }
    }
    Ok(())
}

/// The processes in a cluster's groups.
pub(super) fn members(name: &str) -> Vec<i32> {
    let mut ids: Vec<i32> = groups(name)
        .iter()
        .filter_map(|group| std::fs::read_to_string(group.join("cgroup.procs")).ok())
        .flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<_>>())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Removes a cluster's groups, which hold no process any more.
pub(super) fn remove(name: &str) {
    for group in groups(name).iter().rev() {
        // An empty group that stays harms nobody.
        let _ = std::fs::remove_dir(group);
    }
}

/// One folder in version 2; one for each controller in version 1, and one without any where both versions are in use.
fn hierarchies() -> Vec<PathBuf> {
    let mount = Path::new(MOUNT);
    if mount.join("cgroup.controllers").exists() {
        return vec![mount.to_owned()];
    }
    let folders = std::fs::read_dir(mount).into_iter().flatten().flatten().map(|entry| entry.path());
    folders.filter(|folder| folder.is_dir() && !folder.is_symlink()).collect()
}

/// A cluster's groups in every hierarchy, each before those below it.
fn groups(name: &str) -> Vec<PathBuf> {
    let mut groups = Vec::new();
    let mut next: Vec<PathBuf> =
        hierarchies().into_iter().map(|hierarchy| hierarchy.join(name)).filter(|group| group.is_dir()).collect();
    while let Some(group) = next.pop() {
        let below = std::fs::read_dir(&group).into_iter().flatten().flatten().map(|entry| entry.path());
        next.extend(below.filter(|path| path.is_dir()));
        groups.push(group);
    }
    groups
}
