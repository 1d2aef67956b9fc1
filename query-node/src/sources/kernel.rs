//! File systems that the kernel makes up: their files hold the state of processes and of the machine, and no data.

use std::fs::File;

/// Their numbers (`statfs(2)`): proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, configfs, nsfs, devpts, mqueue.
#[cfg(target_os = "linux")]
const MADE_UP: [u64; 11] = [
    0x9fa0,
    0x6265_6572,
    0x0027_e0eb,
    0x6367_7270,
    0x6462_6720,
    0x7472_6163,
    0x7363_6673,
    0x6265_6570,
    0x6e73_6673,
    0x1cd1,
    0x1980_0202,
];

/// Checks that a file or folder lies in a file system that can hold data.
///
/// # Errors
/// The reason why not, for the owner's log.
#[cfg(target_os = "linux")]
pub fn check(handle: &File) -> Result<(), String> {
    let seen = rustix::fs::fstatfs(handle).map_err(|error| format!("its file system cannot be looked at: {error}"))?;
    // The width of the number depends on the machine.
    if u64::try_from(seen.f_type).is_ok_and(|number| MADE_UP.contains(&number)) {
        return Err("it lies in a file system of the kernel's own, which holds no data".to_owned());
    }
    Ok(())
}

/// Checks nothing: other systems have no such file systems.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub fn check(_: &File) -> Result<(), String> {
    Ok(())
}
