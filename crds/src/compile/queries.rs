//! Questions that are declared beside the federation. No bundle holds them; what they refer to must be there.

use wanqu_model::names::Purpose;

use super::index::{Index, unknown};
use crate::finding::{Findings, instead};
use crate::kinds::FederatedQuery;
use crate::resources::Resources;
use crate::schedule::Schedule;
use crate::sourced::Sourced;

/// Notes what is wrong with each question.
pub(super) fn check(resources: &Resources, index: &Index<'_>, findings: &mut Findings) {
    for query in &resources.queries {
        references(query, index, findings);
        schedule(query, findings);
    }
}

fn references(query: &Sourced<FederatedQuery>, index: &Index<'_>, findings: &mut Findings) {
    let spec = &query.resource.spec;
    index.check_jurisdiction(query, "spec.from", &spec.from, findings);
    match (&spec.project, &spec.purpose) {
        (Some(name), Some(purpose)) => match index.projects.get(name) {
            Some(project) if !project.resource.spec.purposes.contains(purpose) => {
                let purposes = project.resource.spec.purposes.iter().map(Purpose::as_str);
                let problem = format!("ResearchProject {name} does not ask for {purpose}");
                findings.add(query, "spec.purpose", problem, instead(purpose.as_str(), purposes));
            }
            Some(_) => {}
            None => unknown(query, "spec.project", "ResearchProject", name, &index.projects, findings),
        },
        (None, None) => {}
        _ => {
            let problem = "project and purpose are said together";
            findings.add(query, "spec", problem, "say both, or neither where only public tables are read");
        }
    }
}

fn schedule(query: &Sourced<FederatedQuery>, findings: &mut Findings) {
    let spec = &query.resource.spec;
    let Some(fields) = &spec.schedule else {
        if spec.time_zone.is_some() || spec.starting_deadline_seconds.is_some() {
            let problem = "timeZone and startingDeadlineSeconds speak of a schedule, and there is none";
            findings.add(query, "spec", problem, "leave them out, or say the schedule");
        }
        return;
    };
    if let Err(error) = Schedule::parse(fields, spec.time_zone.as_deref()) {
        findings.add(query, error.field(), error.to_string(), error.remedy());
    }
}
