//! Node bundle as a file: read, followed, and taken only if it is good.
//!
//! A followed file is looked at by its name again and again, so that a change of the link it hides behind (as Kubernetes
//! mounts volumes) is seen like any other. What cannot be used is reported. What cannot be
//! read is reported once and tried again at every look, until it can be.
//!
//! The file is JSON, or JSON packed by gzip: a large federation's bundle must fit into what carries it.

#[cfg(test)]
mod tests;
mod unpack;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wanqu_model::bundle::{LeftOut, NodeBundle, ReadBundle, ReadError};
use wanqu_model::io_reason;
use wanqu_model::names::JurisdictionId;

use unpack::unpacked;

/// Longest bundle that is read, in bytes, packed or not.
const MAX_BYTES: usize = 128 * 1024 * 1024;

/// Bundle with the digest of the text that it was read from.
#[derive(Debug, Clone)]
pub struct FiledBundle {
    /// The bundle.
    pub bundle: NodeBundle,
    /// SHA-256 of its JSON as it lay in the file, unpacked; hexadecimal. A bundle that was made narrower has a mark after it.
    pub digest: String,
    /// Objects of the file that this version does not understand, and that are not in the bundle.
    pub left_out: Vec<LeftOut>,
}

/// Reason why a file is not a bundle that this node can use.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file cannot be read.
    #[error("cannot read the bundle {}: {}", .path.display(), io_reason(.source))]
    File {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// The file is no bundle.
    #[error("{} is not a node bundle: {reason}", .path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Position of the mistake and what it is.
        reason: String,
    },
    /// The bundle is a newer operator's, and something that concerns all of it is not known. It may withdraw any permission.
    #[error(
        "{} is a bundle that this node (version {}) does not understand: {reason}; upgrade the node",
        .path.display(), env!("CARGO_PKG_VERSION")
    )]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// The field, value, version or feature that is not known.
        reason: String,
    },
    /// The bundle is another node's.
    #[error("{} is the bundle of {found}, not of {expected}", .path.display())]
    OtherNode {
        /// The file.
        path: PathBuf,
        /// Jurisdiction that the bundle is for.
        found: JurisdictionId,
        /// Jurisdiction of the node that reads it.
        expected: JurisdictionId,
    },
}

/// Bundle file that is looked at again and again.
#[derive(Debug)]
pub struct BundleFile {
    path: PathBuf,
    /// Stamp of the file when its text was last read; `None` if it is to be read at the next look.
    seen: Option<Stamp>,
    /// Digest of the text that was last read.
    digest: Option<String>,
    /// Jurisdiction of the first good bundle.
    jurisdiction: Option<JurisdictionId>,
    /// Failure to read the file that was last reported, if nothing was read since.
    reported: Option<String>,
    /// True if the file, when it was last looked at, could not be read or held no bundle of this node.
    unread: bool,
}

/// Facts about a file that change whenever it is written or replaced.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    changed: (i64, i64),
    length: u64,
    file: u64,
}

impl BundleFile {
    /// Returns a file that nobody has looked at yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None, digest: None, jurisdiction: None, reported: None, unread: false }
    }

    /// Returns the same node's file as if nobody had read it yet.
    #[must_use]
    pub fn unread(&self) -> Self {
        Self { jurisdiction: self.jurisdiction.clone(), ..Self::new(self.path.clone()) }
    }

    /// Returns the bundle, if the file holds another than when it was last looked at. The first good one says whose node
    /// this is; from then on, another's is an error.
    ///
    /// # Errors
    /// The file cannot be read, or holds no bundle of this node. Each is reported once: a bad text until the file changes,
    /// a failure to read until the file was read or fails in another way.
    pub fn changed(&mut self) -> Result<Option<FiledBundle>, BundleError> {
        self.changed_with(|path| wanqu_file::read(path, MAX_BYTES as u64))
    }

    /// Returns true if nobody knows what the file says: when it was last looked at, it could not be read, or held no bundle of
    /// this node. A bundle that is not understood is known to be one.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.unread
    }

    /// Does what [`changed`](Self::changed) does; `read` reads the file.
    fn changed_with(
        &mut self,
        read: impl FnOnce(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Option<FiledBundle>, BundleError> {
        let changed = self.look_with(read);
        match &changed {
            Ok(None) => {}
            Ok(Some(_)) | Err(BundleError::NotUnderstood { .. }) => self.unread = false,
            Err(_) => self.unread = true,
        }
        changed
    }

    fn look_with(
        &mut self,
        read: impl FnOnce(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Option<FiledBundle>, BundleError> {
        let (stamp, bytes) = match self.look(read) {
            Ok(None) => return Ok(None),
            Ok(Some(found)) => found,
            Err(source) => {
                // A file that cannot be read now may be another bundle than before: it is read as soon as it can be.
                (self.seen, self.digest) = (None, None);
                let error = BundleError::File { path: self.path.clone(), source };
                let news = self.reported.replace(error.to_string()) != Some(error.to_string());
                return if news { Err(error) } else { Ok(None) };
            }
        };
        (self.seen, self.reported) = (Some(stamp), None);
        let text = self.unpack(bytes).inspect_err(|_| self.digest = None)?;
        let digest = format!("{:x}", Sha256::digest(&text));
        if self.digest.replace(digest.clone()).as_ref() == Some(&digest) {
            return Ok(None);
        }
        let read = NodeBundle::read(&text);
        let whose = match &read {
            Ok(read) => Some(&read.bundle.jurisdiction),
            Err(ReadError::NotUnderstood { jurisdiction, .. }) => jurisdiction.as_ref(),
            Err(ReadError::NotABundle(_)) => None,
        };
        if let (Some(expected), Some(found)) = (&self.jurisdiction, whose)
            && expected != found
        {
            let (found, expected) = (found.clone(), expected.clone());
            return Err(BundleError::OtherNode { path: self.path.clone(), found, expected });
        }
        let path = || self.path.clone();
        let ReadBundle { bundle, left_out } = read.map_err(|error| match error {
            ReadError::NotABundle(reason) => BundleError::Text { path: path(), reason },
            ReadError::NotUnderstood { reason, .. } => BundleError::NotUnderstood { path: path(), reason },
        })?;
        for LeftOut { object, reason } in &left_out {
            tracing::error!(object, reason, "a part of the bundle is not understood and left out: upgrade the node");
        }
        self.jurisdiction = Some(bundle.jurisdiction.clone());
        Ok(Some(FiledBundle { bundle, digest, left_out }))
    }

    /// Returns the bundle that the file holds now, where nobody has looked at it before.
    pub fn first(&mut self) -> Result<FiledBundle, BundleError> {
        let nothing = BundleError::Text { path: self.path.clone(), reason: "there is nothing new in it".to_owned() };
        self.changed()?.ok_or(nothing)
    }

    /// Reads the file, unless it is the one that was last read. Of a file that is too long nothing is read.
    fn look(&self, read: impl FnOnce(&Path) -> io::Result<Vec<u8>>) -> io::Result<Option<(Stamp, Option<Vec<u8>>)>> {
        let stamp = self.stamp()?;
        if self.seen.as_ref() == Some(&stamp) {
            return Ok(None);
        }
        match read(&self.path) {
            Ok(bytes) => Ok(Some((stamp, Some(bytes)))),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Some((stamp, None))),
            Err(error) => Err(error),
        }
    }

    fn stamp(&self) -> io::Result<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(&self.path)?;
        // The time of the last change of anything about the file, its permissions included.
        Ok(Stamp { changed: (meta.ctime(), meta.ctime_nsec()), length: meta.len(), file: meta.ino() })
    }

    /// Returns the text in a file's bytes; `None` stands for too many of them.
    fn unpack(&self, bytes: Option<Vec<u8>>) -> Result<Vec<u8>, BundleError> {
        let too_long = || format!("it is longer than {MAX_BYTES} bytes, which is the most that is read");
        bytes
            .ok_or_else(too_long)
            .and_then(|bytes| unpacked(bytes, MAX_BYTES))
            .map_err(|reason| BundleError::Text { path: self.path.clone(), reason })
    }
}

/// Reads a bundle once.
pub fn read(path: &Path) -> Result<FiledBundle, BundleError> {
    BundleFile::new(path.to_owned()).first()
}
