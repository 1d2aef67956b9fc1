//! Random expressions as trees of forms.
//!
//! An argument stands between parentheses only where the precedence of operators demands it (PostgreSQL's, which DuckDB
//! shares), so that a parser with another precedence is found out.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::forms::{Form, Kind, Tongue, constants, forms};

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// A column or a constant.
    Leaf(Kind, String),
    /// A form with its arguments.
    Call(&'static Form, Vec<Node>),
}

/// The columns that an expression may name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scope(pub &'static [(&'static str, Kind)]);

impl Scope {
    fn column(self, rng: &mut ChaCha8Rng, kind: Kind) -> Option<String> {
        let fitting: Vec<&str> = self.0.iter().filter(|(_, k)| *k == kind).map(|(name, _)| *name).collect();
        fitting.choose(rng).map(|name| (*name).to_owned())
    }
}

impl Node {
    /// Draws an expression of a kind, of so many levels at most.
    pub fn random(rng: &mut ChaCha8Rng, scope: Scope, kind: Kind, depth: u32) -> Self {
        if depth == 0 || rng.random_bool(0.2) {
            return Self::leaf(rng, scope, kind);
        }
        match forms(kind).choose(rng) {
            Some(form) => Self::of(rng, scope, form, depth - 1),
            None => Self::leaf(rng, scope, kind),
        }
    }

    /// Draws the arguments of a form.
    pub fn of(rng: &mut ChaCha8Rng, scope: Scope, form: &'static Form, depth: u32) -> Self {
        let arguments = form.arguments.iter().map(|kind| Self::random(rng, scope, *kind, depth));
        Self::Call(form, arguments.collect())
    }

    /// Draws a column, or a constant if there is none of this kind, or by chance.
    pub fn leaf(rng: &mut ChaCha8Rng, scope: Scope, kind: Kind) -> Self {
        let column = scope.column(rng, kind).filter(|_| rng.random_bool(0.8));
        let text = column.unwrap_or_else(|| constants(kind).choose(rng).copied().unwrap_or("NULL").to_owned());
        Self::Leaf(kind, text)
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Leaf(kind, _) => *kind,
            Self::Call(form, _) => form.kind,
        }
    }

    fn level(&self) -> u8 {
        match self {
            Self::Leaf(_, text) if text.starts_with('-') => 8,
            Self::Leaf(..) => 9,
            Self::Call(form, _) => form.level,
        }
    }

    /// The text, for one of the two engines.
    pub fn text(&self, tongue: Tongue) -> String {
        match self {
            Self::Leaf(_, text) => text.clone(),
            Self::Call(form, arguments) => {
                let mut text = form.text(tongue).to_owned();
                for (number, argument) in arguments.iter().enumerate() {
                    let inner = argument.text(tongue);
                    // Commas and keywords separate the arguments of what binds like a column.
                    let bare = form.level == 9 || argument.level() > form.level;
                    let inner = if bare { inner } else { format!("({inner})") };
                    text = text.replace(&format!("{{{number}}}"), &inner);
                }
                text
            }
        }
    }

    /// Returns expressions with one part less, of the same kind.
    pub fn smaller(&self) -> Vec<Self> {
        let Self::Call(form, arguments) = self else { return Vec::new() };
        let mut all: Vec<Self> = arguments.iter().filter(|argument| argument.kind() == form.kind).cloned().collect();
        if let Some(constant) = constants(form.kind).first() {
            all.push(Self::Leaf(form.kind, (*constant).to_owned()));
        }
        for (number, argument) in arguments.iter().enumerate() {
            for smaller in argument.smaller() {
                let mut arguments = arguments.clone();
                arguments[number] = smaller;
                all.push(Self::Call(form, arguments));
            }
        }
        all
    }
}
