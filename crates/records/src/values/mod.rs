//! Values: the text of a field as its declared type, exactly, or a reason why not.
//!
//! ```text
//! column.rs   builders of the declared columns
//! number.rs   whole numbers, decimals, floats
//! time.rs     dates and timestamps
//! hint.rs     the declaration with which a text could be read
//! ```

mod column;
mod hint;
mod number;
mod time;

use std::borrow::Cow;

use wanqu_model::bundle::ValueSyntax;

pub use column::Column;
use number::NumberSyntax;
use time::TimeSyntax;

/// How values are written, made ready.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// Texts that stand for no value.
    nulls: Vec<String>,
    numbers: NumberSyntax,
    dates: TimeSyntax,
    timestamps: TimeSyntax,
}

impl Values {
    /// Returns what a manifest declares.
    pub fn new(declared: &ValueSyntax) -> Self {
        Self {
            nulls: declared.nulls.iter().map(|word| trimmed(word).to_owned()).collect(),
            numbers: NumberSyntax::new(declared),
            dates: TimeSyntax(declared.dates.clone()),
            timestamps: TimeSyntax(declared.timestamps.clone()),
        }
    }

    /// Returns true if a text stands for no value.
    pub fn is_null(&self, text: &str) -> bool {
        !self.nulls.is_empty() && self.nulls.iter().any(|word| word == trimmed(text))
    }
}

/// Returns a text without the spaces around it, those of Chinese typography too.
fn trimmed(text: &str) -> &str {
    let graphic = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    if graphic(text.as_bytes().first()) && graphic(text.as_bytes().last()) {
        return text;
    }
    text.trim_matches([' ', '\t', '\r', '\n', '\u{a0}', '\u{3000}'])
}

/// Returns the text of a number or a date with full-width characters as their ASCII forms: they are the same digits.
fn narrow(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let narrow = |character: char| match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        '\u{3000}' | '\u{a0}' | '\u{202f}' => ' ',
        '\u{2212}' => '-',
        other => other,
    };
    Cow::Owned(text.chars().map(narrow).collect())
}
