//! Places of parameters in a text: `?` and `$1`.

use std::ops::Range;
use std::str::CharIndices;

use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::dialect::QueryDialect;
use crate::text::Unread;
use crate::work::Work;

/// Place of a parameter. What stands in a literal, a quoted name or a comment is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// Bytes of the text that it takes.
    pub range: Range<usize>,
    /// Its text: `?`, `$1`, `$name`.
    pub name: String,
}

/// Returns the parameters of a text, in the order in which they stand in it.
///
/// # Errors
/// If a quote or comment is not closed, or the tokenizer gives another place for a parameter than it stands at.
pub fn placeholders(text: &str) -> Result<Vec<Placeholder>, Unread> {
    let tokens = Tokenizer::new(&QueryDialect::new(Work::unbounded()), text)
        .tokenize_with_location()
        .map_err(|error| Unread::Invalid(error.into()))?;
    let mut cursor = Cursor { chars: text.char_indices(), line: 1, column: 1 };
    let mut found = Vec::new();
    for token in tokens {
        let Token::Placeholder(name) = token.token else { continue };
        let range = cursor.advance(token.span.start)..cursor.advance(token.span.end);
        if text.get(range.clone()) != Some(name.as_str()) {
            return Err(Unread::Invalid(ParserError::TokenizerError(format!("the place of {name} cannot be told"))));
        }
        found.push(Placeholder { range, name });
    }
    Ok(found)
}

/// Place in a text, counted as the tokenizer counts lines and columns.
struct Cursor<'a> {
    chars: CharIndices<'a>,
    line: u64,
    column: u64,
}

impl Cursor<'_> {
    /// Goes on to a place. Returns its byte.
    fn advance(&mut self, to: Location) -> usize {
        while (self.line, self.column) < (to.line, to.column) {
            match self.chars.next() {
                Some((_, '\n')) => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        self.chars.offset()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let found = placeholders(text).unwrap();
        found.into_iter().map(|one| format!("{}@{}", one.name, one.range.start)).collect()
    }

    #[test]
    fn parameters_are_found_where_they_stand() {
        assert_eq!(names("SELECT ?, $1 , $12+?"), ["?@7", "$1@10", "$12@15", "?@19"]);
        assert_eq!(names("SELECT '湾', \"澳\",\r\n\t?\nFROM t -- 门\nWHERE a = $2"), ["?@23", "$2@49"]);
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for text in [
            "SELECT '?', '''?', \"$1\", \"a\"\"?\"",
            "SELECT 1 -- ?\n/* $1 /* ? */ ? */",
            "SELECT $$ ? $1 $$, $a$ ? $$ $1 $a$",
            "SELECT '\n?\n'",
        ] {
            assert_eq!(placeholders(text), Ok(vec![]), "{text}");
        }
        for text in ["SELECT '?", "SELECT ? /* ", "SELECT \"?"] {
            assert!(matches!(placeholders(text), Err(Unread::Invalid(_))), "{text}");
        }
    }
}
