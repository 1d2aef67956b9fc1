//! The bytes of a file as UTF-8: decompressed and decoded while they are read, a buffer at a time.

use std::io::{self, Cursor, Read};

use encoding_rs::{BIG5, Decoder, DecoderResult, GB18030, UTF_16BE, UTF_16LE};
use flate2::read::MultiGzDecoder;
use wanqu_model::bundle::{Compression, Encoding, TextSpec};

use crate::fault::Fault;
use crate::guess;

/// Length of the beginning of a file that is looked at.
const HEAD_BYTES: usize = 64 << 10;
const BUFFER_BYTES: usize = 64 << 10;
/// Largest window of Zstandard, as a power of two: the greatest that its own command reads without being told to.
const ZSTD_WINDOW: u32 = 27;

/// Byte that stands for one that the declared encoding does not have. It is in no UTF-8, so that its record is bad.
const MALFORMED: u8 = 0xff;

/// Bytes of a file, or what they are decompressed and decoded to.
pub type Input = Box<dyn Read + Send>;

/// Returns a file as UTF-8. `name` is its name, whose ending can tell the compression.
///
/// # Errors
/// The fault of the file, if its beginning contradicts what is declared.
pub fn open(input: Input, name: &str, text: &TextSpec) -> Result<Input, Fault> {
    let (head, input) = peek(input, 8)?;
    let found = guess::compression(&head);
    let compression = text.compression.or_else(|| by_name(name)).unwrap_or(Compression::None);
    let wrong = |problem: &str, word: &str| Err(Fault::setting(problem, format!("compression: {word}")));
    let input: Input = match (compression, found) {
        (Compression::None, Some(found)) if text.compression.is_none() => {
            return wrong(&format!("a file is compressed with {}", found.word()), found.word());
        }
        (Compression::None, _) if head.starts_with(b"PK\x03\x04") => {
            return Err(Fault::Unreadable("it is a ZIP archive or a workbook, and no text".to_owned()));
        }
        (Compression::None, _) => input,
        // A file of no bytes has no member or frame either: it is empty.
        _ if head.is_empty() => input,
        (declared, found) if found != Some(declared) => {
            let word = found.map_or("none", Compression::word);
            return wrong(&format!("a file is not compressed with {}", declared.word()), word);
        }
        (Compression::Gzip, _) => Box::new(MultiGzDecoder::new(input)),
        (Compression::Zstd, _) => {
            let mut decoder = zstd::Decoder::new(input).map_err(|error| unreadable(&error))?;
            decoder.window_log_max(ZSTD_WINDOW).map_err(|error| unreadable(&error))?;
            Box::new(decoder)
        }
    };
    let (head, input) = peek(input, HEAD_BYTES)?;
    guess::check(&head, text.encoding)?;
    let encoding = match text.encoding {
        None | Some(Encoding::Utf8) => return Ok(input),
        Some(Encoding::Gb18030) => GB18030,
        Some(Encoding::Big5) => BIG5,
        Some(Encoding::Utf16Le) => UTF_16LE,
        Some(Encoding::Utf16Be) => UTF_16BE,
    };
    Ok(Box::new(Transcoder::new(input, encoding.new_decoder_without_bom_handling())))
}

/// Returns the fault of a file for which reading failed. Errors of reading speak of the file, not of values.
pub fn unreadable(error: &io::Error) -> Fault {
    Fault::Unreadable(format!("reading failed: {error}"))
}

fn by_name(name: &str) -> Option<Compression> {
    let ending = name.rsplit_once('.')?.1;
    let is = |endings: &[&str]| endings.iter().any(|e| ending.eq_ignore_ascii_case(e));
    if is(&["gz"]) {
        Some(Compression::Gzip)
    } else if is(&["zst", "zstd"]) {
        Some(Compression::Zstd)
    } else {
        None
    }
}

/// Returns the first bytes, and the whole input as it was.
fn peek(mut input: Input, most: usize) -> Result<(Vec<u8>, Input), Fault> {
    let mut head = Vec::with_capacity(most);
    input.by_ref().take(most as u64).read_to_end(&mut head).map_err(|error| unreadable(&error))?;
    let whole = Cursor::new(head.clone()).chain(input);
    Ok((head, Box::new(whole)))
}

/// Reader that decodes to UTF-8.
struct Transcoder {
    input: Input,
    decoder: Decoder,
    /// Bytes that were read and are not decoded yet.
    raw: Vec<u8>,
    /// UTF-8 that was not given out yet, from `given` on.
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

impl Transcoder {
    fn new(input: Input, decoder: Decoder) -> Self {
        Self { input, decoder, raw: Vec::new(), text: Vec::new(), given: 0, ended: false }
    }

    /// Decodes the next buffer.
    fn fill(&mut self) -> io::Result<()> {
        self.raw.clear();
        let read = self.input.by_ref().take(BUFFER_BYTES as u64).read_to_end(&mut self.raw)?;
        self.ended = read < BUFFER_BYTES;
        // Records were added to the file in another encoding than those before.
        let encoding = self.decoder.encoding();
        if (encoding == GB18030 || encoding == BIG5) && guess::is_utf8(&self.raw) {
            return Err(io::Error::other(format!("a part of it is in UTF-8, and not in {}", encoding.name())));
        }
        self.text.clear();
        self.given = 0;
        let mut rest = self.raw.as_slice();
        loop {
            let from = self.text.len();
            // Three bytes for each of the input's are the most that any of the encodings needs.
            self.text.resize(from + 3 * rest.len() + 16, 0);
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(rest, &mut self.text[from..], self.ended);
            self.text.truncate(from + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.text.push(MALFORMED),
            }
        }
    }
}

impl Read for Transcoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.fill()?;
        }
        let length = out.len().min(self.text.len() - self.given);
        out[..length].copy_from_slice(&self.text[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}
