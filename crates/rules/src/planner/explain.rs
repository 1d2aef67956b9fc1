//! `EXPLAIN`: the fragments as SQL, by owner, and the plan that merges their releases.

use std::fmt::Write;

use super::FederatedPlan;

/// Renders the split of a query for people.
#[must_use]
pub fn explain(plan: &FederatedPlan) -> String {
    let mut text = String::new();
    for (number, group) in plan.groups.iter().enumerate() {
        let kind = if group.public { "public rows and statistics" } else { "finished aggregates, through the gate" };
        let _ = writeln!(text, "fragment {number} → __release_{number}: {kind}");
        for (sql, owners) in by_text(&group.texts) {
            let _ = writeln!(text, "  {}:\n    {sql}", owners.join(", "));
        }
    }
    let _ = write!(text, "merge at home:\n{}", indent(&plan.merge.display_indent().to_string()));
    text
}

/// Groups owners by the text that they are asked.
pub(super) fn by_text(texts: &[(wanqu_model::names::JurisdictionId, String)]) -> Vec<(&str, Vec<String>)> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for (owner, sql) in texts {
        match groups.iter_mut().find(|(text, _)| text == sql) {
            Some((_, owners)) => owners.push(owner.to_string()),
            None => groups.push((sql, vec![owner.to_string()])),
        }
    }
    groups
}

fn indent(text: &str) -> String {
    text.lines().flat_map(|line| ["  ", line, "\n"]).collect()
}
