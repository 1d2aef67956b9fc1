//! Names in a statement, as SQL compares them.

use datafusion::sql::sqlparser::ast::{Ident, TableAlias, TableFactor};

/// Returns a name as it is compared: in lower case, unless it is written in quotes.
pub(super) fn normal(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// Returns the name by which the columns of something in FROM are named.
pub(super) fn name_of(factor: &TableFactor) -> Option<&Ident> {
    match (alias_of(factor), factor) {
        (Some(alias), _) => Some(&alias.name),
        (None, TableFactor::Table { name, .. }) => name.0.last().and_then(|part| part.as_ident()),
        _ => None,
    }
}

/// Returns the alias of something in FROM.
pub(super) fn alias_of(factor: &TableFactor) -> Option<&TableAlias> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. } => alias.as_ref(),
        _ => None,
    }
}
