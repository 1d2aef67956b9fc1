//! Random edits of a federation: faults, deletions, revocations, tightenings and widenings.

use wanqu_crds::kinds::{JurisdictionSpec, TracesSpec};
use wanqu_crds::{Finding, Resources, Sourced};
use wanqu_model::bundle::AgreementState;
use wanqu_model::columns::ColumnClass;

use super::random::Random;

/// Edits a federation once, in any of its kinds.
pub fn edit(random: &mut Random, resources: &mut Resources) {
    match random.below(16) {
        0..=4 => dataset(random, resources),
        5..=7 => agreement(random, resources),
        8..=9 => policy(random, resources),
        10 => common_table(random, resources),
        11..=12 => project(random, resources),
        13 => jurisdiction(random, resources),
        14 => federation(random, resources),
        _ => remove(random, resources),
    }
}

fn class(random: &mut Random) -> ColumnClass {
    [ColumnClass::Public, ColumnClass::Dimension, ColumnClass::Measure, ColumnClass::Identifier, ColumnClass::Sealed]
        [random.below(5)]
}

fn dataset(random: &mut Random, resources: &mut Resources) {
    let choice = random.below(12);
    let Some(dataset) = random.one(&mut resources.datasets) else { return };
    let spec = &mut dataset.resource.spec;
    match choice {
        0 => spec.policies = vec!["nope".parse().unwrap()],
        1 => spec.policies = vec!["hongkong-people".parse().unwrap(), "macau-people".parse().unwrap()],
        2 => spec.privacy_unit = None,
        3 => spec.columns.clear(),
        4 => {
            let class = class(random);
            random.one(&mut spec.columns).into_iter().for_each(|column| column.class = class);
        }
        5 => spec.jurisdiction = "XX".parse().unwrap(),
        6 => spec.custodian.clear(),
        7 | 8 => {
            let text = ["nope +", "no_such_column", "random()", "NULL"][random.below(4)];
            let mapping = random.one(&mut spec.serves).and_then(|serves| random.one(&mut serves.mapping));
            mapping.into_iter().for_each(|mapping| text.clone_into(&mut mapping.expression));
        }
        9 => random.one(&mut spec.serves).into_iter().for_each(|serves| serves.common_table = "nope".parse().unwrap()),
        10 => spec.serves.clear(),
        _ => spec.source.files.path = "../elsewhere".to_owned(),
    }
}

fn agreement(random: &mut Random, resources: &mut Resources) {
    let choice = random.below(9);
    let Some(agreement) = random.one(&mut resources.agreements) else { return };
    let spec = &mut agreement.resource.spec;
    match choice {
        0 => spec.state = AgreementState::Suspended,
        1 => spec.expires = spec.not_before,
        2 => spec.purposes.clear(),
        3 => spec.to = spec.from.clone(),
        4 => spec.agreed_by.clear(),
        5 => spec.datasets.push("nope".parse().unwrap()),
        6 => drop(random.take(&mut spec.common_tables)),
        7 => {
            spec.common_tables.clear();
            spec.datasets.clear();
            spec.domains = vec!["health".parse().unwrap()];
        }
        _ => spec.purposes.push("marketing".parse().unwrap()),
    }
}

fn policy(random: &mut Random, resources: &mut Resources) {
    let choice = random.below(7);
    let names: Vec<_> = resources.datasets.iter().map(|dataset| dataset.name().parse().unwrap()).collect();
    let Some(policy) = random.one(&mut resources.policies) else { return };
    let spec = &mut policy.resource.spec;
    match choice {
        0 => spec.min_units = 0,
        1 => spec.rounding = 0,
        2 => spec.applies_to.datasets = vec!["nope".parse().unwrap()],
        3 => spec.applies_to.jurisdiction = Some("XX".parse().unwrap()),
        4 if !names.is_empty() => {
            let mut names = names;
            spec.applies_to.datasets = random.take(&mut names).into_iter().collect();
        }
        5 => spec.applies_to.jurisdiction = None,
        _ => spec.min_units = u32::try_from(random.below(40)).unwrap() + 1,
    }
}

fn common_table(random: &mut Random, resources: &mut Resources) {
    let (choice, class) = (random.below(4), class(random));
    let Some(table) = random.one(&mut resources.common_tables) else { return };
    let columns = &mut table.resource.spec.columns;
    match choice {
        0 => columns.extend(columns.first().cloned()),
        1 => random.one(columns).into_iter().for_each(|column| column.class = class),
        2 => random.one(columns).into_iter().for_each(|column| column.data_type = "date".parse().unwrap()),
        _ => columns.clear(),
    }
}

fn project(random: &mut Random, resources: &mut Resources) {
    let choice = random.below(6);
    let Some(project) = random.one(&mut resources.projects) else { return };
    let spec = &mut project.resource.spec;
    match choice {
        0 => spec.agreements.push("nope".parse().unwrap()),
        1 => spec.purposes.clear(),
        2 => drop(random.take(&mut spec.subjects)),
        3 => {
            let subject = random.one(&mut spec.subjects);
            subject.into_iter().for_each(|subject| subject.jurisdiction = None);
        }
        4 => {
            let subject = random.one(&mut spec.subjects);
            subject.into_iter().for_each(|subject| subject.jurisdiction = Some("XX".parse().unwrap()));
        }
        _ => spec.queries_per_day = Some(3),
    }
}

fn jurisdiction(random: &mut Random, resources: &mut Resources) {
    let choice = random.below(5);
    let Some(jurisdiction) = random.one(&mut resources.jurisdictions) else { return };
    let spec: &mut JurisdictionSpec = &mut jurisdiction.resource.spec;
    match choice {
        0 => spec.sql_name = "gba".parse().unwrap(),
        1 => spec.sql_name = "macau".parse().unwrap(),
        2 => spec.issuers.extend(spec.issuers.first().cloned()),
        3 => spec.traces = Some(traces()),
        _ => spec.issuers.iter_mut().for_each(|issuer| issuer.audience = Some(String::new())),
    }
}

/// Traces that go to a name, which no network policy can allow.
pub fn traces() -> TracesSpec {
    serde_json::from_value(serde_json::json!({"endpoint": "http://collector.example:4318"})).unwrap()
}

fn federation(random: &mut Random, resources: &mut Resources) {
    let choice = random.below(4);
    let Some(federation) = random.one(&mut resources.federations) else { return };
    let spec = &mut federation.resource.spec;
    match choice {
        0 => spec.members.push("XX".parse().unwrap()),
        1 => drop(random.take(&mut spec.members)),
        2 => spec.defaults.release.min_units = 0,
        _ => spec.members.extend(spec.members.first().cloned()),
    }
}

/// Deletes an object, or makes one that nobody can read of it.
fn remove(random: &mut Random, resources: &mut Resources) {
    let (kind, unreadable) = (random.below(6), random.below(3) == 0);
    let gone = match kind {
        0 => take(random, &mut resources.jurisdictions),
        1 => take(random, &mut resources.datasets),
        2 => take(random, &mut resources.common_tables),
        3 => take(random, &mut resources.policies),
        4 => take(random, &mut resources.agreements),
        _ => take(random, &mut resources.projects),
    };
    resources.unreadable.extend(gone.filter(|_| unreadable));
}

fn take<T: kube::Resource<DynamicType = ()>>(random: &mut Random, all: &mut Vec<Sourced<T>>) -> Option<Finding> {
    random.take(all).map(|gone| unreadable(&gone))
}

/// The finding of an object that cannot be read.
pub fn unreadable<T: kube::Resource<DynamicType = ()>>(object: &Sourced<T>) -> Finding {
    Finding {
        origin: None,
        kind: T::kind(&()).into_owned(),
        name: object.name().to_owned(),
        path: "spec.fromTheFuture".to_owned(),
        problem: "it cannot be read".to_owned(),
        remedy: "install another version".to_owned(),
    }
}
