//! Three nodes, each a process of its own as in a pod: the real program, its files, mutual TLS on loopback.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use wanqu_crds::{Placement, Placements, compile, manifests};
use wanqu_http::Http;
use wanqu_identity::{Authority, TokenIssuer, Validity};
use wanqu_model::names::JurisdictionId;
use wanqu_testing::{free_address, until};

use crate::bed::WITHIN;

/// The world's manifests.
pub const WORLD: &str = include_str!("world.yaml");

/// An issuer that vouches for researchers at a terminal.
const ID: &str = "https://id.hk.test";

/// The nodes of the world.
pub struct Nodes {
    folder: TempDir,
    gateway: SocketAddr,
    observation: SocketAddr,
    authority: Authority,
    processes: Vec<Child>,
    id: TokenIssuer,
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that has ended already is no matter.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Nodes {
    /// Starts them; Hong Kong accepts tokens of `kubernetes`.
    pub async fn start(kubernetes: &TokenIssuer) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let validity = Validity::days(Timestamp::now(), 1);
        let id = TokenIssuer::new(ID).unwrap();
        let ids = ["CN-SZ", "HK", "MO"].map(|id| id.parse::<JurisdictionId>().unwrap());
        let mut placements = Placements { base: Some(folder.path().display().to_string()), members: BTreeMap::new() };
        let (mut authorities, mut exchanges) = (BTreeMap::new(), BTreeMap::new());
        for jurisdiction in &ids {
            let authority = Authority::new(jurisdiction.clone(), "gba.test", validity).unwrap();
            let exchange = free_address();
            let keys = [(ID, &id), ("kubernetes", kubernetes)];
            let keys = keys.map(|(name, issuer)| (name.to_owned(), vec![issuer.public_key_pem()]));
            placements.members.insert(
                jurisdiction.clone(),
                Placement {
                    endpoint: Some(exchange.to_string()),
                    ca: Some(authority.certificate_pem().to_owned()),
                    issuer_keys: if jurisdiction.as_str() == "HK" { keys.into() } else { BTreeMap::new() },
                    data_root: None,
                },
            );
            authorities.insert(jurisdiction.clone(), authority);
            exchanges.insert(jurisdiction.clone(), exchange);
        }
        let bundles = compile(&manifests::parse(WORLD, "world.yaml").unwrap(), &placements).unwrap();
        let (gateway, observation) = (free_address(), free_address());
        let mut processes = Vec::new();
        for (jurisdiction, bundle) in bundles {
            let home = folder.path().join(jurisdiction.as_str());
            data(&folder.path().join("data").join(jurisdiction.as_str()), jurisdiction.as_str());
            std::fs::create_dir_all(&home).unwrap();
            std::fs::write(home.join("bundle.json"), serde_json::to_string(&bundle).unwrap()).unwrap();
            authorities[&jurisdiction].issue_node(validity).unwrap().save(&home).unwrap();
            authorities[&jurisdiction].issue_gateway(validity).unwrap().save(&home).unwrap();
            let is_home = jurisdiction.as_str() == "HK";
            let doors = if is_home { (gateway, observation) } else { (free_address(), free_address()) };
            processes.push(node(&home, exchanges[&jurisdiction], doors));
        }
        let authority = authorities.remove(&ids[1]).unwrap();
        let nodes = Self { folder, gateway, observation, authority, processes, id };
        until("the home node's gateway", WITHIN, async || std::net::TcpStream::connect(nodes.gateway).map(drop)).await;
        nodes
    }

    /// Returns the address of the home node's gateway.
    pub fn gateway(&self) -> String {
        self.gateway.to_string()
    }

    /// The CA that vouches for it, PEM.
    pub fn ca(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// The home's certificate authority: its certificate and its key, PEM.
    pub fn authority(&self) -> (String, String) {
        (self.ca().to_owned(), self.authority.key_pem())
    }

    /// Returns the command line's answer to a query that wei asks at a terminal, as CSV.
    pub fn command_line(&self, sql: &str) -> String {
        let token = self.id.issue("wei", "wanqu", Timestamp::now(), Duration::from_mins(5)).unwrap();
        let (ca, file) = (self.folder.path().join("ca.pem"), self.folder.path().join("token"));
        std::fs::write(&ca, self.ca()).unwrap();
        std::fs::write(&file, token).unwrap();
        let output = Command::new(program("wanqu"))
            .args(["query", "--format", "csv", "--quiet", "--project", "capacity", "--purpose", "health-planning"])
            .arg("--gateway")
            .arg(format!("https://{}", self.gateway))
            .arg("--ca")
            .arg(&ca)
            .arg("--token-file")
            .arg(&file)
            .arg(sql)
            .output()
            .unwrap();
        let Output { status, stdout, stderr } = output;
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// The home node's audit log, an entry a line.
    pub fn audit(&self) -> String {
        let log = self.folder.path().join("HK").join("audit");
        let output =
            Command::new(program("wanqu")).args(["audit", "--format", "ndjson", "--log"]).arg(log).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the number of questions that the home node is answering.
    pub async fn questions(&self) -> String {
        let (_, body) = Http::new().get(&self.observation.to_string(), "/metrics").await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        let line = text.lines().find(|line| line.contains("running{") && line.contains("gateway"));
        line.and_then(|line| line.rsplit_once(' ')).map_or_else(|| text.clone(), |(_, count)| count.to_owned())
    }

    /// Waits until the home node is answering so many.
    pub async fn until_questions(&self, expected: &str) {
        until("the home node's questions", WITHIN, async || {
            let found = self.questions().await;
            if found == expected { Ok(()) } else { Err(found) }
        })
        .await;
    }
}

fn node(home: &Path, exchange: SocketAddr, (gateway, observation): (SocketAddr, SocketAddr)) -> Child {
    let log = std::fs::File::create(home.join("log")).unwrap();
    let file = |flag: &str, name: &str| format!("--{flag}={}", home.join(name).display());
    Command::new(program("query-node"))
        .args([file("bundle", "bundle.json"), file("node-cert", "node.pem"), file("node-key", "node.key")])
        .args([file("gateway-cert", "gateway.pem"), file("gateway-key", "gateway.key")])
        .args([file("audit", "audit"), file("results", "results")])
        .arg(format!("--exchange-listen={exchange}"))
        .arg(format!("--gateway-listen={gateway}"))
        .arg(format!("--observation-listen={observation}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// Ten people with two visits each in two specialties; in Macau, two more in a third, which no rule lets out.
fn data(home: &Path, jurisdiction: &str) {
    std::fs::create_dir_all(home).unwrap();
    let mut visits = "patient,specialty\n".to_owned();
    for person in 0..10 {
        let specialty = if person % 2 == 0 { "cardiology" } else { "oncology" };
        visits.push_str(&format!("{jurisdiction}-{person},{specialty}\n").repeat(2));
    }
    if jurisdiction == "MO" {
        visits.push_str("MO-98,rare\nMO-99,rare\n");
    }
    std::fs::write(home.join("visits.csv"), visits).unwrap();
    let hours: Vec<String> = (0..2000).map(|hour| hour.to_string()).collect();
    std::fs::write(home.join("air.csv"), format!("hour\n{}\n", hours.join("\n"))).unwrap();
}

/// A program of this workspace: the one that lies beside this test, or else one that is built for it.
pub fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let test = std::env::current_exe().expect("a test is a program");
        let beside =
            test.parent().and_then(Path::parent).expect("cargo puts tests into a folder of their own").to_owned();
        if ["query-node", "wanqu"].iter().any(|name| !beside.join(name).exists()) {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--package", "query-node", "--package", "wanqu-cli", "--bins"]);
            build.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
            assert!(build.status().expect("cargo runs").success(), "query-node does not build");
        }
        beside
    });
    folder.join(name)
}
