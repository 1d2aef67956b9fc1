//! Unpacks gzip, which is told by its first bytes, and only as far as a bundle may reach.

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// First bytes of a gzip file (RFC 1952, 2.3.1).
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Returns the text in a file's bytes, or what is wrong with them. No more than `most` bytes are ever made of them.
pub(super) fn unpacked(bytes: Vec<u8>, most: usize) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&MAGIC) {
        return Ok(bytes);
    }
    let mut text = Vec::new();
    let bound = most as u64 + 1;
    MultiGzDecoder::new(bytes.as_slice())
        .take(bound)
        .read_to_end(&mut text)
        .map_err(|error| format!("it begins as a gzip file, and cannot be unpacked: {error}"))?;
    if text.len() > most {
        return Err(format!("it unpacks to more than {most} bytes, which is the most that is read"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_packed_bundle_that_unpacks_to_too_much_is_an_error() {
        let bomb = packed(&vec![b' '; 1 << 20]);
        assert!(bomb.len() < 4096, "{} bytes", bomb.len());
        assert_eq!(unpacked(bomb.clone(), 1 << 20).unwrap().len(), 1 << 20);
        let error = unpacked(bomb, (1 << 20) - 1).unwrap_err();
        assert!(error.contains("more than 1048575 bytes"), "{error}");
    }

    #[test]
    fn a_packed_bundle_that_is_cut_or_garbled_is_an_error() {
        let whole = packed(b"{\"federation\": \"gba\"}");
        assert_eq!(unpacked(whole.clone(), 100).unwrap(), b"{\"federation\": \"gba\"}");
        for end in 2..whole.len() {
            assert!(unpacked(whole[..end].to_vec(), 100).is_err(), "cut at {end}");
        }
        let mut garbled = whole.clone();
        let last = garbled.len() - 6;
        garbled[last] ^= 1;
        assert!(unpacked(garbled, 100).is_err(), "another checksum");
        assert!(unpacked([whole.as_slice(), b"more"].concat(), 100).is_err(), "more after its end");
        assert_eq!(unpacked(b"{}".to_vec(), 100).unwrap(), b"{}", "what is no gzip is left as it is");
    }
}
