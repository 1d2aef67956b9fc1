//! Expressions to SQL text that reads back as what they were: the other direction of `sql`.
//!
//! The text is right by construction, not by knowing how strongly each operator binds: every compound operand stands in
//! brackets. Literals are written with their types, since SQL has one spelling for integers and one for fractions: a decimal
//! written `0.05` would come back as a binary float, and the owner would compute something else. Quotes are doubled here,
//! and nothing else is an escape.

mod expression;
mod literal;
mod types;

use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::keywords::ALL_KEYWORDS;
use wanqu_model::names::SqlName;

pub use expression::Spelling;

/// Returns a value as a literal with its type; `None` if its type has no literal.
#[must_use]
pub fn literal(value: &ScalarValue) -> Option<String> {
    literal::literal_text(value).ok()
}

/// Returns a name as text, quoted unless it is certain to be read back without quotes: in a fragment every name follows
/// a point, `AS` or `FROM`, where keywords are names too.
#[must_use]
pub fn name_text(name: &str) -> String {
    if name.parse::<SqlName>().is_ok() { name.to_owned() } else { quoted(name, '"') }
}

/// Returns a name as text for a place where a keyword would be read as one.
#[must_use]
pub fn bare_name_text(name: &str) -> String {
    let keyword = ALL_KEYWORDS.binary_search(&name.to_ascii_uppercase().as_str()).is_ok();
    if keyword { quoted(name, '"') } else { name_text(name) }
}

/// Returns a value of text as a literal.
fn text_literal(value: &str) -> String {
    quoted(value, '\'')
}

fn quoted(text: &str, quote: char) -> String {
    let doubled: String = [quote, quote].iter().collect();
    format!("{quote}{}{quote}", text.replace(quote, &doubled))
}
