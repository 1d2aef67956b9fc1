//! Rounding half away from zero, as PostgreSQL rounds decimals.

use arrow::datatypes::i256;

/// Returns the quotient of two numbers, rounded half away from zero; `None` if there is none.
pub(crate) fn rounded(number: i256, divisor: i256) -> Option<i256> {
    let (quotient, rest) = (number.checked_div(divisor)?, number.checked_rem(divisor)?);
    // Compared in this way, nothing is doubled that could leave its range.
    let (rest, divisor_size) = (rest.wrapping_abs(), divisor.wrapping_abs());
    if rest < divisor_size.wrapping_sub(rest) {
        return Some(quotient);
    }
    let step = if number.is_negative() == divisor.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    quotient.checked_add(step)
}
