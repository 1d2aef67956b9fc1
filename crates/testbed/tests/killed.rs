//! A test that is killed leaves no program running, and what else it leaves is cleared by the next one.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wanqu_testbed::{Cluster, until};

/// The programs that name a file of this folder.
fn programs(folder: &Path) -> Vec<String> {
    let output = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let needle = format!("{}/", folder.display());
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains(&needle)).map(str::to_owned).collect()
}

fn mounted(folder: &Path) -> bool {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&format!("{}/", folder.display()))
}

#[tokio::test]
async fn a_cluster_whose_test_is_killed_ends_with_it_and_is_cleared_by_the_next() {
    let mut killed = Command::new(env!("CARGO_BIN_EXE_testbed")).arg("cluster").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(killed.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let kubeconfig = PathBuf::from(line.trim().strip_prefix("export KUBECONFIG=").unwrap());
    let folder = kubeconfig.parent().unwrap();
    assert!(programs(folder).len() >= 8, "{:?}", programs(folder));
    killed.kill().unwrap();
    killed.wait().unwrap();

    until("its programs ending", Duration::from_secs(30), async || {
        let left = programs(folder);
        Ok(if left.is_empty() { Ok(()) } else { Err(left.join("\n")) })
    })
    .await
    .unwrap();
    assert!(folder.exists(), "there is something to clear");

    let next = Cluster::start().await.unwrap();
    assert!(!folder.exists() && !mounted(folder), "the folder and its mounts");
    next.stop().await;
}
