//! One running node.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use wanqu_testing::{free_address, until_blocking};

use crate::world::World;

/// Longest time for anything. Generous: a machine may have much else to do.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Returns a command that starts a member's node on its files.
pub fn command(world: &World, member: &str, observation: SocketAddr, gateway: SocketAddr) -> Command {
    let (bundle, identity) = (world.bundle_volume(member), world.identity_volume(member));
    let mut command = Command::new(env!("CARGO_BIN_EXE_query-node"));
    command
        .env_clear()
        .env("WANQU_BUNDLE", bundle.join("bundle.json.gz"))
        .env("WANQU_NODE_CERT", identity.join("node.pem"))
        .env("WANQU_NODE_KEY", identity.join("node.key"))
        .env("WANQU_GATEWAY_CERT", identity.join("gateway.pem"))
        .env("WANQU_GATEWAY_KEY", identity.join("gateway.key"))
        .env("WANQU_AUDIT", world.node(member).join("audit"))
        .env("WANQU_EXCHANGE_LISTEN", world.exchange(member).to_string())
        .env("WANQU_GATEWAY_LISTEN", gateway.to_string())
        .env("WANQU_OBSERVATION_LISTEN", observation.to_string());
    command
}

/// Node that runs as a process, which is killed when this is dropped.
pub struct Process {
    child: Child,
    pub observation: SocketAddr,
    pub gateway: SocketAddr,
    log: PathBuf,
    output: PathBuf,
}

impl Process {
    /// Starts a node and waits until it is ready.
    pub fn start(world: &World, member: &str, extra: &[(&str, &str)]) -> Self {
        let (observation, gateway) = (free_address(), free_address());
        let (log, output) = (world.node(member).join("log"), world.node(member).join("output"));
        let child = command(world, member, observation, gateway)
            .envs(extra.iter().copied())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let process = Self { child, observation, gateway, log, output };
        process.answers("/readyz", 200, "ok drain");
        process
    }

    /// Sends one request to the observation port, and returns the status and the body.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        request(self.observation, &format!("GET {path}"))
    }

    /// Waits until a path answers with a status and a text.
    pub fn answers(&self, path: &str, status: u16, text: &str) -> String {
        until_blocking(&format!("{path} saying {status} {text:?}"), PATIENCE, || match self.get(path) {
            Some((found, body)) if found == status && body.contains(text) => Ok(body),
            last => Err(format!("{last:?}; the log:\n{}", self.log())),
        })
    }

    /// Returns its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Returns its standard output so far, where a node says nothing.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.output).unwrap()
    }

    /// Tells it to end, as a supervisor does.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().unwrap().success());
    }

    /// Waits until it has ended.
    pub fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until_blocking("the node's end", PATIENCE, || child.try_wait().unwrap().ok_or("it runs"))
    }

    /// Returns true if it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends one request, `METHOD PATH`, over a connection of its own; `None` if there is no answer.
pub fn request(address: SocketAddr, what: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("{what} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
