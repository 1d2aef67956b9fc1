//! How many queries over non-public data a project may ask in a day.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use wanqu_model::bundle::Project;
use wanqu_model::names::ResourceName;
use wanqu_model::refusal::{Code, Refusal};

/// Counts by project for one day (UTC) at a time. A restart begins anew.
#[derive(Debug, Default)]
pub(super) struct Quotas(Mutex<(Option<Date>, HashMap<ResourceName, u32>)>);

impl Quotas {
    /// Counts one more query, or refuses it.
    pub fn count(&self, project: &Project, now: Timestamp) -> Result<(), Refusal> {
        let Some(most) = project.queries_per_day else { return Ok(()) };
        let today = now.to_zoned(TimeZone::UTC).date();
        let mut counts = self.0.lock();
        if counts.0 != Some(today) {
            *counts = (Some(today), HashMap::new());
        }
        let count = counts.1.entry(project.name.clone()).or_default();
        if *count >= most {
            return Err(Refusal::new(Code::Limit, format!("the project has asked {count} queries today"))
                .with_subject(format!("project {}", project.name))
                .with_rule(format!("it may ask {most} queries over non-public data in a day"))
                .with_remedy("go on tomorrow (UTC), or have queriesPerDay raised"));
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_so_many_queries_and_the_next_begins_anew() {
        let project = Project {
            name: "p".parse().unwrap(),
            subjects: vec![],
            purposes: vec![],
            agreements: vec![],
            queries_per_day: Some(2),
        };
        let quotas = Quotas::default();
        let day: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        assert!(quotas.count(&project, day).is_ok());
        assert!(quotas.count(&project, day).is_ok());
        assert_eq!(quotas.count(&project, day).unwrap_err().code, Code::Limit);
        assert!(quotas.count(&project, "2026-01-02T00:00:00Z".parse().unwrap()).is_ok());
    }
}
