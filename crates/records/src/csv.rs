//! Fields of records of CSV.

use std::borrow::Cow;

use memchr::{Memchr3, memchr, memchr2, memchr3_iter};
use wanqu_model::bundle::{CsvSyntax, Mark};

use crate::fault::Reason;
use crate::split::Marks;

/// Returns the characters that mean something.
pub fn marks(syntax: &CsvSyntax) -> Marks {
    let (separator, quote) = (syntax.separator(), syntax.quote());
    let escape = syntax.escape.map(Mark::byte).filter(|escape| *escape != quote);
    Marks { separator, quote, escape, comment: syntax.comment.map(Mark::byte) }
}

/// Setting with which a backslash makes a quote one of the text.
pub const ESCAPE: &str = r#"csv: {escape: "\\"}"#;

/// Field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvField<'a> {
    /// Its text, without quotes.
    pub text: Cow<'a, str>,
    /// True if it stood in quotes.
    pub quoted: bool,
}

/// Fields of one record, in order.
#[derive(Debug)]
pub struct CsvFields<'a> {
    record: &'a str,
    /// Beginning of the next field; `None` after the last one.
    at: Option<usize>,
    marks: Marks,
    /// Separators and line ends from `from` on, whether in quotes or not.
    ends: Memchr3<'a>,
    from: usize,
}

impl<'a> CsvFields<'a> {
    /// Returns the fields of a record, which has no line end.
    pub fn new(record: &'a str, marks: Marks) -> Self {
        Self { record, at: Some(0), marks, ends: ends(record.as_bytes(), marks), from: 0 }
    }

    /// Returns the next field; `None` after the last.
    ///
    /// # Errors
    /// The fault of the record's syntax.
    pub fn next_field(&mut self) -> Result<Option<CsvField<'a>>, Reason> {
        let Some(start) = self.at else { return Ok(None) };
        let bytes = self.record.as_bytes();
        if bytes.get(start) == Some(&self.marks.quote) {
            return self.quoted(start).map(Some);
        }
        let end = self.ends.next().map(|end| self.from + end);
        let text = &self.record[start..end.unwrap_or(bytes.len())];
        self.at = match end {
            Some(end) if bytes[end] == self.marks.separator => Some(end + 1),
            // A line end that is not the file's own would make two records of one for other programs.
            Some(_) => return Err(Reason::of("it has another line end than the file's first, outside quotes")),
            None => None,
        };
        Ok(Some(CsvField { text: Cow::Borrowed(text), quoted: false }))
    }

    /// Reads a field in quotes, which begins at `start`.
    fn quoted(&mut self, start: usize) -> Result<CsvField<'a>, Reason> {
        let rest = &self.record[start..];
        let bytes = rest.as_bytes();
        let quote = self.marks.quote;
        let mut at = 1;
        let mut parts: Option<String> = None;
        let mut from = 1;
        loop {
            let found = match self.marks.escape {
                Some(escape) => memchr2(quote, escape, &bytes[at..]),
                None => memchr(quote, &bytes[at..]),
            };
            let Some(found) = found else { return Err(Reason::of("it ends inside a quoted field")) };
            let mark = at + found;
            if bytes[mark] == quote && bytes.get(mark + 1) != Some(&quote) {
                at = mark;
                break;
            }
            // The mark is left out, and what follows it is a plain character, however many bytes it has.
            let text = parts.get_or_insert_with(String::new);
            text.push_str(&rest[from..mark]);
            let Some(plain) = rest[mark + 1..].chars().next() else {
                return Err(Reason::of("it ends inside a quoted field"));
            };
            text.push(plain);
            at = mark + 1 + plain.len_utf8();
            from = at;
        }
        self.at = match bytes.get(at + 1) {
            None => None,
            Some(byte) if *byte == self.marks.separator => Some(start + at + 2),
            Some(_) => {
                // As other programs write a quote inside a field.
                let escaped = self.marks.escape.is_none() && bytes[at - 1] == b'\\';
                let reason = Reason::of("text follows the closing quote of a field");
                return Err(reason.with_setting(escaped.then(|| ESCAPE.to_owned())));
            }
        };
        if let Some(next) = self.at {
            self.ends = ends(&self.record.as_bytes()[next..], self.marks);
            self.from = next;
        }
        let last = &rest[from..at];
        let text = match parts {
            None => Cow::Borrowed(last),
            Some(mut text) => {
                text.push_str(last);
                Cow::Owned(text)
            }
        };
        Ok(CsvField { text, quoted: true })
    }

    /// Returns all fields.
    ///
    /// # Errors
    /// The fault of the record's syntax.
    pub fn all(mut self) -> Result<Vec<CsvField<'a>>, Reason> {
        let mut fields = Vec::new();
        while let Some(field) = self.next_field()? {
            fields.push(field);
        }
        Ok(fields)
    }
}

/// Returns where fields outside quotes end.
fn ends(record: &[u8], marks: Marks) -> Memchr3<'_> {
    memchr3_iter(marks.separator, b'\r', b'\n', record)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC: Marks = Marks { separator: b',', quote: b'"', escape: None, comment: None };

    fn fields(record: &str, marks: Marks) -> Result<Vec<(String, bool)>, String> {
        let all = CsvFields::new(record, marks).all().map_err(|reason| reason.to_string())?;
        Ok(all.into_iter().map(|field| (field.text.into_owned(), field.quoted)).collect())
    }

    #[test]
    fn fields_are_what_stands_between_separators() {
        let plain =
            |texts: &[&str]| -> Vec<(String, bool)> { texts.iter().map(|t| ((*t).to_owned(), false)).collect() };
        assert_eq!(fields("", RFC).unwrap(), plain(&[""]));
        assert_eq!(fields(",", RFC).unwrap(), plain(&["", ""]));
        assert_eq!(fields("a, b ,5\" pipe", RFC).unwrap(), plain(&["a", " b ", "5\" pipe"]));
        let quoted = [("x,\ny", true), ("", true), ("he said \"no\"", true), ("z", false)];
        let quoted: Vec<_> = quoted.map(|(text, quoted)| (text.to_owned(), quoted)).into();
        assert_eq!(fields("\"x,\ny\",\"\",\"he said \"\"no\"\"\",z", RFC).unwrap(), quoted);
        let marks = Marks { separator: b';', quote: b'\'', escape: Some(b'\\'), comment: None };
        let escaped = vec![("it's; \\é".to_owned(), true), ("\\".to_owned(), false)];
        assert_eq!(fields("'it\\'s; \\\\\\é';\\", marks).unwrap(), escaped);
    }

    #[test]
    fn what_is_no_field_is_an_error() {
        for (record, reason) in [
            ("\"a\"b,c", "text follows the closing quote of a field"),
            ("\"a\" ,c", "text follows the closing quote of a field"),
            ("a,\"b", "it ends inside a quoted field"),
            ("a,\"b\"\"", "it ends inside a quoted field"),
            ("a\rb,c", "it has another line end than the file's first, outside quotes"),
        ] {
            assert_eq!(fields(record, RFC).unwrap_err(), reason, "{record:?}");
        }
        let marks = Marks { escape: Some(b'\\'), ..RFC };
        assert!(fields("\"a\\", marks).is_err() && fields("\"a\\\"", marks).is_err());
    }
}
