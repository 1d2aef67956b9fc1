//! Reading of files that somebody else writes: bundles, certificates, keys, tokens, manifests, SQL, kept answers.
//!
//! A path can lead to anything. Opening a named pipe waits for whoever writes to it, and a device such as `/dev/zero` has no
//! end. So a path is opened without waiting, what is not a regular file is refused, and a read ends at a size that the caller
//! states. Links are followed, because a file in a Kubernetes volume is one: `NAME` leads to `..data/NAME`, and `..data` to
//! the folder of the present version.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Most bytes of a certificate chain, a key, a token or a small record of the program's own: 1 MiB.
pub const SMALL: u64 = 1 << 20;

/// Opens a regular file for reading. Never waits for somebody to write to it.
///
/// # Errors
/// The system's, or [`io::ErrorKind::InvalidInput`] with what there is instead of a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // Looked at first, because opening a device can have an effect.
    regular(fs::metadata(path)?.file_type())?;
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a file with these options, without waiting, and refuses what is not a regular file. With options that create a file,
/// one that is not there is created.
///
/// # Errors
/// As [`open`].
pub fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    // What was opened may be something else than what was looked at.
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// As [`open`], and [`io::ErrorKind::FileTooLarge`] for a longer file, of which no more than that is read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    if file.metadata()?.len() > most {
        return Err(too_long(most));
    }
    // The length is not trusted: a file can grow while it is read, and those of some file systems say that they are empty.
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_long(most)) } else { Ok(bytes) }
}

/// Reads a regular file of at most `most` bytes of UTF-8.
///
/// # Errors
/// As [`read`], and [`io::ErrorKind::InvalidData`] for what is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let text = String::from_utf8(read(path, most)?);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn too_long(most: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it is longer than {most} bytes, which is the most that is read"),
    )
}

fn regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let found = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {found}, where a regular file is expected")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, socket, link) = (folder.path().join("p"), folder.path().join("s"), folder.path().join("l"));
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink(&pipe, &link).unwrap();
        let zero = Path::new("/dev/zero");
        for (path, found) in [
            (pipe.as_path(), "a pipe"),
            (&link, "a pipe"),
            (&socket, "a socket"),
            (folder.path(), "a folder"),
            (zero, "a device"),
        ] {
            let error = read(path, 10).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), format!("it is {found}, where a regular file is expected"));
        }
        // Opened by somebody who did not look first.
        let error = open_with(OpenOptions::new().read(true).append(true).create(true), &pipe).unwrap_err();
        assert_eq!(error.to_string(), "it is a pipe, where a regular file is expected");
        assert_eq!(read(&folder.path().join("none"), 10).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_more_is_read_than_stated_whatever_the_length_that_a_file_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"0123456789");
        let error = read(&path, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it is longer than 9 bytes, which is the most that is read");
        // Files of this file system have a length of 0, and contents.
        let shown = Path::new("/proc/self/status");
        assert_eq!(fs::metadata(shown).unwrap().len(), 0);
        assert_eq!(read(shown, 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(read_text(shown, SMALL).unwrap().contains("Name:"));
    }

    #[test]
    fn a_file_behind_the_links_of_a_mounted_volume_is_read() {
        let volume = tempfile::tempdir().unwrap();
        let volume = volume.path();
        for version in ["..2026_01_01", "..2026_01_02"] {
            fs::create_dir(volume.join(version)).unwrap();
            fs::write(volume.join(version).join("tls.key"), version).unwrap();
            symlink(version, volume.join("..data_tmp")).unwrap();
            fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
            if !volume.join("tls.key").exists() {
                symlink("..data/tls.key", volume.join("tls.key")).unwrap();
            }
            assert_eq!(read_text(&volume.join("tls.key"), SMALL).unwrap(), version);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read_text(&path, 10).unwrap_err().to_string(), "it is not UTF-8 text");
    }
}
