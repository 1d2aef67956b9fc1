//! Attacks: what somebody would ask who wants one person's values, and what should come of it.
//!
//! Each is asked at a gateway as a researcher would, and then once more sent straight to every owner as the fragment of
//! a home node that lies. In neither case may a planted value be seen anywhere outside its jurisdiction.

mod channels;
mod combined;
mod conditions;
pub mod literals;
mod rows;
mod statements;
mod subqueries;
mod values;
mod weights;

/// Expected result of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is refused, with one of these codes.
    Refused(&'static [&'static str]),
    /// It is answered exactly as the same question about nobody: so there is no telling whether there is somebody.
    /// The pair says which text of the query names the person, and which names nobody.
    AsForNobody(&'static str, &'static str),
    /// It is answered. These columns are NULL in every row, and no others are: each owner withholds them.
    Withholds(&'static [&'static str]),
    /// It is answered, and this text is nowhere in the answer.
    Hides(&'static str),
    /// It may be answered or refused; no planted value is seen either way.
    Harmless,
}

/// An attack.
#[derive(Debug, Clone)]
pub struct Attack {
    /// A few words on what it tries.
    pub name: &'static str,
    /// The query.
    pub sql: String,
    /// Expected result.
    pub outcome: Outcome,
}

/// An attack.
fn attack(name: &'static str, outcome: Outcome, sql: &str) -> Attack {
    Attack { name, sql: sql.to_owned(), outcome }
}

/// All attacks by SQL alone.
#[must_use]
pub fn all() -> Vec<Attack> {
    [
        rows::attacks(),
        values::attacks(),
        conditions::attacks(),
        literals::attacks(),
        weights::attacks(),
        channels::attacks(),
        statements::attacks(),
        subqueries::attacks(),
        combined::attacks(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn no_two_attacks_have_the_same_text() {
        let all = super::all();
        let mut texts = HashSet::new();
        let repeated: Vec<&str> =
            all.iter().filter(|attack| !texts.insert(attack.sql.as_str())).map(|attack| attack.sql.as_str()).collect();
        assert_eq!(repeated, [""; 0]);
        assert!(texts.len() >= 100, "{}", texts.len());
    }
}
