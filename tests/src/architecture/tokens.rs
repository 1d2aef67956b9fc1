//! Rust's tokens, as far as paths need them: comments, texts and what is compiled for tests only are left out.

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A name or a keyword.
    Word(String),
    /// `::`
    Path,
    /// Any other sign.
    Sign(char),
}

impl Token {
    /// Returns true if the token is this word.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }
}

/// The tokens of a source, and the modules in files of their own that it declares for tests only.
#[derive(Debug, Default)]
pub struct Source {
    /// The tokens that are compiled into a program.
    pub tokens: Vec<Token>,
    /// Names of `#[cfg(test)] mod name;`.
    pub test_modules: Vec<String>,
}

impl Source {
    /// Reads a source that the compiler accepts.
    #[must_use]
    pub fn read(text: &str) -> Self {
        without_tests(&tokens(text))
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => 1 + quoted(&rest[1..], '"'),
            '\'' => character_or_lifetime(rest),
            'r' | 'b' | 'c' if raw_text(rest).is_some() => raw_text(rest).unwrap_or(1),
            ':' if rest.starts_with("::") => {
                tokens.push(Token::Path);
                2
            }
            c if c.is_alphanumeric() || c == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token::Sign(c));
                }
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length up to and with the closing quote; `text` begins after the opening one.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `'x'`, `'\n'` or `'lifetime`.
fn character_or_lifetime(text: &str) -> usize {
    let mut inner = text[1..].chars();
    match (inner.next(), inner.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => 1 + quoted(&text[1..], '\''),
        _ => 1,
    }
}

/// The length of a text with a prefix, `r"…"`, `r#"…"#`, `b"…"`, `b'x'`, `br#"…"#`, `c"…"`; `None` if it is a word.
fn raw_text(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c"]
        .into_iter()
        .find(|prefix| text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(['"', '#', '\''])))?;
    let rest = &text[prefix.len()..];
    if !prefix.ends_with('r') {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        return Some(prefix.len() + 1 + quoted(&rest[1..], quote));
    }
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(prefix.len() + hashes + 1 + length)
}

fn without_tests(tokens: &[Token]) -> Source {
    let mut source = Source::default();
    let mut at = 0;
    while at < tokens.len() {
        match attribute(&tokens[at..]) {
            Some(length) if for_tests(&tokens[at..at + length]) => {
                at += length;
                while let Some(more) = attribute(&tokens[at..]) {
                    at += more;
                }
                let length = item(&tokens[at..]);
                source.test_modules.extend(declared(&tokens[at..at + length]));
                at += length;
            }
            Some(length) => at += length,
            None => {
                source.tokens.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    source
}

/// The length of an attribute, if one begins here.
fn attribute(tokens: &[Token]) -> Option<usize> {
    let open = match tokens {
        [Token::Sign('#'), Token::Sign('['), ..] => 1,
        [Token::Sign('#'), Token::Sign('!'), Token::Sign('['), ..] => 2,
        _ => return None,
    };
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign('[') => depth += 1,
            Token::Sign(']') => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    Some(tokens.len())
}

/// True for `cfg(test)` and `cfg(any(test, …))`, and not for `cfg(not(test))`.
fn for_tests(attribute: &[Token]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token.is(word));
    has("cfg") && has("test") && !has("not")
}

/// The length of an item: up to its semicolon, or to the end of its braces.
fn item(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign(';') if depth == 0 => return at + 1,
            Token::Sign('{' | '(' | '[') => depth += 1,
            Token::Sign(closing @ ('}' | ')' | ']')) => {
                depth -= 1;
                if depth < 0 {
                    return at;
                }
                if depth == 0 && *closing == '}' {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// The name of a module that is declared to be in a file of its own.
fn declared(item: &[Token]) -> Option<String> {
    let at = item.iter().position(|token| token.is("mod"))?;
    match &item[at + 1..] {
        [Token::Word(name), Token::Sign(';')] => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let word = |token: Token| match token {
            Token::Word(word) => Some(word),
            Token::Path | Token::Sign(_) => None,
        };
        Source::read(text).tokens.into_iter().filter_map(word).collect()
    }

    #[test]
    fn comments_and_texts_hold_no_words() {
        let text = r##"
            // crate::a
            /* crate::b /* crate::c */ crate::d */
            let x = "crate::e \" crate::f" + r#"crate::"g" "# + b"h" + br"i" + &'\'' + &'j' + b'k';
            fn keep<'life>(raw: r#type) {}
        "##;
        assert_eq!(words(text), ["let", "x", "fn", "keep", "life", "raw", "r", "type"]);
    }

    #[test]
    fn modules_that_are_compiled_for_tests_only_are_left_out() {
        let text = "
            mod kept;
            #[cfg(test)] mod tests;
            #[cfg(any(test, feature = \"testing\"))]
            #[allow(missing_docs)]
            pub mod testing;
            #[cfg(not(test))] use a::b;
            #[cfg(test)]
            mod inline { fn f() { if x { y } } }
            #[cfg(test)] use c::{d, e};
            #[derive(Debug)] struct Last;
        ";
        let source = Source::read(text);
        assert_eq!(source.test_modules, ["tests", "testing"]);
        assert_eq!(words(text), ["mod", "kept", "use", "a", "b", "struct", "Last"]);
    }
}
