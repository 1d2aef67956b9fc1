//! Kinds of question: a query, or an `EXPLAIN` or `EXPLAIN POLICY` of one.

/// Kind of a question, with the text of its query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// To be answered.
    Query(&'a str),
    /// Its split is to be shown.
    Explain(&'a str),
    /// The rules that it meets are to be shown.
    ExplainPolicy(&'a str),
}

/// Returns the kind of a question. `EXPLAIN ANALYZE` is left as a query, which the parser refuses: its figures are statistics of
/// data that did not pass a gate.
pub(super) fn kind_of(sql: &str) -> Kind<'_> {
    let Some(rest) = after_word(sql, "EXPLAIN") else { return Kind::Query(sql) };
    if let Some(query) = after_word(rest, "POLICY") {
        return Kind::ExplainPolicy(query);
    }
    let explains_query = ["SELECT", "WITH", "VALUES"].iter().any(|word| after_word(rest, word).is_some());
    if explains_query || trimmed(rest).starts_with('(') { Kind::Explain(rest) } else { Kind::Query(sql) }
}

/// Returns the text behind its first word, comments aside, if that is `word`.
pub(super) fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = trimmed(text);
    let (head, rest) = text.split_at_checked(word.len())?;
    let ends = rest.chars().next().is_none_or(|c| c.is_whitespace() || c == '(');
    (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

/// Returns the text without the white space and comments before it.
pub(super) fn trimmed(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let behind = match (rest.strip_prefix("--"), rest.strip_prefix("/*")) {
            (Some(comment), _) => comment.split_once('\n').map_or("", |(_, behind)| behind),
            (_, Some(comment)) => comment.split_once("*/").map_or("", |(_, behind)| behind),
            (None, None) => return rest,
        };
        rest = behind.trim_start();
    }
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
        assert_eq!(kind_of("-- why\n/* and\nhow */ EXPLAIN (select 1)"), Kind::Explain(" (select 1)"));
        assert_eq!(kind_of("EXPLAIN -- the split\n SELECT 1"), Kind::Explain(" -- the split\n SELECT 1"));
        assert_eq!(kind_of("-- EXPLAIN"), Kind::Query("-- EXPLAIN"));
    }
}
