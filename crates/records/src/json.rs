//! One line of NDJSON: the fields of an object (RFC 8259), their numbers as they are written.

use std::borrow::Cow;

use memchr::memchr2;

use crate::fault::Reason;

/// Deepest nesting of arrays and objects.
const MAX_DEPTH: usize = 128;

/// Value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonValue<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(&'a str),
    /// A text.
    Text(Cow<'a, str>),
    /// An array, as it is written.
    Array(&'a str),
    /// An object.
    Object,
}

/// Reader of one line.
#[derive(Debug)]
pub struct JsonScanner<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> JsonScanner<'a> {
    /// Returns a reader from the beginning of a line.
    pub fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    /// Calls `field` with the name and the value of every field of the object that the line is.
    ///
    /// # Errors
    /// The fault of the syntax, or what `field` finds wrong.
    pub fn object<E: From<Reason>>(
        mut self,
        mut field: impl FnMut(Cow<'a, str>, JsonValue<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.peek() == Some(b'[') {
            return Err(Reason::of("it is an array; NDJSON has one object in each line").into());
        }
        self.expect(b'{', "it is no JSON object")?;
        if !self.take(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(broken().into());
                }
                let name = self.text()?;
                self.expect(b':', BROKEN)?;
                let value = self.value(0)?;
                field(name, value)?;
                if !self.take(b',') {
                    self.expect(b'}', BROKEN)?;
                    break;
                }
            }
        }
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Reason::of("more than one value is in the line").into()),
        }
    }

    /// Calls `element` with every element of the array that the text is.
    ///
    /// # Errors
    /// The text is not an array, or `element` returns an error.
    pub fn array(mut self, mut element: impl FnMut(JsonValue<'a>) -> Result<(), Reason>) -> Result<(), Reason> {
        self.expect(b'[', BROKEN)?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            let value = self.value(0)?;
            element(value)?;
            if !self.take(b',') {
                return self.expect(b']', BROKEN);
            }
        }
    }

    /// Returns the next byte that is no white space, without passing over it.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.line.as_bytes()[self.at..];
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.at += blank;
        rest.get(blank).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), Reason> {
        if self.take(byte) { Ok(()) } else { Err(Reason::of(problem)) }
    }

    fn value(&mut self, depth: usize) -> Result<JsonValue<'a>, Reason> {
        if depth > MAX_DEPTH {
            return Err(Reason::of("it is nested too deeply"));
        }
        match self.peek() {
            Some(b'"') => self.text().map(JsonValue::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(JsonValue::Number),
            Some(b't') => self.word("true", JsonValue::Bool(true)),
            Some(b'f') => self.word("false", JsonValue::Bool(false)),
            Some(b'n') => self.word("null", JsonValue::Null),
            Some(b'[') => {
                let start = self.at;
                self.nested(b']', |scanner| scanner.value(depth + 1).map(drop))?;
                Ok(JsonValue::Array(&self.line[start..self.at]))
            }
            Some(b'{') => {
                self.nested(b'}', |scanner| {
                    if scanner.peek() != Some(b'"') {
                        return Err(broken());
                    }
                    scanner.text()?;
                    scanner.expect(b':', BROKEN)?;
                    scanner.value(depth + 1).map(drop)
                })?;
                Ok(JsonValue::Object)
            }
            _ => Err(broken()),
        }
    }

    /// Passes over an array or object, whose elements `element` passes over.
    fn nested(&mut self, end: u8, mut element: impl FnMut(&mut Self) -> Result<(), Reason>) -> Result<(), Reason> {
        self.at += 1;
        if self.take(end) {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.take(b',') {
                return self.expect(end, BROKEN);
            }
        }
    }

    fn word(&mut self, word: &str, value: JsonValue<'a>) -> Result<JsonValue<'a>, Reason> {
        if self.line[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(broken())
        }
    }

    /// Reads a text, at whose opening quote the reader stands.
    fn text(&mut self) -> Result<Cow<'a, str>, Reason> {
        let bytes = self.line.as_bytes();
        let start = self.at;
        let mut at = start + 1;
        let mut escaped = false;
        loop {
            match memchr2(b'"', b'\\', &bytes[at..]) {
                None => return Err(broken()),
                Some(found) if bytes[at + found] == b'\\' => {
                    escaped = true;
                    // The escaped byte is ASCII, or the text is none for the reader of escapes.
                    at += found + 2;
                    if at > bytes.len() {
                        return Err(broken());
                    }
                }
                Some(found) => {
                    at += found;
                    break;
                }
            }
        }
        self.at = at + 1;
        let inner = bytes.get(start + 1..at).unwrap_or_default();
        if inner.iter().any(|byte| *byte < b' ') {
            return Err(Reason::of("a text in it holds a control character"));
        }
        if !escaped {
            return Ok(Cow::Borrowed(&self.line[start + 1..at]));
        }
        serde_json::from_slice::<String>(&bytes[start..=at])
            .map(Cow::Owned)
            .map_err(|_| Reason::of("a text in it has an escape that stands for no character"))
    }

    fn number(&mut self) -> Result<&'a str, Reason> {
        let rest = &self.line[self.at..];
        let length = rest.bytes().take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let number = &rest[..length];
        if !is_number(number) {
            return Err(broken());
        }
        self.at += length;
        Ok(number)
    }
}

const BROKEN: &str = "it is no JSON";

fn broken() -> Reason {
    Reason::of(BROKEN)
}

/// Returns true if a text is a number of RFC 8259.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Vec<(String, JsonValue<'_>)>, Reason> {
        let mut fields = Vec::new();
        JsonScanner::new(line).object(|name, value| {
            fields.push((name.into_owned(), value));
            Ok::<_, Reason>(())
        })?;
        Ok(fields)
    }

    #[test]
    fn an_object_is_read_as_it_is_written() {
        let line = r#" {"a":12.70,"b\"c":"x\u00e9\ud83d\ude00\n","n":null,"t":true,"l":[1,[2,"]"],{"q":"}"}],"o":{"a":{}},"":-1e+5} "#;
        let fields = read(line).unwrap();
        let expected = [
            ("a", JsonValue::Number("12.70")),
            ("b\"c", JsonValue::Text("xé😀\n".into())),
            ("n", JsonValue::Null),
            ("t", JsonValue::Bool(true)),
            ("l", JsonValue::Array(r#"[1,[2,"]"],{"q":"}"}]"#)),
            ("o", JsonValue::Object),
            ("", JsonValue::Number("-1e+5")),
        ];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(read("{}").unwrap(), []);
    }

    #[test]
    fn it_takes_what_serde_json_takes_and_nothing_else() {
        let letters = ["{", "}", "[", "]", "\"", ":", ",", "1", "-", ".", "e", "null", " ", "\\", "é", "\u{1}", "NaN"];
        let whole = [
            r#"{"a":1}"#,
            r#"{"a":01}"#,
            r#"{"a":1.}"#,
            r#"{"a":.5}"#,
            r#"{"a":+1}"#,
            r#"{"a":1e}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1,}"#,
            r"{,}",
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\q"}"#,
            r#"{"a":tru}"#,
            r#"{"a":1}{"a":2}"#,
            r#"{"a""#,
            r#"{"a":"\é"}"#,
            r#"{"a":-}"#,
            r#"{"a":"\"#,
            r"{'a':1}",
            r#"{"a":Infinity}"#,
            r#"{"a":[1,]}"#,
        ];
        let mut random = 7_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        let mut lines: Vec<String> = whole.map(str::to_owned).to_vec();
        for _ in 0..20_000 {
            let length = next(9);
            let middle: String = (0..length).map(|_| letters[next(letters.len())]).collect();
            lines.push(format!("{{\"a\":{middle}}}"));
        }
        let mut taken = 0;
        for line in &lines {
            let known = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line);
            // serde_json refuses numbers beyond a float's range, which are read as they are written here.
            let beyond = known.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
            assert_eq!(read(line).is_ok(), known.is_ok() || beyond, "{line:?}: {:?}", read(line));
            taken += usize::from(known.is_ok());
        }
        assert!(taken > 100, "{taken}");
        assert!(read(&format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500))).is_err());
    }
}
