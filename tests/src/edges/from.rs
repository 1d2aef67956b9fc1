//! FROM clauses of the world of edges, with the columns that they give.
//!
//! No table has the name of a column: DataFusion would take `k.k` for a field of the column `k` of a table within.

use super::forms::Kind::{Day, Decimal, Float, Moment, Text, Truth, Whole};
use super::node::Scope;

/// A FROM clause; `{on}` stands for a random condition.
#[derive(Debug, PartialEq)]
pub struct From {
    pub text: &'static str,
    pub scope: Scope,
    /// True if its rows are those of `t`, ordered by `id`.
    pub has_windows: bool,
}

const fn rows(text: &'static str) -> From {
    From { text, scope: T, has_windows: true }
}

const fn joined(text: &'static str, scope: Scope) -> From {
    From { text, scope, has_windows: false }
}

const T: Scope = Scope(&[
    ("t.id", Whole),
    ("t.n", Whole),
    ("t.n", Whole),
    ("t.i", Whole),
    ("t.f", Float),
    ("t.x", Float),
    ("t.m", Decimal),
    ("t.w", Decimal),
    ("t.s", Text),
    ("t.g", Text),
    ("t.b", Truth),
    ("t.d", Day),
    ("t.ts", Moment),
]);

const K: Scope = Scope(&[("r.k", Whole), ("r.v", Whole), ("r.s", Text)]);
const KO: Scope = Scope(&[("r.k", Whole), ("r.v", Whole), ("r.s", Text), ("o.k", Whole), ("o.z", Text)]);
/// With USING the key has no table.
const USING: Scope = Scope(&[("k", Whole), ("k", Whole), ("v", Whole), ("s", Text), ("z", Text)]);
const TK: Scope = Scope(&[
    ("t.id", Whole),
    ("t.n", Whole),
    ("t.f", Float),
    ("t.m", Decimal),
    ("t.s", Text),
    ("t.b", Truth),
    ("t.d", Day),
    ("r.k", Whole),
    ("r.v", Whole),
    ("r.s", Text),
]);
const TT: Scope = Scope(&[
    ("t.id", Whole),
    ("t.n", Whole),
    ("t.x", Float),
    ("t.s", Text),
    ("t.b", Truth),
    ("t.d", Day),
    ("u.id", Whole),
    ("u.i", Whole),
    ("u.f", Float),
    ("u.g", Text),
    ("u.b", Truth),
    ("u.ts", Moment),
]);
const P: Scope = Scope(&[
    ("p.i", Whole),
    ("p.s", Text),
    ("p.g", Text),
    ("p.b", Truth),
    ("p.b", Truth),
    ("p.d", Day),
    ("p.ts", Moment),
]);

/// Public rows.
pub static PUBLIC: &[From] = &[
    rows("gba.edge.t t"),
    rows("gba.edge.t t"),
    rows("gba.edge.t t"),
    rows("shenzhen.edge.t t"),
    rows("shenzhen.edge.t t"),
    rows("hongkong.edge.t t"),
    rows("macau.edge.t t"),
    joined("hongkong.edge.k r", K),
    joined("hongkong.edge.k r", K),
    joined("shenzhen.edge.one r", K),
    joined("macau.edge.none r", K),
    joined("hongkong.edge.k r JOIN hongkong.edge.o o ON r.k = o.k", KO),
    joined("hongkong.edge.k r LEFT JOIN hongkong.edge.o o ON r.k = o.k AND {on}", KO),
    joined("hongkong.edge.k r RIGHT JOIN hongkong.edge.o o ON r.k = o.k", KO),
    joined("hongkong.edge.k r FULL JOIN hongkong.edge.o o ON r.k = o.k", KO),
    joined(
        "hongkong.edge.k r JOIN hongkong.edge.o o ON r.k IS NOT DISTINCT FROM o.k AND r.s IS NOT DISTINCT FROM o.z",
        KO,
    ),
    joined("hongkong.edge.k r JOIN hongkong.edge.o o ON {on}", KO),
    joined(
        "hongkong.edge.k r LEFT JOIN macau.edge.none o ON r.k = o.k",
        Scope(&[("r.k", Whole), ("r.s", Text), ("o.k", Whole)]),
    ),
    joined("hongkong.edge.k r CROSS JOIN hongkong.edge.o o", KO),
    joined("hongkong.edge.k JOIN hongkong.edge.o USING (k)", USING),
    joined("hongkong.edge.k LEFT JOIN hongkong.edge.o USING (k)", USING),
    joined("hongkong.edge.k RIGHT JOIN hongkong.edge.o USING (k)", USING),
    joined("hongkong.edge.k FULL JOIN hongkong.edge.o USING (k)", USING),
    joined("hongkong.edge.k NATURAL JOIN hongkong.edge.o", USING),
    joined("gba.edge.t t JOIN hongkong.edge.k r ON t.n = r.k", TK),
    joined("gba.edge.t t LEFT JOIN hongkong.edge.k r ON t.n = r.k AND {on}", TK),
    joined("gba.edge.t t LEFT JOIN hongkong.edge.k r ON t.s = r.s", TK),
    joined("hongkong.edge.k r FULL JOIN shenzhen.edge.t t ON t.i = r.v", TK),
    joined("gba.edge.t t JOIN gba.edge.t u ON t.n = u.n", TT),
    joined("gba.edge.t t LEFT JOIN hongkong.edge.t u ON t.g = u.g AND {on}", TT),
    joined("gba.edge.t t LEFT JOIN macau.edge.t u ON t.b = u.b", TT),
];

/// Protected rows.
pub static SECRET: &[From] = &[
    joined("gba.edge.p p", P),
    joined("gba.edge.p p", P),
    joined("hongkong.edge.p p", P),
    joined("shenzhen.edge.p p", P),
    joined("macau.edge.p p", P),
    joined("(SELECT * FROM gba.edge.p WHERE n IS NOT NULL) p", P),
    joined("(SELECT * FROM gba.edge.p WHERE x > 0) p", P),
];
