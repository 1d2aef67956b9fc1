//! Literals and names that try to end before their end: what stands behind them would then be read as SQL by an owner.

use super::Outcome::AsForNobody;
use super::{Attack, attack};

/// Texts, as they are written between quotes, that a careless writer or reader of SQL takes for something else.
pub const TEXTS: [&str; 20] = [
    r"x\'') OR true --",
    r"x\",
    r"x\\'' OR ''1''=''1",
    "a''''b",
    "''",
    "''''",
    "'' OR ''''=''",
    "x'') UNION ALL SELECT count(1) FROM hongkong.health.people --",
    "a\0b",
    "a\nb\r\tc",
    "--",
    "/* x */ */",
    "$$x$$",
    "E''x''",
    "\u{2019} OR 1=1 --",
    "\u{ff07}\u{2bc}\u{b4}`",
    "\u{202e}x\u{2066}",
    "x\"y\"\"z",
    r"%_\%",
    "\u{5b57}\u{1f600}e\u{301}",
];

/// Names, as they are written between double quotes.
pub const NAMES: [&str; 5] = ["a\"\"b", "n') --", "x\"\", (SELECT 1) AS \"\"y", "\u{201d}", "a\\\"\"b"];

/// Each text in conditions: as if it named nobody, whatever stands in it.
pub(super) fn attacks() -> Vec<Attack> {
    let condition = "SELECT count(*) AS n FROM gba.health.visits WHERE diagnosis = 'TEXT'";
    let list =
        "SELECT specialty, count(*) AS n FROM gba.health.visits WHERE facility IN ('y', 'TEXT') GROUP BY specialty";
    // Quotes alone cannot be told from those around them.
    let texts = TEXTS.iter().filter(|text| text.chars().any(|c| c != '\''));
    let asked = texts.flat_map(|text| {
        [condition, list].map(|sql| {
            let nobody = AsForNobody(text, "nobody-at-all");
            attack("a text that ends before its end", nobody, &sql.replace("TEXT", text))
        })
    });
    asked.collect()
}
