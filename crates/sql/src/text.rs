//! A text as tokens, and its reading.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

use crate::dialect::QueryDialect;
use crate::nesting::Nesting;
use crate::work::{Ended, Work};

/// Least stack left, in bytes; below it a larger stack is taken.
const RED_ZONE: usize = 32 << 20;
/// Size of the larger stack, in bytes. Pages are made as they are used.
const STACK: usize = 64 << 20;

/// Levels that the parser counts besides those of expressions. It must not end the reading before the dialect does: it would
/// take its own end for "not in this way".
const OF_PARSER: usize = 8;

/// The most tokens of a text that needs no larger stack, whatever is nested in it.
const SHORT: usize = 32;

/// Why a text was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is not SQL of this dialect.
    Invalid(ParserError),
    /// It is longer to read than a text of its length may be.
    TooLong {
        /// The innermost brackets.
        innermost: Option<Location>,
        /// The first bracket without its counterpart.
        unpaired: Option<Location>,
    },
    /// Parts of it lie within each other too deeply.
    TooDeep {
        /// Kind of the parts that are nested, in the plural.
        what: &'static str,
        /// The most that may.
        most: usize,
        /// The innermost.
        innermost: Option<Location>,
    },
}

impl Unread {
    /// Returns what to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Invalid(_) => "correct the text at the place that is named".to_owned(),
            Self::TooLong { unpaired: Some(at), .. } => {
                format!("look at the bracket at {}, which has no counterpart, and correct the text there", place(*at))
            }
            Self::TooLong { innermost: Some(at), .. } => {
                format!(
                    "look for an error in the innermost brackets, at {}; if there is none, nest less: name queries with \
                     WITH, and leave out brackets that are not needed",
                    place(*at)
                )
            }
            Self::TooLong { .. } => "look for an error at the end of the longest chain of names and dots".to_owned(),
            Self::TooDeep { innermost: Some(at), .. } => {
                format!("nest less at {}: name queries with WITH, and leave out what is not needed", place(*at))
            }
            Self::TooDeep { .. } => "nest less: name queries with WITH, and leave out what is not needed".to_owned(),
        }
    }

    /// Returns the rule that the text breaks.
    #[must_use]
    pub fn rule(&self) -> String {
        match self {
            Self::Invalid(_) => "the dialect is DataFusion's, which follows PostgreSQL".to_owned(),
            Self::TooLong { .. } => "brackets and keywords that can be read in several ways are read in each, and the \
                                     work of reading a text grows with its length, not with its depth"
                .to_owned(),
            Self::TooDeep { what, most, .. } => format!("at most {most} {what} lie within each other"),
        }
    }
}

fn place(at: Location) -> String {
    format!("line {}, column {}", at.line, at.column)
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => write!(f, "{error}"),
            Self::TooLong { .. } => f.write_str("it takes too many steps to read"),
            Self::TooDeep { what, .. } => write!(f, "its {what} are nested too deeply"),
        }
    }
}

impl std::error::Error for Unread {}

/// The tokens of a text whose brackets and types are not nested too deeply.
#[derive(Debug)]
pub struct Text {
    tokens: Vec<TokenWithSpan>,
    nesting: Nesting,
}

impl Text {
    /// Takes a text apart into tokens, in one pass.
    ///
    /// # Errors
    /// If a quote or comment is not closed, or brackets or types are nested too deeply.
    pub fn new(text: &str) -> Result<Self, Unread> {
        let tokens = Tokenizer::new(&QueryDialect::new(Work::unbounded()), text)
            .tokenize_with_location()
            .map_err(|error| Unread::Invalid(error.into()))?;
        let nesting = Nesting::of(&tokens);
        match nesting.excess() {
            Some((what, most, innermost)) => Err(Unread::TooDeep { what, most, innermost }),
            None => Ok(Self { tokens, nesting }),
        }
    }

    /// Returns true if there is a comment.
    #[must_use]
    pub fn has_comment(&self) -> bool {
        let comment = |token: &Token| {
            matches!(token, Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)))
        };
        self.tokens.iter().any(|token| comment(&token.token))
    }

    /// Returns the keyword that the text begins with, comments and semicolons aside; `None` if it begins with something else.
    #[must_use]
    pub fn first_keyword(&self) -> Option<Keyword> {
        let mut tokens = self.tokens.iter().map(|token| &token.token);
        match tokens.find(|token| !matches!(token, Token::Whitespace(_) | Token::SemiColon))? {
            Token::Word(word) if word.keyword != Keyword::NoKeyword && word.quote_style.is_none() => Some(word.keyword),
            _ => None,
        }
    }

    /// Reads the text with a parser for the dialect of queries, fragments and mappings. Expressions and queries may lie
    /// `depth` deep within each other. There is stack enough for that, and for a walk over what was read, in `reading`.
    ///
    /// # Errors
    /// What `reading` fails with; [`Unread::TooLong`] and [`Unread::TooDeep`] if it was ended before.
    pub fn parse<T>(
        self,
        depth: usize,
        reading: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
    ) -> Result<T, Unread> {
        let work = Work::of(self.tokens.len(), depth);
        self.parse_within(depth, &QueryDialect::new(work), reading)
    }

    fn parse_within<T>(
        self,
        depth: usize,
        dialect: &QueryDialect,
        reading: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
    ) -> Result<T, Unread> {
        let Self { tokens, nesting } = self;
        let innermost = nesting.brackets.1;
        let short = tokens.len() <= SHORT;
        let mut parser =
            Parser::new(dialect).with_recursion_limit(depth + OF_PARSER).with_tokens_with_locations(tokens);
        let too_deep = || Unread::TooDeep { what: "expressions and queries", most: depth, innermost };
        let read = || catch_unwind(AssertUnwindSafe(|| reading(&mut parser)));
        let read = if short { read() } else { stacker::maybe_grow(RED_ZONE, STACK, read) };
        match read {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(ParserError::RecursionLimitExceeded)) => Err(too_deep()),
            Ok(Err(error)) => Err(Unread::Invalid(error)),
            Err(thrown) => match thrown.downcast_ref::<Ended>() {
                Some(Ended::Steps) => Err(Unread::TooLong { innermost, unpaired: nesting.unpaired }),
                Some(Ended::Depth) => Err(too_deep()),
                None => resume_unwind(thrown),
            },
        }
    }
}

#[cfg(test)]
mod tests;
