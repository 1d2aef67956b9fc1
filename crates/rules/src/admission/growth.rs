//! Bounds on the length of texts that an expression makes. A text that grows without bound takes memory that no pool
//! counts, and does so only if some record makes it grow: whoever asks could see that.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use wanqu_model::refusal::{Code, Refusal};

/// Greatest length of a text, as a multiple of the columns' texts.
const MAX_TIMES: u64 = 8;

/// Bytes that may be added besides.
const MAX_BYTES: u64 = 1024;

/// Bytes of a value that is no text, written out.
const WRITTEN: u64 = 64;

/// A bound of a text's length: so many times the longest text of a column, and so many bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Length {
    times: u64,
    bytes: u64,
}

impl Length {
    fn of(times: u64, bytes: u64) -> Self {
        Self { times, bytes }
    }

    fn and(self, other: Self) -> Self {
        Self::of(self.times.saturating_add(other.times), self.bytes.saturating_add(other.bytes))
    }

    fn or(self, other: Self) -> Self {
        Self::of(self.times.max(other.times), self.bytes.max(other.bytes))
    }

    fn repeated(self, factor: u64) -> Self {
        Self::of(self.times.saturating_mul(factor), self.bytes.saturating_mul(factor))
    }
}

/// Refuses an expression of which some part may become too long.
pub(super) fn check(expr: &Expr) -> Result<(), Refusal> {
    let mut lengths = Lengths::default();
    match expr.visit(&mut lengths) {
        Ok(_) if lengths.too_long => Err(Refusal::new(Code::Limit, "a text may become too long")
            .with_rule(format!(
                "over non-public data a text is at most {MAX_TIMES} times as long as those that it is made of, and \
                 {MAX_BYTES} bytes more"
            ))
            .with_subject("replace, concat, ||")
            .with_remedy("put the texts together in the released result")),
        Ok(_) => Ok(()),
        Err(_) => Err(Refusal::new(Code::Internal, "an expression cannot be read")),
    }
}

/// Walk that computes the bound of each part of an expression from those of its own parts.
#[derive(Default)]
struct Lengths {
    done: Vec<Length>,
    begun: Vec<usize>,
    too_long: bool,
}

impl TreeNodeVisitor<'_> for Lengths {
    type Node = Expr;

    fn f_down(&mut self, _: &Expr) -> DfResult<TreeNodeRecursion> {
        self.begun.push(self.done.len());
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, expr: &Expr) -> DfResult<TreeNodeRecursion> {
        let parts = self.done.split_off(self.begun.pop().unwrap_or_default());
        let length = length(expr, &parts);
        self.too_long |= length.times > MAX_TIMES || length.bytes > MAX_BYTES && !matches!(expr, Expr::Literal(..));
        self.done.push(length);
        Ok(TreeNodeRecursion::Continue)
    }
}

fn length(expr: &Expr, parts: &[Length]) -> Length {
    let longest = || parts.iter().copied().fold(Length::default(), Length::or);
    let together = || parts.iter().copied().fold(Length::default(), Length::and);
    match expr {
        Expr::Column(_) => Length::of(1, 0),
        Expr::Literal(value, _) => Length::of(0, text(value).map_or(WRITTEN, |text| text.len() as u64)),
        Expr::Cast(_) | Expr::TryCast(_) => longest().or(Length::of(0, WRITTEN)),
        Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }) => together(),
        Expr::ScalarFunction(call) => match (call.name(), &call.args[..], parts) {
            ("concat", _, _) => together(),
            ("concat_ws", _, [between, rest @ ..]) => {
                rest.iter().fold(Length::default(), |all, part| all.and(*part).and(*between))
            }
            ("replace", [_, from, to], [of, ..]) => {
                let bytes = |expr: &Expr| match expr {
                    Expr::Literal(value, _) => text(value).map_or(0, |text| text.len() as u64),
                    _ => u64::MAX,
                };
                // An empty text may be found between all characters.
                let factor = match bytes(from) {
                    0 => bytes(to).saturating_add(1),
                    from => bytes(to).div_ceil(from).max(1),
                };
                of.repeated(factor)
            }
            _ => longest(),
        },
        // Booleans and numbers are short, however long the texts are that they are computed from.
        Expr::BinaryExpr(_)
        | Expr::Between(_)
        | Expr::InList(_)
        | Expr::Like(_)
        | Expr::Negative(_)
        | Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_) => Length::of(0, WRITTEN),
        _ => longest(),
    }
}

/// Returns true if an expression is a literal text of more than so many bytes.
pub(super) fn is_longer(expr: &Expr, bytes: usize) -> bool {
    matches!(expr, Expr::Literal(value, _) if text(value).is_some_and(|text| text.len() > bytes))
}

/// Returns the text of a literal; `None` if it is no text.
pub(super) fn text(value: &ScalarValue) -> Option<&str> {
    match value {
        ScalarValue::Utf8(text) | ScalarValue::LargeUtf8(text) | ScalarValue::Utf8View(text) => text.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::col;
    use datafusion::prelude::{concat, lit, replace};

    use super::*;

    fn passes(expr: &Expr) -> bool {
        check(expr).is_ok()
    }

    #[test]
    fn texts_grow_by_little_and_not_by_much() {
        let long = "x".repeat(900);
        assert!(passes(&concat(vec![col("a"), lit("-"), col("b")])));
        assert!(passes(&replace(col("a"), lit("-"), lit("/"))));
        assert!(passes(&col("a").eq(lit("x".repeat(100_000)))), "a literal is as long as it is");
        assert!(passes(&replace(lit("1"), lit("1"), lit(long.as_str()))));
        let twice = replace(replace(lit("1"), lit("1"), lit(long.as_str())), lit("x"), lit(long.as_str()));
        assert!(!passes(&twice));
        assert!(!passes(&replace(col("a"), lit("x"), lit(long.as_str()))));
        assert!(!passes(&replace(col("a"), lit(""), lit("0123456789abcdef"))));
        let doubled = |expr: Expr| concat(vec![expr.clone(), expr]);
        assert!(passes(&doubled(doubled(doubled(col("a"))))));
        assert!(!passes(&doubled(doubled(doubled(doubled(col("a")))))));
    }
}
