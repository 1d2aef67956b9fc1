//! A federation of two jurisdictions that `wanqu up` runs in a process of its own, and ways to ask it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// Patients by ward, of Hong Kong and of Macau. The rule asks for three.
const WARDS: [(&str, u32, u32); 2] = [("surgery", 9, 8), ("eyes", 7, 1)];

/// Rows of Macau's public table; the product of a few of them is endless.
const HOURS: u32 = 1000;

/// Manifests and data in a folder.
pub struct World(TempDir);

impl World {
    /// Writes it.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("federation.yaml"), include_str!("../world/federation.yaml")).unwrap();
        let mut visits = [String::from("patient,ward,cost\n"), String::from("patient,ward,cost\n")];
        for (ward, hongkong, macau) in WARDS {
            for (city, patients) in [hongkong, macau].into_iter().enumerate() {
                visits[city].extend((0..patients).map(|n| format!("{ward}-{n},{ward},{}\n", 100 + n)));
            }
        }
        for (city, visits) in ["hongkong", "macau"].iter().zip(visits) {
            fs::create_dir(folder.path().join(city)).unwrap();
            fs::write(folder.path().join(city).join("visits.csv"), visits).unwrap();
        }
        let hours: Vec<String> = (0..HOURS).map(|hour| hour.to_string()).collect();
        fs::write(folder.path().join("macau/hours.csv"), format!("hour\n{}\n", hours.join("\n"))).unwrap();
        Self(folder)
    }

    /// The folder of the manifests.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The folder in which a federation keeps its state.
    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// `wanqu` with this folder's state, and nothing of the environment that would change it.
    pub fn wanqu(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wanqu"));
        for variable in [
            "WANQU_GATEWAY",
            "WANQU_CA",
            "WANQU_TOKEN_FILE",
            "WANQU_PROJECT",
            "WANQU_PURPOSE",
            "WANQU_PARTIAL",
            "RUST_LOG",
        ] {
            command.env_remove(variable);
        }
        command.env("WANQU_HOME", self.state()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.wanqu(arguments).output().unwrap())
    }
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// A federation that runs. It is killed when it is dropped.
pub struct Up {
    pub world: World,
    /// Output until it was up.
    pub said: String,
    process: Child,
}

impl Up {
    /// Starts `wanqu up` and waits until it says that it is up.
    pub fn start() -> Self {
        let world = World::new();
        let command = world.wanqu(&["up", "-f", world.path().to_str().unwrap()]);
        Self::with(world, command)
    }

    /// The same by another command.
    pub fn with(world: World, mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("Ctrl-C ends it.") {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap() == 0 {
                let mut err = String::new();
                process.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("it did not come up: {said}{err}");
            }
            said += &line;
        }
        Self { world, said, process }
    }

    /// Asks, and waits for the end.
    pub fn query(&self, arguments: &[&str]) -> Ended {
        self.world.run(&[&["query"], arguments].concat())
    }

    /// Returns the entries of an owner's audit log, as `wanqu audit` gives them, that hold all of these texts.
    pub fn audited(&self, owner: &str, texts: &[&str]) -> Vec<String> {
        let read = self.world.run(&["audit", "--node", owner, "--format", "ndjson"]);
        assert_eq!(read.code, Some(0), "{read:?}");
        read.out.lines().filter(|line| texts.iter().all(|text| line.contains(text))).map(str::to_owned).collect()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a signal, as a terminal does.
pub fn signal(process: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &process.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
