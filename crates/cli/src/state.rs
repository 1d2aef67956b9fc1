//! The state folder: the record of how a local federation can be reached, its logs and its sample data.
//!
//! ```text
//! STATE/
//!   lock               held by the process that runs the federation, for as long as it runs
//!   federation.json    its nodes: gateway, CA, tokens, bundle, audit log (mode 0600, as are the tokens)
//!   nodes/HK/…         each node's own folder
//!   gba/               the manifests and sample data of `wanqu demo`
//! ```

use std::env;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wanqu_model::bundle::Subject;
use wanqu_model::names::{JurisdictionId, Purpose, ResourceName};

use super::failure::{Failure, Outcome};

/// A running local federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FederationState {
    /// The federation's name.
    pub federation: ResourceName,
    /// Id of the process that runs it, for messages.
    pub pid: u32,
    /// Time of its start.
    pub started_at: Timestamp,
    /// The home node for queries that name none: the one whose researchers can query most jurisdictions.
    pub default_node: JurisdictionId,
    /// Its nodes, ordered by jurisdiction.
    pub nodes: Vec<NodeState>,
}

/// One of its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeState {
    /// The jurisdiction.
    pub jurisdiction: JurisdictionId,
    /// Its display name.
    pub display_name: String,
    /// URL of its gateway: `https://127.0.0.1:32010`.
    pub gateway: String,
    /// The CA that vouches for the gateway, a PEM file.
    pub ca: PathBuf,
    /// File of its node bundle.
    pub bundle: PathBuf,
    /// The folder of its audit log.
    pub audit: PathBuf,
    /// The researchers who may query it.
    pub researchers: Vec<Researcher>,
}

/// A researcher who may query a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Researcher {
    /// The researcher's identity.
    pub subject: Subject,
    /// The file that holds their token.
    pub token: PathBuf,
    /// The projects they take part in.
    pub projects: Vec<ProjectState>,
}

/// A project with the purposes that a query can name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectState {
    /// Its name.
    pub name: ResourceName,
    /// Its purposes.
    pub purposes: Vec<Purpose>,
}

impl FederationState {
    /// Returns the node of a jurisdiction, or the default one.
    ///
    /// # Errors
    /// If the jurisdiction is no member.
    pub fn node(&self, wanted: Option<&JurisdictionId>) -> Outcome<&NodeState> {
        let wanted = wanted.unwrap_or(&self.default_node);
        self.nodes.iter().find(|node| node.jurisdiction == *wanted).ok_or_else(|| {
            let known: Vec<&str> = self.nodes.iter().map(|node| node.jurisdiction.as_str()).collect();
            Failure::Usage(format!(
                "{wanted} is no member of the local federation {}; it has {}",
                self.federation,
                known.join(", ")
            ))
        })
    }
}

/// The state folder.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

/// Lock on the state folder: no other process runs a federation from it until this is dropped.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
    record: PathBuf,
}

impl Drop for StateLock {
    /// Removes the record. One that a killed process leaves is known to be stale by the lock.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.record);
    }
}

impl StateDir {
    /// Returns the folder of `--state` or `$WANQU_HOME`, or else `wanqu` in the user's state folder (XDG Base Directory).
    pub fn locate(given: Option<&Path>) -> Outcome<Self> {
        let absolute = |variable: &str| env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let path = given
            .map(Path::to_owned)
            .or_else(|| absolute("XDG_STATE_HOME").map(|state| state.join("wanqu")))
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state/wanqu")))
            .ok_or_else(|| Failure::Usage("there is no home folder; name a folder with --state DIR".to_owned()))?;
        Ok(Self(std::path::absolute(&path).map_err(|e| Failure::file("find", &path, &e))?))
    }

    /// Returns the folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the folder of one node.
    #[must_use]
    pub fn node(&self, jurisdiction: &JurisdictionId) -> PathBuf {
        self.0.join("nodes").join(jurisdiction.as_str())
    }

    fn record(&self) -> PathBuf {
        self.0.join("federation.json")
    }

    /// Creates the folder and locks it for this process.
    ///
    /// # Errors
    /// If another process has locked it.
    pub fn take(&self) -> Outcome<StateLock> {
        private_dir(&self.0)?;
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(StateLock { _file: file, record: self.record() }),
            Err(TryLockError::WouldBlock) => {
                let who = self.load().map_or_else(|_| String::new(), |state| format!(" (process {})", state.pid));
                Err(Failure::failed(format!(
                    "a local federation already runs from {}{who}; stop it, or name another folder with --state DIR",
                    self.0.display()
                )))
            }
            Err(TryLockError::Error(error)) => Err(Failure::file("lock", &self.0.join("lock"), &error)),
        }
    }

    fn lock_file(&self) -> Outcome<File> {
        let path = self.0.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        wanqu_file::open_with(&mut options, &path).map_err(|e| Failure::file("open", &path, &e))
    }

    /// Writes the record of the federation.
    pub fn publish(&self, _lock: &StateLock, state: &FederationState) -> Outcome {
        let text = serde_json::to_string_pretty(state).map_err(|e| Failure::failed(e.to_string()))?;
        write_private(&self.record(), &text)
    }

    /// Returns the federation that runs from this folder.
    ///
    /// # Errors
    /// If none runs.
    pub fn running(&self) -> Outcome<FederationState> {
        let start = "start one with `wanqu demo` or `wanqu up -f DIR`, or name a gateway with --gateway";
        let state = self.load().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::failed(format!(
                "no local federation runs from {}; {start} (--state names another folder)",
                self.0.display()
            )),
            io::ErrorKind::InvalidData => {
                Failure::failed(format!("{} cannot be understood ({error}); {start}", self.record().display()))
            }
            _ => Failure::file("read", &self.record(), &error),
        })?;
        match self.lock_file()?.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Ok(state),
            Err(TryLockError::Error(error)) => Err(Failure::file("lock", &self.0.join("lock"), &error)),
            Ok(()) => Err(Failure::failed(format!(
                "the local federation {} (process {}) has ended; {start}",
                state.federation, state.pid
            ))),
        }
    }

    fn load(&self) -> io::Result<FederationState> {
        let text = wanqu_file::read_text(&self.record(), wanqu_file::SMALL)?;
        serde_json::from_str(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Returns the record of the last federation, running or not, for readers of its audit logs.
    #[must_use]
    pub fn last(&self) -> Option<FederationState> {
        self.load().ok()
    }
}

/// Creates a folder that only its owner may enter.
pub fn private_dir(path: &Path) -> Outcome {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| Failure::file("make", path, &e))
}

/// Writes a file that only its owner may read; a reader sees the old text or the new, never a part.
pub fn write_private(path: &Path, text: &str) -> Outcome {
    let fail = |error: io::Error| Failure::file("write", path, &error);
    let folder = path.parent().unwrap_or(Path::new("."));
    // `tempfile` makes files with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(fail)?;
    file.persist(path).map(drop).map_err(|e| fail(e.error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn state(federation: &str) -> FederationState {
        FederationState {
            federation: federation.parse().unwrap(),
            pid: 4711,
            started_at: Timestamp::UNIX_EPOCH,
            default_node: "HK".parse().unwrap(),
            nodes: vec![NodeState {
                jurisdiction: "HK".parse().unwrap(),
                display_name: "Hong Kong".to_owned(),
                gateway: "https://127.0.0.1:1".to_owned(),
                ca: "/ca.pem".into(),
                bundle: "/bundle.json".into(),
                audit: "/audit".into(),
                researchers: Vec::new(),
            }],
        }
    }

    fn folder() -> (tempfile::TempDir, StateDir) {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::locate(Some(&folder.path().join("state"))).unwrap();
        (folder, dir)
    }

    #[test]
    fn a_running_federation_is_found_and_an_ended_one_is_known_as_such() {
        let (_folder, dir) = folder();
        let none = dir.running().unwrap_err().to_string();
        assert!(none.contains("no local federation runs from") && none.contains("wanqu demo"), "{none}");

        let lock = dir.take().unwrap();
        dir.publish(&lock, &state("gba")).unwrap();
        assert_eq!(dir.running().unwrap(), state("gba"));
        let mode = fs::metadata(dir.record()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        // A process that was killed leaves its record and loses its lock.
        let record = fs::read(dir.record()).unwrap();
        drop(lock);
        fs::write(dir.record(), record).unwrap();
        let stale = dir.running().unwrap_err().to_string();
        assert!(stale.contains("process 4711) has ended"), "{stale}");
        assert!(dir.last().is_some());
    }

    #[test]
    fn a_second_federation_cannot_run_from_the_same_folder() {
        let (_folder, dir) = folder();
        let lock = dir.take().unwrap();
        dir.publish(&lock, &state("gba")).unwrap();
        let second = dir.take().unwrap_err().to_string();
        assert!(second.contains("already runs from") && second.contains("4711"), "{second}");
        drop(lock);
        assert!(dir.last().is_none(), "an orderly end takes the record away");
        assert!(dir.take().is_ok());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_no_panic() {
        let (_folder, dir) = folder();
        let _lock = dir.take().unwrap();
        fs::write(dir.record(), "{").unwrap();
        assert!(dir.running().unwrap_err().to_string().contains("cannot be understood"));
    }

    #[test]
    fn a_node_is_found_by_its_jurisdiction() {
        let state = state("gba");
        assert_eq!(state.node(None).unwrap().display_name, "Hong Kong");
        let unknown = state.node(Some(&"MO".parse().unwrap())).unwrap_err();
        assert_eq!(unknown.exit_code(), 2);
        assert!(unknown.to_string().ends_with("it has HK"));
    }
}
