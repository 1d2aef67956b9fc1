//! The queries of the demo's tour. They fit the example manifests and the planted small cells of the sample data.

use wanqu_model::refusal::Code;

use super::tour::{Expected, Step};

/// The three members of the example federation.
const ALL: &[&str] = &["CN-SZ", "HK", "MO"];

/// The tour.
pub const STEPS: &[Step] = &[
    Step {
        title: "a statistic over three jurisdictions",
        about: "One question; each owner computes its own part and releases finished groups, no records.",
        sql: Some(
            "SELECT jurisdiction, count(*) AS visits, count(DISTINCT patient_id) AS patients,\n       \
             avg(cost_cny) AS mean_cost_cny, avg(waiting_minutes) AS mean_wait\n\
             FROM gba.health.visits\nGROUP BY jurisdiction\nORDER BY jurisdiction",
        ),
        expected: Expected::RowsOf(ALL),
    },
    Step {
        title: "small cells stay at home",
        about: "Fewer than ten people of Macau were seen in nuclear medicine or rheumatology: Macau releases no such\n\
                cell, and the account says that something may be lacking.",
        sql: Some(
            "SELECT specialty, jurisdiction, count(*) AS visits\nFROM gba.health.visits\n\
             WHERE specialty IN ('nuclear_medicine', 'rheumatology', 'dentistry')\n\
             GROUP BY specialty, jurisdiction\nORDER BY specialty, jurisdiction",
        ),
        expected: Expected::Suppressed { owner: "MO", absent: &["nuclear_medicine", "rheumatology"] },
    },
    Step {
        title: "a question about persons is refused",
        about: "Records never leave. The refusal says which rule it hit, whose rule that is, and what would pass.",
        sql: Some("SELECT patient_id, visit_date, cost_cny\nFROM gba.health.visits\nWHERE district = 'Coloane'"),
        expected: Expected::Refused(&[Code::NotAnAggregate, Code::ColumnClass]),
    },
    Step {
        title: "the nearest question that passes",
        about: "As the refusal gave it.",
        sql: None,
        expected: Expected::Rows(1),
    },
    Step {
        title: "public rows",
        about: "Tables whose every column is public cross as rows; each owner filters and sorts its own first.",
        sql: Some(
            "SELECT jurisdiction, name, district, beds\nFROM gba.health.facilities\n\
             WHERE kind = 'hospital'\nORDER BY beds DESC, name\nLIMIT 8",
        ),
        expected: Expected::Rows(8),
    },
    Step {
        title: "a join inside each jurisdiction",
        about: "Visits meet the register of patients at their owner, on an identifier that nobody outside sees.",
        sql: Some(
            "SELECT p.chronic, v.age_band, count(*) AS visits, avg(v.cost_cny) AS mean_cost_cny\n\
             FROM gba.health.visits v\nJOIN gba.health.patients p ON v.patient_id = p.patient_id\n\
             GROUP BY p.chronic, v.age_band\nORDER BY p.chronic, v.age_band",
        ),
        expected: Expected::Rows(8),
    },
    Step {
        title: "a join of statistics with public rows",
        about: "Emergency visits for each hospital bed: releases of three owners meet a public table at home.",
        sql: Some(
            "SELECT v.jurisdiction, v.visits, f.beds, round(v.visits / CAST(f.beds AS DOUBLE), 2) AS visits_per_bed\n\
             FROM (SELECT jurisdiction, count(*) AS visits FROM gba.health.visits\n      \
             WHERE emergency GROUP BY jurisdiction) v\n\
             JOIN (SELECT jurisdiction, sum(beds) AS beds FROM gba.health.facilities\n      \
             GROUP BY jurisdiction) f ON v.jurisdiction = f.jurisdiction\n\
             ORDER BY v.jurisdiction",
        ),
        expected: Expected::RowsOf(ALL),
    },
    Step {
        title: "EXPLAIN: what each owner is asked",
        about: "SQL text is all that crosses on the way out; nothing is run for this.",
        sql: Some(
            "EXPLAIN SELECT specialty, avg(cost_cny) AS mean_cost_cny, stddev(waiting_minutes) AS spread\n\
             FROM gba.health.visits\nGROUP BY specialty\nHAVING count(*) > 1000\nORDER BY mean_cost_cny DESC",
        ),
        expected: Expected::Says(&["fragment", "CN-SZ", "HK", "MO", "merge"]),
    },
    Step {
        title: "EXPLAIN POLICY: which rules admit or refuse",
        about: "For each column and operator, by owner; nothing is run for this either.",
        sql: Some(
            "EXPLAIN POLICY SELECT age_band, avg(cost_cny) AS mean_cost_cny, max(cost_cny) AS highest\n\
             FROM gba.health.visits\nGROUP BY age_band",
        ),
        expected: Expected::Says(&["cost_cny", "age_band", "max"]),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_step_of_the_tour_after_a_refusal_asks_what_its_remedy_says() {
        for (position, step) in STEPS.iter().enumerate() {
            let follows = position > 0 && matches!(STEPS[position - 1].expected, Expected::Refused(_));
            assert_eq!(step.sql.is_none(), follows, "{}", step.title);
        }
    }
}
