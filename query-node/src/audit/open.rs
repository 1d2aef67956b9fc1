//! Opening of a log: whatever state a crash left it in, and without reading its history.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use uuid::Uuid;

use super::AuditError;
use super::chain::Chain;
use super::folder::{Folder, ID, LogFile, NEXT, OPEN, TORN, sealed_name, sealed_number};
use super::line::Line;
use super::tail::Tail;
use super::walk::Walk;

/// Length in bytes of the end of a sealed segment in which its seal is looked for. A seal has about 300.
const SEAL_BYTES: u64 = 1024;

/// Opens and verifies the open segment of a log; returns the end of the log, and how many bytes of a torn entry were
/// moved away.
///
/// # Errors
/// See [`Log::open`](super::Log::open).
pub(super) fn open(folder: &dyn Folder) -> Result<(Tail, u64), AuditError> {
    let path = folder.path(OPEN);
    let failed = |source| AuditError::File { path: path.clone(), source };
    let names = folder.names().map_err(failed)?;
    let file = open_segment(folder, &names)?;
    let found = Walk::new(reader(&file), &path, Chain::start()).finish()?;
    let (chain, length, torn_bytes) = (found.chain, found.length, found.torn_bytes);
    follows_sealed(folder, &names, &chain)?;
    if torn_bytes > 0 {
        set_aside(folder, file.as_ref(), length).map_err(failed)?;
        tracing::warn!(log = %path.display(), bytes = torn_bytes, "the last entry was cut off by a crash");
    }
    let synced = chain.sequence;
    Ok((Tail { file, chain, length, synced, failed: false }, torn_bytes))
}

/// Length of an id as text, with its line end.
const ID_BYTES: usize = 37;

/// Returns the id of the log in a folder, which gets one where it has none.
///
/// # Errors
/// [`AuditError::File`] if it cannot be read or written, or is no id.
pub(super) fn identify(folder: &dyn Folder) -> Result<Uuid, AuditError> {
    let id = || -> io::Result<Uuid> {
        let file = folder.append(ID)?;
        let mut text = Vec::new();
        Reading { file: file.as_ref(), offset: 0 }.take(ID_BYTES as u64 + 1).read_to_end(&mut text)?;
        let read = std::str::from_utf8(&text).ok().and_then(|text| Uuid::try_parse(text.trim_end()).ok());
        // A crash may have left a part.
        match read {
            Some(id) => Ok(id),
            None if text.len() < ID_BYTES => {
                let id = Uuid::new_v4();
                file.cut(0)?;
                file.write(format!("{id}\n").as_bytes())?;
                file.sync()?;
                folder.sync()?;
                Ok(id)
            }
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no id of a log")),
        }
    };
    id().map_err(|source| AuditError::File { path: folder.path(ID), source })
}

/// Gives the next segment the name of the open one, and opens it.
pub(super) fn put_in_place(folder: &dyn Folder) -> io::Result<Arc<dyn LogFile>> {
    folder.rename(NEXT, OPEN)?;
    folder.sync()?;
    folder.append(OPEN)
}

/// Opens the open segment; makes it where there is no log yet.
fn open_segment(folder: &dyn Folder, names: &[String]) -> Result<Arc<dyn LogFile>, AuditError> {
    let path = folder.path(OPEN);
    let failed = |source| AuditError::File { path: path.clone(), source };
    let is_there = |name: &str| names.iter().any(|other| other == name);
    if !is_there(OPEN) && is_there(NEXT) {
        let next = folder.read(NEXT).map_err(failed)?;
        let found = Walk::new(reader(&next), &folder.path(NEXT), Chain::start()).finish()?;
        if found.chain.segment < 2 || found.torn_bytes > 0 {
            return Err(AuditError::OpenMissing(path));
        }
        let sealed = sealed_name(found.chain.segment - 1);
        folder.sync().map_err(failed)?;
        if is_there(&sealed) {
            folder.read(&sealed).and_then(|sealed| sealed.make_read_only()).map_err(failed)?;
        }
        return put_in_place(folder).map_err(failed);
    }
    if !is_there(OPEN) && names.iter().any(|name| sealed_number(name).is_some()) {
        return Err(AuditError::OpenMissing(path));
    }
    let file = folder.append(OPEN).map_err(failed)?;
    // The file's name in its folder must survive a power failure too.
    folder.sync().map_err(failed)?;
    Ok(file)
}

/// Checks that the open segment follows the segment that was sealed last, if that one is still in the folder.
fn follows_sealed(folder: &dyn Folder, names: &[String], chain: &Chain) -> Result<(), AuditError> {
    let other =
        |segment: u64| AuditError::NotFollowing { open: folder.path(OPEN), sealed: folder.path(&sealed_name(segment)) };
    let Some(last) = names.iter().filter_map(|name| sealed_number(name)).max() else { return Ok(()) };
    if last >= chain.segment {
        return Err(other(last));
    }
    // An earlier one is the last that was not moved away yet: the segments after it are in the archive.
    if last + 1 == chain.segment {
        let path = folder.path(&sealed_name(last));
        let digest = seal_digest(folder, last).map_err(|source| AuditError::File { path, source })?;
        if digest.as_ref() != Some(&chain.follows) {
            return Err(other(last));
        }
    }
    Ok(())
}

/// Returns the digest of the last line of a sealed segment, if it is a seal.
fn seal_digest(folder: &dyn Folder, segment: u64) -> io::Result<Option<String>> {
    let file = folder.read(&sealed_name(segment))?;
    let mut end = Vec::new();
    let offset = file.length()?.saturating_sub(SEAL_BYTES);
    Reading { file: file.as_ref(), offset }.read_to_end(&mut end)?;
    let lines = end.strip_suffix(b"\n").unwrap_or_default();
    let last = lines.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(match Line::from_text(last) {
        Ok((Line::Seal(seal), digest)) if seal.segment == segment => Some(digest),
        _ => None,
    })
}

/// Moves the bytes beyond the last whole line to a file beside the log.
fn set_aside(folder: &dyn Folder, file: &dyn LogFile, length: u64) -> io::Result<()> {
    let mut torn = Vec::new();
    Reading { file, offset: length }.read_to_end(&mut torn)?;
    torn.push(b'\n');
    let aside = folder.append(TORN)?;
    aside.write(&torn)?;
    aside.sync()?;
    file.cut(length)?;
    file.sync()
}

fn reader(file: &Arc<dyn LogFile>) -> BufReader<Reading<'_>> {
    BufReader::with_capacity(1 << 16, Reading { file: file.as_ref(), offset: 0 })
}

/// Reads a file from an offset on.
struct Reading<'a> {
    file: &'a dyn LogFile,
    offset: u64,
}

impl Read for Reading<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}
