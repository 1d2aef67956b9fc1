//! The segments of a log among the folders and files that a reader names.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::AuditError;
use super::folder::{self, NEXT, OPEN, sealed_number};
use super::line::Line;

/// One segment, with every file that holds it: an archive may have a copy of a segment that was not removed yet.
#[derive(Debug)]
pub(super) struct Segment {
    /// Number of the segment, from 1.
    pub number: u64,
    /// Files that hold it, at least one.
    pub copies: Vec<SegmentFile>,
}

impl Segment {
    /// Returns true if it is the one to which entries are added.
    pub fn is_open(&self) -> bool {
        self.copies.iter().any(|copy| copy.open.is_some())
    }
}

/// File that holds a segment.
#[derive(Debug)]
pub(super) struct SegmentFile {
    /// Its path when it was found.
    pub path: PathBuf,
    /// The file, where its name may change while it is read.
    open: Option<File>,
}

impl SegmentFile {
    /// Opens the file for reading from its beginning.
    pub fn reader(self) -> Result<BufReader<File>, AuditError> {
        let file = match self.open {
            Some(file) => Ok(file),
            None => wanqu_file::open(&self.path),
        };
        file.map(BufReader::new).map_err(|source| AuditError::File { path: self.path, source })
    }
}

/// Returns the segments in order of their numbers. Of a folder, those with the names that a log gives them; a file is a
/// segment whatever its name.
///
/// # Errors
/// [`AuditError::File`] if there is no segment at a place; [`AuditError::Changed`] if a file does not begin like a segment;
/// [`AuditError::Missing`] if one between two others is not among them.
pub(super) fn segments<P: AsRef<Path>>(places: &[P]) -> Result<Vec<Segment>, AuditError> {
    let mut seen = HashSet::new();
    let mut found: BTreeMap<u64, Vec<SegmentFile>> = BTreeMap::new();
    for place in places {
        for copy in copies(place.as_ref())? {
            let failed = |source| AuditError::File { path: copy.path.clone(), source };
            let file = match &copy.open {
                Some(file) => file.metadata(),
                None => fs::metadata(&copy.path),
            };
            let file = file.map(|meta| (meta.dev(), meta.ino())).map_err(failed)?;
            // The same file under two names: one is that of a moment ago.
            if seen.insert(file) {
                found.entry(number(&copy)?).or_default().push(copy);
            }
        }
    }
    let segments: Vec<Segment> = found.into_iter().map(|(number, copies)| Segment { number, copies }).collect();
    for pair in segments.windows(2) {
        let [before, after] = pair else { continue };
        if before.number + 1 != after.number {
            return Err(AuditError::Missing {
                segments: before.number + 1..=after.number - 1,
                before: before.copies[0].path.clone(),
                after: after.copies[0].path.clone(),
            });
        }
    }
    Ok(segments)
}

fn copies(place: &Path) -> Result<Vec<SegmentFile>, AuditError> {
    let failed = |path: &Path, source| AuditError::File { path: path.to_owned(), source };
    if !place.is_dir() {
        fs::metadata(place).map_err(|source| failed(place, source))?;
        return Ok(vec![SegmentFile { path: place.to_owned(), open: None }]);
    }
    let mut copies = Vec::new();
    // Opened before the folder is listed: if it is sealed meanwhile, it is listed under its next name too, and not missed.
    let path = place.join(OPEN);
    // While segments change, the next one has no name but this for a moment, and has the other when it is looked for again.
    for path in [OPEN, NEXT, OPEN].map(|name| place.join(name)) {
        match wanqu_file::open(&path) {
            Ok(file) => {
                copies.push(SegmentFile { path, open: Some(file) });
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed(&path, source)),
        }
    }
    let names = folder::names(place).map_err(|source| failed(place, source))?;
    let sealed = names.iter().filter(|name| sealed_number(name).is_some());
    copies.extend(sealed.map(|name| SegmentFile { path: place.join(name), open: None }));
    if copies.is_empty() {
        return Err(failed(&path, io::ErrorKind::NotFound.into()));
    }
    Ok(copies)
}

/// Returns the number that a segment's first line states.
fn number(copy: &SegmentFile) -> Result<u64, AuditError> {
    let failed = |source| AuditError::File { path: copy.path.clone(), source };
    let changed = |what| AuditError::Changed { path: copy.path.clone(), line: 1, what };
    let file = match &copy.open {
        Some(file) => file.try_clone(),
        None => wanqu_file::open(&copy.path),
    };
    let mut line = Vec::new();
    let mut file = file.map_err(failed)?;
    BufReader::new(&file).read_until(b'\n', &mut line).map_err(failed)?;
    // A clone shares its position with the file that is read later.
    io::Seek::rewind(&mut file).map_err(failed)?;
    let Some(text) = line.strip_suffix(b"\n") else { return Ok(1) };
    match Line::from_text(text).map_err(changed)?.0 {
        Line::Head(head) => Ok(head.segment),
        Line::Record(record) if record.sequence == 1 => Ok(1),
        Line::Record(_) | Line::Seal(_) => Err(changed("is not the first line of a segment")),
    }
}
