//! Which owners stand behind a merged cell: a bit for each owner that may hide cells, or-ed over the rows that were
//! merged. A cell where a bit is missing may lack that owner's part.

use datafusion::common::{Column, Result as DfResult};
use datafusion::functions_aggregate::expr_fn::bit_or;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit, when};

use crate::merge::OWNER_COLUMN;

/// Bits of one word: those of an `i64` without its sign.
const BITS: usize = 63;

/// The aggregates over the leaf's rows: a word for each [`BITS`] owners.
pub(super) fn seen(owners: usize) -> DfResult<Vec<Expr>> {
    let owner = || Expr::Column(Column::new_unqualified(OWNER_COLUMN));
    let bits = lit(BITS as i64);
    let word = |word: usize| {
        let bit = binary_expr(lit(1_i64), Operator::BitwiseShiftLeft, owner() % bits.clone());
        let own = when((owner() / bits.clone()).eq(lit(word as i64)), bit).end()?;
        Ok(bit_or(own))
    };
    (0..owners.div_ceil(BITS)).map(word).collect()
}

/// Whether some of `owners` released nothing for a merged cell, given the columns of [`seen`].
pub(super) fn missing(owners: usize, seen: impl Iterator<Item = Expr>) -> Expr {
    let word = |(word, seen): (usize, Expr)| {
        let here = (owners - word * BITS).min(BITS);
        let all = (1_i64 << (here - 1)) - 1 + (1 << (here - 1));
        datafusion::functions::expr_fn::coalesce(vec![seen, lit(0_i64)]).not_eq(lit(all))
    };
    seen.enumerate().map(word).reduce(Expr::or).unwrap_or_else(|| lit(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_owner_has_a_bit() {
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
