//! Mounts below a folder. A folder is removed only when nothing is mounted below it, or the removal would reach through.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

/// Removes a folder with all that is mounted below it. What cannot be unmounted keeps the folder.
pub(crate) fn remove_with_mounts(folder: &Path) {
    release(folder);
    if below(folder).is_empty() {
        // Another process may be at it already, and what does not go now goes next time.
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Unmounts all that is mounted below a folder.
pub(crate) fn release(folder: &Path) {
    for point in below(folder).iter().rev() {
        // A mount that is still busy goes when its last user does.
        let _ = umount2(point, MntFlags::MNT_DETACH);
    }
}

/// The mount points below a folder, in the order in which they were mounted.
fn below(folder: &Path) -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    points(&table, folder)
}

fn points(table: &str, folder: &Path) -> Vec<PathBuf> {
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape).map(PathBuf::from);
    points.filter(|point| point.starts_with(folder) && point != folder).collect()
}

/// The kernel writes a blank, a tab, a line feed and a backslash as three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mounts_below_a_folder_are_found_and_no_others() {
        let table = "\
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:30 / /tmp/t1/pods/a rw - tmpfs tmpfs rw
31 22 0:31 / /tmp/t1/pods/a\\040b rw shared:1 - tmpfs tmpfs rw
32 22 0:32 / /tmp/t10/x rw - tmpfs tmpfs rw
33 22 0:33 / /tmp/t1 rw - tmpfs tmpfs rw
";
        assert_eq!(points(table, Path::new("/tmp/t1")), ["/tmp/t1/pods/a", "/tmp/t1/pods/a b"].map(PathBuf::from));
    }
}
