//! Guesses, from the first bytes of a file, at a declaration that its manifest lacks.

use std::cmp::Reverse;

use encoding_rs::{BIG5, GB18030};
use wanqu_model::bundle::{Compression, Encoding};

use crate::fault::Fault;

/// Returns the compression whose signature the bytes begin with.
pub fn compression(head: &[u8]) -> Option<Compression> {
    match head {
        [0x1f, 0x8b, ..] => Some(Compression::Gzip),
        // A frame, or one that is to be skipped: what some parallel compressors begin with.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// Returns the encoding whose mark the bytes begin with.
pub fn mark(head: &[u8]) -> Option<Encoding> {
    match head {
        [0xef, 0xbb, 0xbf, ..] => Some(Encoding::Utf8),
        [0xff, 0xfe, ..] => Some(Encoding::Utf16Le),
        [0xfe, 0xff, ..] => Some(Encoding::Utf16Be),
        _ => None,
    }
}

/// Checks a declared encoding, or the absence of one, against the beginning of a file.
///
/// # Errors
/// The encoding that the file has, where that is beyond doubt.
pub fn check(head: &[u8], declared: Option<Encoding>) -> Result<(), Fault> {
    let has = |encoding: Encoding| {
        let instead = declared.map_or(String::new(), |d| format!(", and not {}", d.name()));
        let problem = format!("a file is in {}{instead}", encoding.name());
        Err(Fault::setting(problem, format!("encoding: {}", encoding.word())))
    };
    match (mark(head), declared.unwrap_or(Encoding::Utf8)) {
        (Some(mark), encoding) if mark != encoding => return has(mark),
        (Some(_), _) | (None, Encoding::Utf8) => return Ok(()),
        _ => {}
    }
    let whole = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Ok(()),
    };
    // So few NULs in UTF-16 do not occur.
    let sixteen = matches!(declared, Some(Encoding::Utf16Le | Encoding::Utf16Be));
    let certain = if sixteen { !whole.is_empty() && !whole.contains('\0') } else { certainly_utf8(whole) };
    if certain { has(Encoding::Utf8) } else { Ok(()) }
}

/// Returns true for bytes in the midst of a file that are UTF-8, and no text in another encoding.
pub fn is_utf8(bytes: &[u8]) -> bool {
    // The first and the last character may be cut.
    let begin = bytes.iter().take(3).take_while(|byte| matches!(byte, 0x80..=0xbf)).count();
    let bytes = &bytes[begin..];
    match std::str::from_utf8(bytes) {
        Ok(text) => certainly_utf8(text),
        Err(error) if error.error_len().is_none() => {
            certainly_utf8(std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default())
        }
        Err(_) => false,
    }
}

/// Returns true if a text that can be read as UTF-8 is none in GB18030 or Big5. Eight of their characters that happen to be
/// UTF-8 do not occur. Nor do two that happen to be characters of East Asia in UTF-8, and nothing else: those have three
/// bytes each, which would be parts of rare characters.
fn certainly_utf8(text: &str) -> bool {
    let east_asian = |c: char| matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}');
    let mut others = text.chars().filter(|c| !c.is_ascii()).take(8).peekable();
    if others.peek().is_none() {
        return false;
    }
    let (mut count, mut wide) = (0, 0);
    for c in others {
        count += 1;
        wide += usize::from(east_asian(c));
    }
    count == 8 || count >= 2 && wide == count
}

/// Returns the fault of a file with these bytes, which are not UTF-8, where no encoding is declared.
pub fn not_utf8(bytes: &[u8]) -> Fault {
    match encoding(bytes) {
        Some((encoding, None)) => Fault::setting(
            format!("a file is not UTF-8; it looks like {}", encoding.name()),
            format!("encoding: {}", encoding.word()),
        ),
        Some((likely, Some(other))) => Fault::setting(
            format!("a file is not UTF-8; it looks like {}, and can be read as {} too", likely.name(), other.name()),
            format!("encoding: {}, or encoding: {}, whichever gives its words", likely.word(), other.word()),
        ),
        None => Fault::setting(
            "a file is not UTF-8, and its encoding cannot be told",
            "encoding: gb18030 (or big5, utf-16le, utf-16be; or utf-8, if only some records are damaged)",
        ),
    }
}

/// Returns the encoding that bytes which are not UTF-8 look like, of those that can be declared, and another that they are
/// in as well.
///
/// Nearly every text in GBK is one in Big5 too, and the other way round. Each has its frequent characters in an area of its
/// own, where the other has few or none; but a few names are no measure of what is frequent, and the wrong encoding gives other
/// characters without a word.
fn encoding(bytes: &[u8]) -> Option<(Encoding, Option<Encoding>)> {
    if let Some(encoding) = utf16(bytes) {
        return Some((encoding, None));
    }
    let (mut all, mut frequent_gbk, mut frequent_big5) = (0, 0, 0);
    let mut at = 0;
    while let (Some(&lead), Some(&trail)) = (bytes.get(at), bytes.get(at + 1)) {
        at += match (lead, trail) {
            (..0x80, _) => 1,
            // Four bytes of GB18030.
            (_, b'0'..=b'9') => 4,
            _ => {
                all += 1;
                frequent_gbk += usize::from(matches!(lead, 0xb0..=0xd7) && trail >= 0xa1);
                frequent_big5 += usize::from(matches!(lead, 0xa4..=0xc6));
                2
            }
        };
    }
    let valid = |encoding: &'static encoding_rs::Encoding| {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).is_some()
    };
    let big5 = (frequent_big5, Encoding::Big5, BIG5);
    let gbk = (frequent_gbk, Encoding::Gb18030, GB18030);
    let mut candidates = [big5, gbk];
    candidates.sort_by_key(|(frequent, ..)| Reverse(*frequent));
    let mut fit = candidates.into_iter().filter(|(.., encoding)| valid(encoding));
    let (frequent, likely, _) = fit.next()?;
    (2 * frequent >= all).then(|| (likely, fit.next().map(|(_, other, _)| other)))
}

/// Returns the form of UTF-16 in which texts have NULs at every second byte, if these bytes do.
pub fn utf16(bytes: &[u8]) -> Option<Encoding> {
    let at = |parity: usize| bytes.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let (high_first, low_first) = (at(0), at(1));
    let enough = (bytes.len() / 8).max(2);
    match (high_first, low_first) {
        (0, n) if n >= enough => Some(Encoding::Utf16Le),
        (n, 0) if n >= enough => Some(Encoding::Utf16Be),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::GBK;

    use super::*;

    fn setting(fault: Fault) -> String {
        let Fault::Setting { setting, .. } = fault else { panic!("{fault}") };
        setting
    }

    #[test]
    fn texts_of_the_bay_are_told_apart() {
        for text in ["a,b\n1,福田区\n2,ascii\n", "名称,地址\n深圳市南山区人民医院,桃园路八十九号\n"]
        {
            let setting = setting(not_utf8(&GBK.encode(text).0));
            assert!(setting.starts_with("encoding: gb18030"), "{text}: {setting}");
        }
        for text in ["醫院,地址\n瑪麗醫院,薄扶林道一百零二號\n", "name,district\nQueen Mary,中西區\nTuen Mun,屯門區\n"]
        {
            let setting = setting(not_utf8(&BIG5.encode(text).0));
            assert!(setting.starts_with("encoding: big5"), "{text}: {setting}");
        }
        let little: Vec<u8> = "a,b\n1,x\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(setting(not_utf8(&little)), "encoding: utf-16le");
        let fault = not_utf8(b"a,b\n1,caf\xe9,\n");
        assert!(setting(fault).contains("or utf-8"));
    }

    #[test]
    fn bytes_of_two_encodings_are_told_to_be_of_both() {
        // Rare characters of Big5, as in names of people, which look like frequent ones of GBK.
        for name in ["戴凱欣", "羅慧嫻", "鄺婉儀"] {
            let bytes = BIG5.encode(name).0;
            let fits = GB18030.decode_without_bom_handling_and_without_replacement(&bytes).is_some();
            let setting = setting(not_utf8(&bytes));
            assert_eq!(setting.contains("gb18030") && setting.contains("big5"), fits, "{name}: {setting}");
        }
        let both = setting(not_utf8(&BIG5.encode("瑪麗醫院\n").0));
        assert_eq!(both, "encoding: big5, or encoding: gb18030, whichever gives its words");
    }

    #[test]
    fn a_declaration_that_a_file_contradicts_is_refused() {
        let chinese = "名称,地址\n深圳市南山区人民医院,桃园路\n";
        let sixteen: Vec<u8> = chinese.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (head, declared, expected) in [
            (chinese.as_bytes(), Some(Encoding::Gb18030), Some("encoding: utf-8")),
            (chinese.as_bytes(), Some(Encoding::Utf16Le), Some("encoding: utf-8")),
            (chinese.as_bytes(), None, None),
            (b"a,b\n1,2\n", Some(Encoding::Big5), None),
            ("a,b\n1,x\n2,香港\n".as_bytes(), Some(Encoding::Gb18030), Some("encoding: utf-8")),
            ("a,b\n1,旺角\n".as_bytes(), Some(Encoding::Big5), Some("encoding: utf-8")),
            // Two bytes that are a character in UTF-8 as well.
            (&GBK.encode("a,b\n1,一\n").0, Some(Encoding::Gb18030), None),
            (&GBK.encode(chinese).0, Some(Encoding::Gb18030), None),
            (&GBK.encode(chinese).0, None, None),
            (&sixteen, Some(Encoding::Utf16Le), None),
            (b"\xff\xfea\0", None, Some("encoding: utf-16le")),
            (b"\xff\xfea\0", Some(Encoding::Utf16Be), Some("encoding: utf-16le")),
            (b"\xef\xbb\xbfa", Some(Encoding::Gb18030), Some("encoding: utf-8")),
        ] {
            let found = check(head, declared).err().map(setting);
            assert_eq!(found.as_deref(), expected, "{head:?} as {declared:?}");
        }
    }
}
