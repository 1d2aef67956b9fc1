//! A question through the pods of a cluster has the answer that it has on a laptop, and none once an agreement is suspended.

use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wanqu_cluster_tests::{federation, programs, root};
use wanqu_identity::TokenIssuer;
use wanqu_testbed::{Cluster, until};

const SOON: Duration = Duration::from_mins(3);
const SQL: &str = "SELECT jurisdiction, specialty, count(*) AS visits, avg(cost_cny) AS cost FROM gba.health.visits \
                   GROUP BY jurisdiction, specialty ORDER BY jurisdiction, specialty";

/// `wanqu`, with a state folder of its own.
fn wanqu(state: &Path) -> Command {
    let mut command = Command::new(&programs()[1]);
    command.env("WANQU_HOME", state);
    command
}

/// Asks at Hong Kong, by these arguments.
fn ask(state: &Path, at: &[&str]) -> Output {
    let why = ["--project", "cross-border-care", "--purpose", "health-planning", "--format", "csv", "--quiet"];
    wanqu(state).arg("query").args(at).args(why).arg(SQL).output().unwrap()
}

async fn answer(what: &str, state: &Path, at: &[&str]) -> String {
    until(what, SOON, async || {
        let output = ask(state, at);
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) })
    })
    .await
    .unwrap()
}

/// The same federation on this machine, over the same records; it ends when it is dropped.
struct Laptop(Child);

impl Laptop {
    fn start(state: &Path) -> Self {
        for (id, name) in [("CN-SZ", "shenzhen"), ("HK", "hongkong"), ("MO", "macau")] {
            let into = state.join("data").join(name);
            let samples = ["samples", "--jurisdiction", id, "--visits", "100000", "--into"];
            let output = wanqu(state).args(samples).arg(into).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        let mut up = wanqu(state);
        up.args(["up", "--filename"]).arg(root().join("examples/gba")).arg("--data").arg(state);
        Self(up.spawn().unwrap())
    }
}

impl Drop for Laptop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes an issuer of tokens known to Hong Kong, and writes a researcher's token and the CA of its gateway.
fn let_in(cluster: &Cluster, folder: &Path) {
    let issuer = TokenIssuer::new("https://issuer.wanqu.local", "gba.example").unwrap();
    let keys = serde_json::json!([{"op": "add", "path": "/spec/issuers/0/publicKeys", "value": issuer.as_issuer().public_keys}]);
    let patch = keys.to_string();
    cluster
        .kubectl(&["--namespace=gba", "patch", "jurisdiction", "hongkong", "--type=json", "--patch", &patch])
        .unwrap();
    let now = Timestamp::now();
    let token = issuer.issue("researcher@hku.example", now, Duration::from_mins(30)).unwrap();
    std::fs::write(folder.join("token"), token).unwrap();
    let template = "--output=go-template={{index .data \"ca.pem\" | base64decode}}";
    let ca = cluster.kubectl(&["--namespace=gba-hongkong", "get", "secret", "hongkong-ca", template]).unwrap();
    std::fs::write(folder.join("ca.pem"), ca).unwrap();
}

#[tokio::test]
async fn a_question_through_pods_is_answered_as_on_a_laptop_until_its_agreement_is_suspended() {
    let (cluster, _shell) = federation().await;
    let folder = tempfile::tempdir().unwrap();
    let _laptop = Laptop::start(folder.path());
    let_in(&cluster, folder.path());

    let service =
        ["--namespace=gba-hongkong", "get", "service", "hongkong-gateway", "--output=jsonpath={.spec.clusterIP}"];
    let address = format!("{}:8443", cluster.kubectl(&service).unwrap());
    let forward = cluster.forward(address.parse().unwrap()).unwrap();
    let gateway = format!("https://{}", forward.address());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (ca, token) = (file("ca.pem"), file("token"));
    let at = ["--gateway", &gateway, "--ca", &ca, "--token-file", &token];
    let through_pods = answer("the cluster answering", folder.path(), &at).await;
    let on_a_laptop = answer("the laptop answering", folder.path(), &["--node", "HK"]).await;
    assert!(through_pods.lines().count() > 10, "{through_pods}");
    assert_eq!(through_pods, on_a_laptop);

    let suspend = ["--type=merge", "--patch", r#"{"spec": {"state": "Suspended"}}"#];
    let agreement = ["--namespace=gba", "patch", "datasharingagreement", "shenzhen-to-hongkong"];
    cluster.kubectl(&[&agreement[..], &suspend[..]].concat()).unwrap();
    let began = Instant::now();
    let refusal = until("the question being refused", SOON, async || {
        let output = ask(folder.path(), &at);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(if output.status.success() { Err(said) } else { Ok(said) })
    })
    .await
    .unwrap();
    println!("refused {:.1} s after the agreement was suspended", began.elapsed().as_secs_f64());
    assert!(refusal.contains("agreement"), "{refusal}");
    drop(forward);
    cluster.stop().await;
}
