//! Marks of cells that may lack an owner's part: a bit for each owner that may hide cells, or-ed over the rows that were
//! merged. A cell without an owner's bit may lack that owner's part.

use datafusion::common::{Column, Result as DfResult};
use datafusion::functions_aggregate::expr_fn::bit_or;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit, when};

use crate::merge::OWNER_COLUMN;

/// Bits of one word: those of an `i64` without its sign.
const BITS: u8 = 63;

/// Returns the aggregates over the leaf's rows: a word for each [`BITS`] owners.
pub(super) fn seen(owners: usize) -> DfResult<Vec<Expr>> {
    let owner = || Expr::Column(Column::new_unqualified(OWNER_COLUMN));
    let word = |(word, _): (i64, usize)| {
        let bit = binary_expr(lit(1_i64), Operator::BitwiseShiftLeft, owner() % lit(i64::from(BITS)));
        let own = when((owner() / lit(i64::from(BITS))).eq(lit(word)), bit).end()?;
        Ok(bit_or(own))
    };
    words(owners).map(word).collect()
}

/// Returns the index of each word, with the number of owners that have a bit in it.
fn words(owners: usize) -> impl Iterator<Item = (i64, usize)> {
    let bits = usize::from(BITS);
    (0_i64..).zip((0..owners).step_by(bits).map(move |first| bits.min(owners - first)))
}

/// Returns the condition that some of `owners` released nothing for a merged cell, over the columns of [`seen`].
pub(super) fn missing(owners: usize, seen: impl Iterator<Item = Expr>) -> Expr {
    let word = |((_, bits), seen): ((i64, usize), Expr)| {
        let all = (0..bits).fold(0_i64, |all, bit| all | 1 << bit);
        datafusion::functions::expr_fn::coalesce(vec![seen, lit(0_i64)]).not_eq(lit(all))
    };
    words(owners).zip(seen).map(word).reduce(Expr::or).unwrap_or_else(|| lit(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_missing_parts_has_a_bit_for_every_owner() {
        for owners in [1, 3, 62, 63, 64, 126, 128] {
            let words = seen(owners).unwrap();
            assert_eq!(words.len(), owners.div_ceil(63), "{owners}");
            let columns = (0..words.len()).map(|i| Expr::Column(Column::new_unqualified(format!("w{i}"))));
            let text = missing(owners, columns).to_string();
            let full: u32 = text
                .split("Int64(")
                .skip(1)
                .filter_map(|part| part.split(')').next()?.parse::<i64>().ok())
                .map(i64::count_ones)
                .sum();
            assert_eq!(full as usize, owners, "{text}");
        }
    }
}
