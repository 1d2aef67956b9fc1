//! Definitions of custom resources, put into a cluster.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};

use crate::error::{Result, TestbedError};
use crate::wait::until;

const WITHIN: Duration = Duration::from_secs(30);

/// Applies every definition in a YAML file, or in the YAML files of a folder, and waits until the API server serves them.
///
/// # Errors
/// If a file cannot be read, or the API server does not take a definition, for instance for a rule that does not compile.
pub async fn install(client: &Client, path: &Path) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut names = Vec::new();
    for definition in read(path)? {
        let name = definition.name_any();
        api.patch(&name, &PatchParams::apply("testbed").force(), &Patch::Apply(&definition)).await?;
        names.push(name);
    }
    for name in names {
        until(&format!("the definition {name} being served"), WITHIN, async || {
            let definition = api.get(&name).await?;
            Ok(if established(&definition) { Ok(()) } else { Err(format!("{:?}", definition.status)) })
        })
        .await?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<CustomResourceDefinition>> {
    let mut paths = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(TestbedError::io(path))?;
        paths = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
    }
    let mut definitions = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(TestbedError::io(&path))?;
        let read = serde_saphyr::from_multiple::<CustomResourceDefinition>(&text);
        definitions.extend(read.map_err(|error| TestbedError::Content { path, reason: error.to_string() })?);
    }
    Ok(definitions)
}

fn established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Established" && condition.status == "True")
}
