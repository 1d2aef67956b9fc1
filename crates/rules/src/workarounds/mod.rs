//! Workarounds for faults of DataFusion 55 and sqlparser 0.62 that would give wrong answers without a word.
//!
//! | file | fault | upstream |
//! |---|---|---|
//! | [`clauses`] | clauses that are read and ignored; FETCH | |
//! | [`patterns`] | `LIKE … ESCAPE`, SIMILAR TO | datafusion#13291, #13312 |
//! | [`quantified`] | NULL in a list behind ANY, and in rows that are compared | |
//! | [`lengths`] | `CAST(x AS VARCHAR(3))` | datafusion#10743 |
//! | [`numerals`] | numbers with an exponent or of many digits | |
//! | [`distinct_keys`] | DISTINCT rows in the order of a computed column: not planned | kind of datafusion#5293 |
//! | [`statement`] | columns that are selected twice | datafusion#6543 |
//! | [`selected`] | EXISTS and IN (subquery) as a column: not planned | datafusion#23022 |
//! | [`shift`] | LEAD and LAG with IGNORE NULLS | datafusion#25471 |
//! | [`cast_names`] | a column beside its own cast | kind of datafusion#15032 |
//! | [`table_names`] | tables called like a column, in correlated subqueries | |
//! | [`order_keys`] | columns in ORDER BY that are called like an alias | |
//! | [`using_keys`] | the merged key of USING in WHERE | |
//! | [`wide`] | time that grows with the square of the number of aggregates | |
//! | [`using`] | the merged key of RIGHT, FULL and NATURAL JOIN | datafusion#22881 |
//! | [`multisets`] | EXCEPT ALL and INTERSECT ALL | datafusion#12956 |
//! | [`in_lists`] | NULL in `NOT IN (list)` | datafusion#24246 |
//! | [`long_cases`] | conditions over a CASE: time that grows with the cube of its branches | |
//! | [`negation`] | `-(x & y)` becomes `-x \| -y` | datafusion#24665 |
//! | [`subqueries`], [`one_row`] | IN, EXISTS and scalar subqueries | datafusion#8241, #16134, #25283, #25347, #25473 |
//!
//! Where no number stands, no report was found upstream.
//!
//! Operators that bind otherwise than in PostgreSQL are mended while a text is read, by the dialect of the crate `wanqu-sql`.
//!
//! The first thirteen change the text's syntax tree, the next two the plan, before it is analysed. The
//! last four are optimiser rules, so that they hold wherever a plan is optimised: at home before it is split, at the owner,
//! and in the merge: [`optimiser_rules`]. When DataFusion moves on, a file goes when the tests pass without it.

mod cast_names;
mod clauses;
mod distinct_keys;
pub(crate) mod in_lists;
mod lengths;
mod long_cases;
mod multisets;
mod names;
mod negation;
mod numerals;
mod one_row;
mod order_apart;
mod order_keys;
mod patterns;
mod quantified;
mod selected;
mod shift;
mod statement;
mod subqueries;
mod table_names;
#[cfg(test)]
mod tests;
mod using;
mod using_keys;
mod walk;
mod wide;

use std::sync::Arc;

use datafusion::optimizer::{Optimizer, OptimizerRule};

pub(crate) use one_row::is_only_value;
pub(crate) use order_keys::name_order_keys;
pub(crate) use statement::{prepare_expression, prepare_statement};
pub(crate) use table_names::tell_tables_from_columns;
pub(crate) use using::{Qualified, merge_keys};

pub(crate) use using_keys::name_merged_keys;

pub(crate) use cast_names::{NamedCasts, cast_by_name, casts_again, name_casts};
pub(crate) use multisets::number_copies;
pub(crate) use subqueries::{check_one_row, check_reach};
pub(crate) use wide::{part_from_aggregates, without_true_having};

use crate::wanted::Wanted;

/// Returns the optimiser's rules: DataFusion's own, with those of this room among them, and a look before each of
/// DataFusion's whether the plan is wanted still.
pub(crate) fn optimiser_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![];
    for rule in Optimizer::new().rules {
        rules.push(Arc::new(Wanted));
        match rule.name() {
            "simplify_expressions" => rules.push(Arc::new(in_lists::SoundSimplifyExpressions::default())),
            // ANY and ALL become EXISTS first.
            "rewrite_set_comparison" => {
                rules.push(Arc::new(subqueries::ComparisonsApart));
                rules.push(rule);
                rules.push(Arc::new(subqueries::SoundSubqueries));
            }
            _ => rules.push(rule),
        }
    }
    rules
}
