//! The bound on what all queries of this process reserve together.
//!
//! Each query has a bound of its own, and there may be many queries: their bounds together are more than any machine has.
//! So what they reserve is counted once for the process, and held to a part of what the machine, or its control group, has.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that all queries of the process have reserved.
static RESERVED: AtomicUsize = AtomicUsize::new(0);

/// The bound on them, in bytes.
static MOST: OnceLock<usize> = OnceLock::new();

/// Sets the bound for this process, in MiB. The first one that is set, or was needed, holds.
pub fn bound_memory(mib: u32) {
    let _ = MOST.set((mib as usize).saturating_mul(1 << 20));
}

/// Returns the bound, in bytes: the one that was set, or two thirds of what there is.
pub(super) fn most() -> usize {
    *MOST.get_or_init(|| {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"].map(read);
        part_of(&read("/proc/meminfo"), &groups)
    })
}

/// Reserves more if the bound allows it. Returns true if it does.
pub(super) fn reserve(bytes: usize) -> bool {
    let allowed = |reserved: usize| reserved.checked_add(bytes).filter(|sum| *sum <= most());
    RESERVED.fetch_update(Ordering::SeqCst, Ordering::SeqCst, allowed).is_ok()
}

/// Counts what was reserved without asking.
pub(super) fn count(bytes: usize) {
    RESERVED.fetch_add(bytes, Ordering::SeqCst);
}

/// Gives back.
pub(super) fn free(bytes: usize) {
    RESERVED.fetch_sub(bytes, Ordering::SeqCst);
}

/// Returns two thirds of the least of the machine's memory and what control groups allow; no bound if nothing is known.
fn part_of(meminfo: &str, groups: &[String]) -> usize {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<usize>().ok());
    let total = total.map(|kib| kib.saturating_mul(1024));
    let groups = groups.iter().filter_map(|text| text.trim().parse::<usize>().ok());
    total.into_iter().chain(groups).min().map_or(usize::MAX, |least| least / 3 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_a_part_of_the_least_that_there_is() {
        const MACHINE: &str = "MemTotal:        6144 kB\nMemFree:  9 kB\n";
        let group = |text: &str| [text.to_owned()];
        assert_eq!(part_of(MACHINE, &group("max\n")), 4 << 20);
        assert_eq!(part_of(MACHINE, &group("3145728\n")), 2 << 20);
        assert_eq!(part_of(MACHINE, &group("9223372036854771712\n")), 4 << 20, "a group without a limit");
        assert_eq!(part_of("", &[]), usize::MAX);
    }
}
