//! Whether nodes still work: by the state of their threads, which says it on a crowded machine too.

use std::fs;
use std::time::{Duration, Instant};

/// How often in a row nobody must be found working.
const TIMES: u32 = 20;

/// Waits until no thread of a node runs or wants to.
///
/// # Errors
/// If they still work after `patience`.
pub async fn nodes_are_idle(patience: Duration) -> Result<(), String> {
    let begun = Instant::now();
    let mut idle = 0;
    while idle < TIMES {
        let working = working();
        idle = if working.is_empty() { idle + 1 } else { 0 };
        if begun.elapsed() > patience {
            return Err(format!("threads still work: {working:?}"));
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Ok(())
}

/// The names of the nodes' threads that run or want to (state R of `/proc/self/task/*/stat`).
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
