//! JSON of which a part cannot be read: that part is marked, and the rest is taken.
//!
//! A parser that gives up at the first fault lets one object's fault hide what another object withdraws. So a number out of
//! range, a text that is not Unicode, a value nested too deeply, and a field that is given twice each become a mark. No type of
//! the bundle accepts the mark, so the object that it stands in is left out like any other that is not understood.
//!
//! Text that ends too early, or whose brackets do not match, is no JSON here either: nothing can be said of what it lacks.

use serde_json::{Map, Value};

/// Deepest nesting of a bundle's values. The format needs less than ten.
const DEEPEST: usize = 64;

/// Name of the one field of a mark. No type has a field of this name.
const MARK: &str = "\0unreadable";

/// Reads JSON; `None` if it has no beginning, no end or no form.
pub(super) fn value(json: &[u8]) -> Option<Value> {
    let mut reader = Reader { json, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    (reader.at == json.len()).then_some(value)
}

/// Returns what the first mark in a value says; `None` if there is no mark in it.
pub(super) fn fault(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) => match fields.get(MARK) {
            Some(reason) => reason.as_str(),
            None => fields.values().find_map(fault),
        },
        Value::Array(items) => items.iter().find_map(fault),
        _ => None,
    }
}

fn mark(reason: &str) -> Value {
    Value::Object(Map::from_iter([(MARK.to_owned(), Value::from(reason))]))
}

struct Reader<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        match self.peek()? {
            b'{' | b'[' if depth == DEEPEST => {
                self.skip_nested()?;
                Some(mark("a value that is nested too deeply"))
            }
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => {
                let token = self.text()?;
                let text = serde_json::from_slice(token).map(Value::String);
                Some(text.unwrap_or_else(|_| mark("a text that is not Unicode")))
            }
            _ => {
                let token = self.bare()?;
                Some(serde_json::from_slice(token).unwrap_or_else(|_| mark("a number that is out of range or is none")))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        let mut fields = Map::new();
        self.take(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Value::Object(fields));
        }
        loop {
            if self.peek()? != b'"' {
                return None;
            }
            let token = self.text()?;
            self.take(b':')?;
            let value = self.value(depth + 1)?;
            let (name, value) = match serde_json::from_slice::<String>(token) {
                Ok(name) if fields.contains_key(&name) => (name, mark("a field that is given twice")),
                Ok(name) => (name, value),
                Err(_) => (MARK.to_owned(), Value::from("a field whose name is not Unicode")),
            };
            fields.insert(name, value);
            if self.ends(b'}')? {
                return Some(Value::Object(fields));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        self.take(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends(b']')? {
                return Some(Value::Array(items));
            }
        }
    }

    /// Passes over a comma, or over the end of a list or object; returns true for the end.
    fn ends(&mut self, end: u8) -> Option<bool> {
        let byte = self.peek()?;
        self.at += 1;
        (byte == end || byte == b',').then_some(byte == end)
    }

    /// Passes over an object or list, however deep.
    fn skip_nested(&mut self) -> Option<()> {
        let mut open = Vec::new();
        loop {
            match self.peek()? {
                b'"' => {
                    self.text()?;
                }
                byte => {
                    self.at += 1;
                    match byte {
                        b'{' => open.push(b'}'),
                        b'[' => open.push(b']'),
                        b'}' | b']' if open.pop() != Some(byte) => return None,
                        _ => {}
                    }
                }
            }
            if open.is_empty() {
                return Some(());
            }
        }
    }

    /// Passes over a text; returns it with its quotes.
    fn text(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        self.at += 1;
        loop {
            let byte = *self.json.get(self.at)?;
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return self.json.get(start..self.at);
            }
        }
    }

    /// Passes over a number, a word, or whatever stands in the place of one.
    fn bare(&mut self) -> Option<&'a [u8]> {
        let rest = self.json.get(self.at..)?;
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"{}[]\",:".contains(byte);
        let length = rest.iter().position(is_end).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then(|| &rest[..length])
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Returns the next byte after white space, without passing over it.
    fn peek(&mut self) -> Option<u8> {
        self.space();
        self.json.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.json.get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_no_fault_is_read_as_it_is() {
        let text = r#" {"a": [1, -2.5, true, null, "\"\\é\ud83d\ude00"], "b": {}, "c": [ ], "": {"a": "}"}} "#;
        let read = value(text.as_bytes()).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(fault(&read), None);
    }

    #[test]
    fn a_part_that_cannot_be_read_is_marked_and_the_rest_is_there() {
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        for (part, reason) in [
            ("1e999", "a number that is out of range or is none"),
            ("NaN", "a number that is out of range or is none"),
            (r#""\ud800""#, "a text that is not Unicode"),
            ("\"\u{1}\"", "a text that is not Unicode"),
            (r#""\q""#, "a text that is not Unicode"),
            (r#"{"x": 1, "x": 1}"#, "a field that is given twice"),
            (r#"{"\ud800": 1}"#, "a field whose name is not Unicode"),
            (deep.as_str(), "a value that is nested too deeply"),
        ] {
            let text = format!("{{\"a\": [{part}, 7], \"b\": 8}}");
            let read = value(text.as_bytes()).unwrap();
            assert_eq!((&read["a"][1], &read["b"]), (&json!(7), &json!(8)), "{part:.20}");
            assert_eq!(fault(&read), Some(reason), "{part:.20}");
        }
        let bytes = [b"{\"a\": \"".as_slice(), &[0xff], b"\", \"b\": 8}"].concat();
        assert_eq!(value(&bytes).unwrap()["b"], 8);
    }

    #[test]
    fn text_without_form_is_nothing() {
        let deep = "[".repeat(1_000_000);
        for text in [
            "",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1]",
            "[1,]",
            "{}x",
            "\"",
            "\"\\",
            "[1 2]",
            "{1:2}",
            deep.as_str(),
        ] {
            assert_eq!(value(text.as_bytes()), None, "{text:.20}");
        }
    }
}
