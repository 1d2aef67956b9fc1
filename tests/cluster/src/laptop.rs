//! The same federation on this machine, over the same records.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use wanqu_testbed::until;

use crate::{programs, root};

const SOON: Duration = Duration::from_mins(3);

/// `wanqu up` over the examples; it ends when this is dropped.
pub struct Laptop {
    up: Child,
    home: TempDir,
}

impl Laptop {
    /// Makes the records that the jobs of the tutorial make, and starts.
    ///
    /// # Panics
    /// If it cannot.
    #[must_use]
    pub fn start() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        for (id, name) in [("CN-SZ", "shenzhen"), ("HK", "hongkong"), ("MO", "macau")] {
            let samples = ["samples", "--jurisdiction", id, "--visits", "100000", "--into"];
            let output = wanqu(home.path()).args(samples).arg(home.path().join("data").join(name)).output();
            assert!(output.as_ref().is_ok_and(|output| output.status.success()), "{output:?}");
        }
        let mut up = wanqu(home.path());
        up.args(["up", "--filename"]).arg(root().join("examples/gba")).arg("--data").arg(home.path());
        // Its greeting is for people.
        up.stdout(Stdio::null());
        Self { up: up.spawn().expect("it starts"), home }
    }

    /// Returns what `wanqu query` prints for a query of Hong Kong's node, once the nodes are up.
    ///
    /// # Panics
    /// If it is not answered.
    pub async fn answer(&self, sql: &str) -> String {
        self.query("the laptop answering", &["--node", "HK"], sql).await
    }

    /// Returns what `wanqu query` prints for a query of another gateway: its address, its authorities and a token.
    ///
    /// # Panics
    /// If it is not answered.
    pub async fn answer_of(&self, gateway: &str, authorities: &str, token: &str, sql: &str) -> String {
        let file = |name: &str, text: &str| {
            let path = self.home.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let (ca, token) = (file("ca.pem", authorities), file("token", token));
        self.query("the cluster answering", &["--gateway", gateway, "--ca", &ca, "--token-file", &token], sql).await
    }

    async fn query(&self, what: &str, at: &[&str], sql: &str) -> String {
        let why = ["--project", "cross-border-care", "--purpose", "health-planning", "--format", "csv", "--quiet"];
        until(what, SOON, async || {
            let output = wanqu(self.home.path()).arg("query").args(at).args(why).arg(sql).output().expect("it runs");
            let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Ok(if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) })
        })
        .await
        .expect("an answer")
    }
}

impl Drop for Laptop {
    fn drop(&mut self) {
        // One that has ended already is no matter.
        let _ = self.up.kill();
        let _ = self.up.wait();
    }
}

/// `wanqu`, with a state folder of its own.
fn wanqu(home: &Path) -> Command {
    let mut command = Command::new(&programs()[1]);
    command.env("WANQU_HOME", home);
    command
}
