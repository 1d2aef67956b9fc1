//! Waiting for the nodes to stop working: the state of their threads says it on a crowded machine too.

use std::fs;
use std::time::Duration;

use wanqu_testing::until;

/// The looks in a row at which no thread may be found working.
const TIMES: u32 = 20;

/// Waits until no thread of a node runs or wants to.
///
/// # Panics
/// If they still work after `patience`.
pub async fn nodes_are_idle(patience: Duration) {
    let mut idle = 0;
    until("the nodes doing nothing", patience, async || {
        let working = working();
        idle = if working.is_empty() { idle + 1 } else { 0 };
        if idle < TIMES { Err(format!("threads that work: {working:?}")) } else { Ok(()) }
    })
    .await;
}

/// Returns the names of the nodes' threads that run or want to (state R of `/proc/self/task/*/stat`).
fn working() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .filter_map(|task| {
            let stat = fs::read_to_string(task.path().join("stat")).ok()?;
            // `17 (node-HK) R 1 …`
            let (head, tail) = stat.rsplit_once(") ")?;
            let name = head.split_once('(')?.1;
            (name.starts_with("node-") && tail.starts_with('R')).then(|| name.to_owned())
        })
        .collect()
}
