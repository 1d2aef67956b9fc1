//! Three clusters, joined by lines that can be cut, and who sits at each.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use wanqu_cluster_tests::{Laptop, Shell, archive, follow, state};
use wanqu_testbed::{Cluster, Link, until};

/// The longest that anything may take on a machine that is busy.
pub const SOON: Duration = Duration::from_mins(4);

/// The page that is followed.
const PAGE: &str = "docs/three-clusters.md";

/// One member: its cluster, and a shell of its administrator, whose cluster is no other's.
pub struct Member {
    name: &'static str,
    cluster: Cluster,
    shell: Shell,
}

/// Result of a query.
pub struct Said {
    /// The exit code of the command.
    pub code: Option<i32>,
    /// The rows, as CSV.
    pub rows: String,
    /// The account, or why there are no rows.
    pub account: String,
}

/// The three of them.
pub struct Bay {
    pub shenzhen: Member,
    pub hongkong: Member,
    pub macau: Member,
    /// Between Hong Kong and Macau.
    pub line: Link,
    others: [Link; 2],
    pub laptop: Laptop,
    _handed: TempDir,
    since: Instant,
}

impl Bay {
    /// Starts the clusters, each with the project's image, and joins each to each.
    pub async fn start() -> Self {
        let since = Instant::now();
        let archive = archive().unwrap();
        let handed = tempfile::tempdir().unwrap();
        // Hong Kong's holds to network policies, so that those of its node are seen to let its questions pass.
        let (shenzhen, hongkong, macau) =
            tokio::join!(Cluster::start(), Cluster::start_with_policies(), Cluster::start());
        let member = |name, others: &str, cluster: Cluster| {
            cluster.import(&archive).unwrap();
            let shell = Shell::new(&cluster)
                .with("MEMBER", name)
                .with("OTHERS", others)
                .with("HOST", cluster.node_address().to_string())
                .with("CIDR", cluster.addresses())
                .with("HANDED", handed.path().display().to_string());
            Member { name, cluster, shell }
        };
        let shenzhen = member("shenzhen", "hongkong macau", shenzhen.unwrap());
        let hongkong = member("hongkong", "shenzhen macau", hongkong.unwrap());
        let macau = member("macau", "shenzhen hongkong", macau.unwrap());
        let join = |one: &Member, other: &Member| one.cluster.join(&other.cluster).unwrap();
        let (line, others) = (join(&hongkong, &macau), [join(&shenzhen, &hongkong), join(&shenzhen, &macau)]);
        let laptop = Laptop::start();
        Self { shenzhen, hongkong, macau, line, others, laptop, _handed: handed, since }
    }

    /// Prints what was done since it last did.
    pub fn passed(&mut self, what: &str) {
        let took = std::mem::replace(&mut self.since, Instant::now()).elapsed().as_secs_f64();
        println!("{took:5.1} s  {what}");
    }

    /// Follows a section of the page at all three, as each would for itself.
    pub fn each(&self, heading: &str) {
        thread::scope(|scope| {
            for member in [&self.shenzhen, &self.hongkong, &self.macau] {
                scope.spawn(|| member.follow(heading));
            }
        });
    }

    pub async fn stop(self) {
        drop((self.line, self.others, self.laptop));
        tokio::join!(self.shenzhen.cluster.stop(), self.hongkong.cluster.stop(), self.macau.cluster.stop());
    }
}

impl Member {
    /// Follows a section of the page, and gives what each of its commands printed.
    pub fn follow(&self, heading: &str) -> Vec<String> {
        follow(&self.shell, PAGE, heading)
            .unwrap_or_else(|failure| panic!("at {}: {failure}\n{}", self.name, state(&self.cluster)))
    }

    /// Asks as the page does.
    pub fn ask(&self, sql: &str, more: &str) -> Said {
        let command = format!(
            "kubectl wanqu query --namespace gba --as researcher@hku.example --from HK --project cross-border-care \
             --purpose health-planning --format csv {more} \"{sql}\""
        );
        let output = self.shell.output(&command).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), rows: text(&output.stdout), account: text(&output.stderr) }
    }

    /// Asks until the answer is as it should be.
    pub async fn ask_until(&self, what: &str, sql: &str, good: impl Fn(&Said) -> bool) -> Said {
        until(what, SOON, async || {
            let said = self.ask(sql, "");
            Ok(if good(&said) { Ok(said) } else { Err(format!("{}{}", said.rows, said.account)) })
        })
        .await
        .unwrap()
    }

    /// Waits for a condition of an agreement, and gives its message.
    pub async fn agreed(&self, agreement: &str, status: &str, reason: &str) -> String {
        let get = ["get", "datasharingagreement", agreement, "--namespace=gba", "--output=json"];
        until(&format!("{agreement} being Agreed={status} {reason} at {}", self.name), SOON, async || {
            let object: Value = serde_json::from_str(&self.cluster.kubectl(&get)?).unwrap();
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let agreed = conditions.iter().find(|condition| condition["type"] == "Agreed").cloned().unwrap_or_default();
            let so = agreed["status"] == status && agreed["reason"] == reason;
            let message = agreed["message"].as_str().unwrap_or_default().to_owned();
            Ok(if so { Ok(message) } else { Err(agreed.to_string()) })
        })
        .await
        .unwrap()
    }

    /// Has one external member's node vouched for by the authority of another.
    pub fn takes_for_authority(&self, member: &str, of: &str) {
        let authority = "--output=jsonpath={.spec.placement.external.ca}";
        let ca = self.cluster.kubectl(&["--namespace=gba", "get", "jurisdiction", of, authority]).unwrap();
        let patch = json!({"spec": {"placement": {"external": {"ca": ca}}}}).to_string();
        let merge = ["--namespace=gba", "patch", "jurisdiction", member, "--type=merge", "--patch", &patch];
        self.cluster.kubectl(&merge).unwrap();
    }

    /// Returns the message about a missing member in the status of a query.
    pub fn missing(&self, query: &str) -> Value {
        let get = ["get", "federatedquery", query, "--namespace=gba", "--output=json"];
        let object: Value = serde_json::from_str(&self.cluster.kubectl(&get).unwrap()).unwrap();
        let parts = object["status"]["runs"][0]["jurisdictions"].as_array().cloned().unwrap_or_default();
        parts.into_iter().find(|part| part["jurisdiction"] == "MO").unwrap_or_default()["missing"].take()
    }
}
