//! A process without a free file descriptor: a test binary of its own, since the limit is the whole process's.

use std::fs::File;
use std::io::{Read, Seek};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wanqu_http::{Bounds, serve};
use wanqu_operator::framework::health::Health;
use wanqu_operator::framework::metrics::Metrics;
use wanqu_operator::framework::observe;

/// Returns the processor time that this process has taken, in hundredths of a second. The file is open already.
fn ticks(stat: &mut File) -> u64 {
    let mut text = String::new();
    stat.rewind().unwrap();
    stat.read_to_string(&mut text).unwrap();
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap().split(' ').collect();
    [11, 12].iter().map(|&field| fields[field].parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_accept_waits_and_goes_on_when_it_can() {
    let metrics = Metrics::new();
    let listener = observe::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut servers = JoinSet::new();
    let router = observe::router(Health::new(metrics.clone()), metrics);
    servers.spawn(serve(Arc::new(listener), router, Bounds::default()));
    let mut stat = File::open("/proc/self/stat").unwrap();
    let pid = std::process::id().to_string();
    let limited = Command::new("prlimit").args(["--pid", &pid, "--nofile=128:128"]).status().unwrap();
    assert!(limited.success());

    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // One descriptor for this end of a connection, and none for the server's.
    drop(taken.pop().expect("some descriptor was free"));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let before = ticks(&mut stat);
    // The time that is measured, not a time that is hoped to be enough.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let spent = ticks(&mut stat) - before;
    assert!(spent < 15, "{spent} hundredths of a second of processor time within a second of waiting");

    taken.clear();
    let mut answer = String::new();
    let answered = client.read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_mins(1), answered).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
}
