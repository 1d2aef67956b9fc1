//! Where DuckDB speaks otherwise than PostgreSQL and this project do, and what is done about it. This is the only list.
//!
//! | where | DuckDB | here |
//! |---|---|---|
//! | `/` of whole numbers | a float | written as `//`; the setting `integer_division` would change floats too |
//! | NULL in an order | last | `default_null_order`: last ascending, first descending |
//! | sums of whole numbers | 128 bits | random queries cast them to 64 bits; beyond is a failure, or NULL behind the gate |
//! | decimals compared that 38 digits do not hold | fails | exact: random queries need not fail here |
//! | averages of decimals | a float | compared with the tolerance of the decimal's last digit |
//! | types of a result | its own | not compared, values are (`value.rs`) |
//! | division by 0 | NULL for whole numbers | random queries divide by literals other than 0 |
//! | `date_trunc` of a day | a day | a day and its midnight are equal |
//! | text from a float, a day or a moment | its own spelling | not compared: no such cast is drawn |
//! | `round(float)` of a half | away from zero | the same |
//! | NaN | equal to itself, greater than all | the same, as in PostgreSQL |
//! | order of texts | by bytes | the same: no collation |
//! | `SIMILAR TO` | a regular expression | the one listed pattern is translated |
//! | `RANGE` of a window at the ends of a type | fails | windows have no such order |
//! | functions of other names | [`WORDS`] | translated |

/// Settings that make it agree.
pub const SETTINGS: &[&str] = &[
    "SET default_null_order = 'nulls_last_on_asc_first_on_desc'",
    "SET ieee_floating_point_ops = true",
    "SET TimeZone = 'UTC'",
    "SET threads = 2",
];

/// Words of this project's dialect, and DuckDB's for the same.
const WORDS: &[(&str, &str)] = &[
    ("approx_distinct(", "approx_count_distinct("),
    ("regexp_like(", "regexp_matches("),
    ("character_length(", "length("),
    ("btrim(", "trim("),
    ("var(", "var_samp("),
    ("birth_year / 10", "birth_year // 10"),
    (")/5", ")//5"),
    ("SIMILAR TO 'a%'", "LIKE 'a%'"),
    ("BETWEEN SYMMETRIC 3 AND 0", "BETWEEN 0 AND 3"),
    ("SELECT i / 2", "SELECT i // 2"),
    ("lag(count(*)) IGNORE NULLS", "lag(count(*) IGNORE NULLS)"),
];

/// A query in DuckDB's words.
#[must_use]
pub fn translated(sql: &str) -> String {
    WORDS.iter().fold(sql.to_owned(), |sql, (ours, theirs)| sql.replace(ours, theirs))
}
