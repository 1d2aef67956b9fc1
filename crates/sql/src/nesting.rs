//! How deep the brackets and the types of a text lie within each other, by its tokens alone.
//!
//! The parser calls itself for types within types, columns of `JSON_TABLE` and patterns of `MATCH_RECOGNIZE` without counting
//! how deep it is, and so do those who walk over what it read: a stack that ends takes the process with it.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// The most brackets within each other. The parser's own bound on expressions and queries is below it.
const MOST_BRACKETS: usize = 256;
/// The most types within each other, and the most dimensions of an array.
const MOST_TYPES: usize = 64;

/// Depths of a text, with the places where they are reached.
#[derive(Debug, Default)]
pub(crate) struct Nesting {
    /// The most brackets within each other, and the innermost.
    pub(crate) brackets: (usize, Option<Location>),
    /// The first bracket that is closed by nothing or closes nothing.
    pub(crate) unpaired: Option<Location>,
    /// The most types within each other, and the innermost.
    types: (usize, Option<Location>),
}

impl Nesting {
    /// Measures a text in one pass over its tokens.
    pub(crate) fn of(tokens: &[TokenWithSpan]) -> Self {
        let mut nesting = Self::default();
        let mut open: Vec<(Token, Location)> = vec![];
        let mut angles = 0_usize;
        let mut dimensions = 0_usize;
        let mut before: Option<&Token> = None;
        for TokenWithSpan { token, span } in tokens {
            match token {
                Token::Whitespace(_) => continue,
                Token::LParen | Token::LBracket | Token::LBrace => {
                    open.push((closing(token), span.start));
                    deeper(&mut nesting.brackets, open.len(), span.start);
                }
                Token::RParen | Token::RBracket | Token::RBrace => match open.last() {
                    Some((closed_by, _)) if closed_by == token => {
                        open.pop();
                    }
                    _ => nesting.unpaired = nesting.unpaired.or(Some(span.start)),
                },
                Token::Lt if before.is_some_and(has_types_within) => {
                    angles += 1;
                    deeper(&mut nesting.types, angles, span.start);
                }
                Token::Gt => angles = angles.saturating_sub(1),
                Token::ShiftRight => angles = angles.saturating_sub(2),
                _ => {}
            }
            // `[][][]`, `[3][3][3]`: each makes an array of what stands before.
            dimensions = match token {
                Token::LBracket => dimensions,
                Token::RBracket => dimensions + 1,
                Token::Number(..) if before == Some(&Token::LBracket) => dimensions,
                _ => 0,
            };
            deeper(&mut nesting.types, dimensions, span.start);
            before = Some(token);
        }
        nesting.unpaired = nesting.unpaired.or(open.first().map(|(_, at)| *at));
        nesting
    }

    /// Returns what is nested too deeply, and the most that may be.
    pub(crate) fn excess(&self) -> Option<(&'static str, usize, Option<Location>)> {
        if self.brackets.0 > MOST_BRACKETS {
            return Some(("brackets", MOST_BRACKETS, self.brackets.1));
        }
        (self.types.0 > MOST_TYPES).then_some(("types", MOST_TYPES, self.types.1))
    }
}

fn deeper(most: &mut (usize, Option<Location>), depth: usize, at: Location) {
    if depth > most.0 {
        *most = (depth, Some(at));
    }
}

fn closing(token: &Token) -> Token {
    match token {
        Token::LBracket => Token::RBracket,
        Token::LBrace => Token::RBrace,
        _ => Token::RParen,
    }
}

fn has_types_within(token: &Token) -> bool {
    matches!(token, Token::Word(word) if matches!(word.keyword, Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP))
}
