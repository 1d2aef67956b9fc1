//! Numbers as text, appended to a buffer without allocating: a million rows pass through here.

/// Appends a number in decimal.
pub fn push_int(out: &mut String, value: i64) {
    if value < 0 {
        out.push('-');
    }
    push_padded(out, value.unsigned_abs(), 1);
}

/// Appends a number in decimal with at least `width` digits (at most 20).
pub fn push_padded(out: &mut String, mut value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while value > 0 {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    let start = at.min(digits.len().saturating_sub(width));
    for digit in &digits[start..] {
        out.push(char::from(*digit));
    }
}

/// Appends an amount in hundredths: `1234.50`.
pub fn push_hundredths(out: &mut String, value: i64) {
    push_fixed(out, value, 100, 2);
}

/// Appends an amount in tenths: `23.5`.
pub fn push_tenths(out: &mut String, value: i64) {
    push_fixed(out, value, 10, 1);
}

fn push_fixed(out: &mut String, value: i64, unit: u64, digits: usize) {
    if value < 0 {
        out.push('-');
    }
    push_padded(out, value.unsigned_abs() / unit, 1);
    out.push('.');
    push_padded(out, value.unsigned_abs() % unit, digits);
}

/// Appends a field of a CSV line, quoted where RFC 4180 asks for it.
pub fn push_csv(out: &mut String, field: &str) {
    if field.contains([',', '"', '\n', '\r']) {
        out.push('"');
        for part in field.chars() {
            if part == '"' {
                out.push('"');
            }
            out.push(part);
        }
        out.push('"');
    } else {
        out.push_str(field);
    }
}

/// Appends a JSON string. The sample texts hold no control characters.
pub fn push_json(out: &mut String, text: &str) {
    out.push('"');
    for part in text.chars() {
        if part == '"' || part == '\\' {
            out.push('\\');
        }
        out.push(part);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(make: impl Fn(&mut String)) -> String {
        let mut out = String::new();
        make(&mut out);
        out
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(made(|o| push_int(o, 0)), "0");
        assert_eq!(made(|o| push_int(o, -120)), "-120");
        assert_eq!(made(|o| push_padded(o, 7, 3)), "007");
        assert_eq!(made(|o| push_padded(o, 12345, 3)), "12345");
        assert_eq!(made(|o| push_hundredths(o, 98_765_432)), "987654.32");
        assert_eq!(made(|o| push_hundredths(o, -5)), "-0.05");
        assert_eq!(made(|o| push_tenths(o, 235)), "23.5");
    }

    #[test]
    fn texts_are_quoted_where_they_must_be() {
        assert_eq!(made(|o| push_csv(o, "plain")), "plain");
        assert_eq!(made(|o| push_csv(o, "a, \"b\"")), "\"a, \"\"b\"\"\"");
        assert_eq!(made(|o| push_json(o, "a\"b")), "\"a\\\"b\"");
    }
}
