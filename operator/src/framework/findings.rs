//! The findings of the compiler, in the words of a condition.

use wanqu_crds::Finding;

/// Findings of one resource, a line each: the field, what is wrong, what would be right.
#[must_use]
pub fn told(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let field = if finding.path.is_empty() { String::new() } else { format!("{}: ", finding.path) };
        let remedy = if finding.remedy.is_empty() { String::new() } else { format!("; {}", finding.remedy) };
        format!("{field}{}{remedy}", finding.problem)
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
