//! What kind of question a text is: a query, or an `EXPLAIN` or `EXPLAIN POLICY` of one.

/// A text without the words before its query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// Answer it.
    Query(&'a str),
    /// Show its split.
    Explain(&'a str),
    /// Show the rules that it meets.
    ExplainPolicy(&'a str),
}

/// Tells the kinds apart. `EXPLAIN ANALYZE` is left as a query, which the parser refuses: its figures are statistics of
/// data that did not pass a gate.
pub(super) fn kind_of(sql: &str) -> Kind<'_> {
    let Some(rest) = after_word(sql, "EXPLAIN") else { return Kind::Query(sql) };
    if let Some(query) = after_word(rest, "POLICY") {
        return Kind::ExplainPolicy(query);
    }
    let explains_query = ["SELECT", "WITH", "VALUES"].iter().any(|word| after_word(rest, word).is_some());
    if explains_query || rest.trim_start().starts_with('(') { Kind::Explain(rest) } else { Kind::Query(sql) }
}

fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let (head, rest) = text.split_at_checked(word.len())?;
    let ends = rest.chars().next().is_none_or(|c| c.is_whitespace() || c == '(');
    (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_their_first_words() {
        assert_eq!(kind_of("select 1"), Kind::Query("select 1"));
        assert_eq!(kind_of(" explain\nselect 1"), Kind::Explain("\nselect 1"));
        assert_eq!(kind_of("EXPLAIN POLICY select 1"), Kind::ExplainPolicy(" select 1"));
        assert_eq!(kind_of("explain analyze select 1"), Kind::Query("explain analyze select 1"));
        assert_eq!(kind_of("explained"), Kind::Query("explained"));
        assert_eq!(kind_of("就诊"), Kind::Query("就诊"));
    }
}
