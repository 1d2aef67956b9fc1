//! The node bundle as a file: read, watched, and taken only if it is good.
//!
//! A watched file is looked at by its name once a period, so that a change of the link it hides behind (as Kubernetes
//! mounts volumes) is seen like any other. What cannot be used is reported, and the node goes on with what it has.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wanqu_crds::bundle::NodeBundle;
use wanqu_crds::names::JurisdictionId;

/// The longest bundle that is read, in bytes.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Why a file is not a bundle that this node can use.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no bundle.
    #[error("{} is not a node bundle: {reason}", .path.display())]
    Text {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// It is another node's.
    #[error("{} is the bundle of {found}, not of {expected}", .path.display())]
    OtherNode {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        found: JurisdictionId,
        /// Whose node reads it.
        expected: JurisdictionId,
    },
}

/// A bundle file that is looked at again and again.
#[derive(Debug)]
pub struct BundleFile {
    path: PathBuf,
    seen: Option<Stamp>,
    digest: Option<[u8; 32]>,
    jurisdiction: Option<JurisdictionId>,
}

/// What changes whenever a file is written or replaced.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    file: u64,
}

impl BundleFile {
    /// A file that nobody has looked at yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None, digest: None, jurisdiction: None }
    }

    /// The bundle, if the file holds another than when it was last looked at. The first good one says whose node this
    /// is; from then on, another's is an error. An error is reported once for each change of the file.
    pub fn changed(&mut self) -> Result<Option<NodeBundle>, BundleError> {
        let stamp = match self.stamp() {
            Ok(stamp) => stamp,
            // A file that went away is reported once, and looked at anew when it is back.
            Err(_) if self.seen.is_none() && self.digest.is_some() => return Ok(None),
            Err(source) => {
                self.seen = None;
                return Err(BundleError::File { path: self.path.clone(), source });
            }
        };
        if self.seen.as_ref() == Some(&stamp) {
            return Ok(None);
        }
        let length = stamp.length;
        self.seen = Some(stamp);
        let text = self.read(length)?;
        let digest: [u8; 32] = Sha256::digest(&text).into();
        if self.digest.replace(digest) == Some(digest) {
            return Ok(None);
        }
        let bundle: NodeBundle = serde_json::from_slice(&text)
            .map_err(|error| BundleError::Text { path: self.path.clone(), reason: error.to_string() })?;
        match &self.jurisdiction {
            Some(expected) if *expected != bundle.jurisdiction => Err(BundleError::OtherNode {
                path: self.path.clone(),
                found: bundle.jurisdiction,
                expected: expected.clone(),
            }),
            _ => {
                self.jurisdiction = Some(bundle.jurisdiction.clone());
                Ok(Some(bundle))
            }
        }
    }

    /// The bundle that the file holds now, where nobody has looked at it before.
    pub fn first(&mut self) -> Result<NodeBundle, BundleError> {
        let nothing = BundleError::Text { path: self.path.clone(), reason: "there is nothing new in it".to_owned() };
        self.changed()?.ok_or(nothing)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(&self.path)?;
        Ok(Stamp { modified: meta.modified().ok(), length: meta.len(), file: meta.ino() })
    }

    fn read(&self, length: u64) -> Result<Vec<u8>, BundleError> {
        if length > MAX_BYTES {
            let reason = format!("it has {length} bytes; at most {MAX_BYTES} are read");
            return Err(BundleError::Text { path: self.path.clone(), reason });
        }
        fs::read(&self.path).map_err(|source| BundleError::File { path: self.path.clone(), source })
    }
}

/// Reads a bundle once.
pub fn read(path: &Path) -> Result<NodeBundle, BundleError> {
    BundleFile::new(path.to_owned()).first()
}

/// Looks at the file once a period, for ever, and hands over what it finds.
pub async fn follow(mut file: BundleFile, period: Duration, mut found: impl FnMut(Result<NodeBundle, BundleError>)) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match file.changed() {
            Ok(None) => {}
            Ok(Some(bundle)) => found(Ok(bundle)),
            Err(error) => found(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use wanqu_crds::bundle::Limits;

    use super::*;

    fn bundle(jurisdiction: &str, deadline_seconds: u32) -> String {
        let bundle = NodeBundle {
            federation: "gba".parse().unwrap(),
            trust_domain: "gba.example".to_owned(),
            jurisdiction: jurisdiction.parse().unwrap(),
            members: Vec::new(),
            slices: Vec::new(),
            common_tables: Vec::new(),
            sources: Vec::new(),
            agreements: Vec::new(),
            projects: Vec::new(),
            limits: Limits { deadline_seconds, ..Limits::default() },
        };
        serde_json::to_string(&bundle).unwrap()
    }

    #[test]
    fn a_change_is_seen_once_and_a_bad_file_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.json");
        fs::write(&path, bundle("HK", 1)).unwrap();
        let mut file = BundleFile::new(path.clone());
        assert_eq!(file.changed().unwrap().unwrap().limits.deadline_seconds, 1);
        assert!(file.changed().unwrap().is_none());

        fs::write(&path, "{\"federation\":").unwrap();
        assert!(matches!(file.changed(), Err(BundleError::Text { .. })));
        assert!(file.changed().unwrap().is_none());

        fs::write(&path, bundle("MO", 22)).unwrap();
        let error = file.changed().unwrap_err().to_string();
        assert!(error.ends_with("is the bundle of MO, not of HK"), "{error}");

        fs::write(&path, bundle("HK", 333)).unwrap();
        assert_eq!(file.changed().unwrap().unwrap().limits.deadline_seconds, 333);

        fs::remove_file(&path).unwrap();
        assert!(matches!(file.changed(), Err(BundleError::File { .. })));
        assert!(file.changed().unwrap().is_none(), "that it is away is said once");
        fs::write(&path, bundle("HK", 4444)).unwrap();
        assert!(file.changed().unwrap().is_some());
    }

    #[test]
    fn the_swap_of_a_link_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        for (version, deadline) in [("v1", 1), ("v2", 2)] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("bundle.json"), bundle("HK", deadline)).unwrap();
        }
        symlink("v1", folder.path().join("..data")).unwrap();
        let mut file = BundleFile::new(folder.path().join("..data/bundle.json"));
        assert_eq!(file.changed().unwrap().unwrap().limits.deadline_seconds, 1);
        symlink("v2", folder.path().join("..new")).unwrap();
        fs::rename(folder.path().join("..new"), folder.path().join("..data")).unwrap();
        assert_eq!(file.changed().unwrap().unwrap().limits.deadline_seconds, 2);
    }
}
