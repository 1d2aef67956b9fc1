//! The node bundle as a file: read, watched, and taken only if it is good.
//!
//! A watched file is looked at by its name once a period, so that a change of the link it hides behind (as Kubernetes
//! mounts volumes) is seen like any other. What cannot be used is reported, and the node goes on with what it has.
//!
//! The file is JSON, or JSON packed by gzip: a large federation's bundle must fit into what carries it.

#[cfg(test)]
mod tests;
mod unpack;

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wanqu_model::bundle::NodeBundle;
use wanqu_model::io_reason;
use wanqu_model::names::JurisdictionId;

use unpack::unpacked;

/// The longest bundle that is read, in bytes, packed or not.
const MAX_BYTES: usize = 128 * 1024 * 1024;

/// A bundle with the digest of the text that it was read from.
#[derive(Debug, Clone)]
pub struct FiledBundle {
    /// The bundle.
    pub bundle: NodeBundle,
    /// SHA-256 of its JSON as it lay in the file, unpacked; hexadecimal.
    pub digest: String,
}

/// Why a file is not a bundle that this node can use.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It cannot be read.
    #[error("cannot read the bundle {}: {}", .path.display(), io_reason(.source))]
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
    away: bool,
    digest: Option<String>,
    jurisdiction: Option<JurisdictionId>,
}

/// What changes whenever a file is written or replaced.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    changed: (i64, i64),
    length: u64,
    file: u64,
}

impl BundleFile {
    /// A file that nobody has looked at yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None, away: false, digest: None, jurisdiction: None }
    }

    /// The bundle, if the file holds another than when it was last looked at. The first good one says whose node this
    /// is; from then on, another's is an error. An error is reported once for each change of the file.
    pub fn changed(&mut self) -> Result<Option<FiledBundle>, BundleError> {
        let stamp = match self.stamp() {
            Ok(stamp) => stamp,
            // A file that went away is reported once, and taken anew when it is back.
            Err(_) if self.seen.is_none() && self.away => return Ok(None),
            Err(source) => {
                (self.seen, self.digest, self.away) = (None, None, true);
                return Err(BundleError::File { path: self.path.clone(), source });
            }
        };
        if self.seen.as_ref() == Some(&stamp) {
            return Ok(None);
        }
        let length = stamp.length;
        (self.seen, self.away) = (Some(stamp), false);
        let text = self.read(length).inspect_err(|_| self.digest = None)?;
        let digest = hex(&Sha256::digest(&text));
        if self.digest.replace(digest.clone()).as_ref() == Some(&digest) {
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
                Ok(Some(FiledBundle { bundle, digest }))
            }
        }
    }

    /// The bundle that the file holds now, where nobody has looked at it before.
    pub fn first(&mut self) -> Result<FiledBundle, BundleError> {
        let nothing = BundleError::Text { path: self.path.clone(), reason: "there is nothing new in it".to_owned() };
        self.changed()?.ok_or(nothing)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(&self.path)?;
        // The time of the last change of anything about the file, its permissions included.
        Ok(Stamp { changed: (meta.ctime(), meta.ctime_nsec()), length: meta.len(), file: meta.ino() })
    }

    /// The file's text, unpacked.
    fn read(&self, length: u64) -> Result<Vec<u8>, BundleError> {
        let wrong = |reason| BundleError::Text { path: self.path.clone(), reason };
        if length > MAX_BYTES as u64 {
            return Err(wrong(format!("it has {length} bytes; at most {MAX_BYTES} are read")));
        }
        let bytes = fs::read(&self.path).map_err(|source| BundleError::File { path: self.path.clone(), source })?;
        unpacked(bytes, MAX_BYTES).map_err(wrong)
    }
}

/// Reads a bundle once.
pub fn read(path: &Path) -> Result<FiledBundle, BundleError> {
    BundleFile::new(path.to_owned()).first()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing into a String does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
