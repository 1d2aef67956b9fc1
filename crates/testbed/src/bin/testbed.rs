//! A cluster to try things on by hand: it runs until it is told to stop.
//!
//! ```sh
//! cargo run -p wanqu-testbed -- control-plane    # etcd and the API server
//! cargo run -p wanqu-testbed -- cluster          # with a node that runs pods; as root
//! cargo run -p wanqu-testbed -- policies         # with network policies enforced
//! ```

use std::path::Path;
use std::process::ExitCode;

use tokio::signal::ctrl_c;
use wanqu_testbed::{Cluster, ControlPlane, TestbedError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["control-plane"] => control_plane().await,
        ["cluster"] => cluster(Cluster::start().await).await,
        ["policies"] => cluster(Cluster::start_with_policies().await).await,
        _ => {
            eprintln!("testbed control-plane | cluster | policies");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn control_plane() -> Result<(), TestbedError> {
    let plane = ControlPlane::start().await?;
    stay(plane.admin().path()).await;
    plane.stop();
    Ok(())
}

async fn cluster(started: Result<Cluster, TestbedError>) -> Result<(), TestbedError> {
    let cluster = started?;
    stay(cluster.admin().path()).await;
    cluster.stop().await;
    Ok(())
}

/// Says how to reach it, and waits.
async fn stay(kubeconfig: &Path) {
    println!("export KUBECONFIG={}", kubeconfig.display());
    eprintln!("testbed: it runs; Ctrl-C ends it");
    if let Err(error) = ctrl_c().await {
        eprintln!("testbed: cannot wait for Ctrl-C, so it ends now: {error}");
    }
}
