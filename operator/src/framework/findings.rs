//! Findings of the compiler as messages of conditions.

use wanqu_crds::Finding;

/// Returns the findings of one resource, a line each: field, problem and remedy.
#[must_use]
pub fn message(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let field = if finding.path.is_empty() { String::new() } else { format!("{}: ", finding.path) };
        let remedy = if finding.remedy.is_empty() { String::new() } else { format!("; {}", finding.remedy) };
        format!("{field}{}{remedy}", finding.problem)
    };
    findings.iter().map(line).collect::<Vec<_>>().join("\n")
}
