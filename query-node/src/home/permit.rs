//! Finds the agreement that a question rests on at each owner, before anything is sent. Pure. It is the owners that decide.

use jiff::Timestamp;
use wanqu_model::answer::Question;
use wanqu_model::bundle::{Agreement, AgreementState, NodeBundle, Project, Subject};
use wanqu_model::names::{JurisdictionId, TableRef};
use wanqu_model::refusal::{Code, Refusal};

/// Returns the project that the question names.
///
/// # Errors
/// [`Code::Requester`] or [`Code::Purpose`] if it names none, or one that is not its requester's.
pub(super) fn project<'a>(
    bundle: &'a NodeBundle,
    requester: &Subject,
    question: &Question,
) -> Result<&'a Project, Refusal> {
    let Some(name) = &question.project else {
        return Err(Refusal::new(Code::Requester, "the question reads non-public data and names no project")
            .with_rule("non-public data is answered to projects")
            .with_remedy(format!(
                "name one: --project of wanqu, the header wanqu-project, or SET wanqu.project = 'NAME'; before the query; \
                 yours are: {}",
                own_projects(bundle, requester)
            )));
    };
    let found = bundle.projects.iter().find(|p| p.name == *name);
    let Some(project) = found.filter(|p| bundle.takes_part(p, &bundle.jurisdiction, requester)) else {
        return Err(Refusal::new(Code::Requester, format!("{} does not take part in the project", requester.subject))
            .with_subject(format!("project {name}"))
            .with_rule(format!(
                "only the subjects of a ResearchProject ask in its name, each at their own home: this is {} of {} at {}",
                requester.subject, requester.issuer, bundle.jurisdiction
            ))
            .with_remedy(format!("use a project of yours: {}", own_projects(bundle, requester))));
    };
    let purposes = || project.purposes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match &question.purpose {
        Some(purpose) if project.purposes.contains(purpose) => Ok(project),
        Some(purpose) => Err(Refusal::new(Code::Purpose, format!("{purpose} is not a purpose of the project"))
            .with_subject(format!("project {name}"))
            .with_rule("a question's purpose is one of its project's")
            .with_remedy(format!("use one of: {}", purposes()))),
        None => Err(Refusal::new(Code::Purpose, "the question reads non-public data and names no purpose")
            .with_subject(format!("project {name}"))
            .with_rule("non-public data is answered for a purpose")
            .with_remedy(format!(
                "name one: --purpose of wanqu, the header wanqu-purpose, or SET wanqu.purpose = 'NAME'; before the query; \
                 the project has: {}",
                purposes()
            ))),
    }
}

fn own_projects(bundle: &NodeBundle, requester: &Subject) -> String {
    let own = bundle.projects.iter().filter(|p| bundle.takes_part(p, &bundle.jurisdiction, requester));
    let own: Vec<String> = own.map(|p| p.name.to_string()).collect();
    if own.is_empty() { "none; ask for a ResearchProject that names you".to_owned() } else { own.join(", ") }
}

/// Returns the agreement that lets `owner` answer a question over these of its tables.
///
/// # Errors
/// The first condition that no agreement meets.
pub(super) fn agreement<'a>(
    bundle: &'a NodeBundle,
    project: &Project,
    question: &Question,
    owner: &JurisdictionId,
    tables: &[TableRef],
    now: Timestamp,
) -> Result<&'a Agreement, Refusal> {
    let home = &bundle.jurisdiction;
    let refuse = |message: String, remedy: &str| {
        Refusal::new(Code::NoAgreement, message)
            .with_owner(owner.clone())
            .with_rule(format!("data of {owner} goes to {home} under an active agreement from {owner} to {home}"))
            .with_remedy(remedy.to_owned())
    };
    let directed: Vec<&Agreement> = bundle.agreements.iter().filter(|a| a.from == *owner && a.to == *home).collect();
    if directed.is_empty() {
        return Err(refuse(
            format!("there is no agreement from {owner} to {home}"),
            "leave that jurisdiction out with WHERE jurisdiction IN (…), or have an agreement made",
        ));
    }
    let covering: Vec<&Agreement> =
        directed.into_iter().filter(|a| tables.iter().all(|t| a.tables.contains(t))).collect();
    if covering.is_empty() {
        let names = tables.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("no agreement from {owner} to {home} covers {names}");
        return Err(refuse(message, "ask for tables that an agreement covers"));
    }
    let active: Vec<&Agreement> = covering
        .into_iter()
        .filter(|a| a.state == AgreementState::Active && a.not_before <= now && now < a.expires)
        .collect();
    if active.is_empty() {
        return Err(refuse(
            format!("the agreement from {owner} to {home} is not in force today"),
            "see its state and dates, and have it renewed",
        ));
    }
    let fitting = active.iter().find(|a| {
        project.agreements.contains(&a.name) && question.purpose.as_ref().is_some_and(|p| a.purposes.contains(p))
    });
    match fitting {
        Some(agreement) => Ok(agreement),
        None if active.iter().any(|a| project.agreements.contains(&a.name)) => {
            let mut purposes: Vec<String> =
                active.iter().flat_map(|a| a.purposes.iter().map(ToString::to_string)).collect();
            purposes.sort();
            purposes.dedup();
            let purpose = question.purpose.as_ref().map(ToString::to_string).unwrap_or_default();
            Err(Refusal::new(Code::Purpose, format!("{purpose} is not a purpose that {owner} agreed to"))
                .with_owner(owner.clone())
                .with_rule("an agreement lists the purposes that it serves")
                .with_remedy(format!("its purposes are: {}", purposes.join(", "))))
        }
        None => Err(Refusal::new(Code::Requester, "the project does not rest on the agreement")
            .with_owner(owner.clone())
            .with_subject(format!("project {}", project.name))
            .with_rule("a ResearchProject lists the agreements it rests on")
            .with_remedy(format!("have {} added to the project's agreements", active[0].name))),
    }
}
