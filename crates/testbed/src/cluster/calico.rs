//! Network policies, enforced: Calico's Felix, without the rest of Calico.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::json;

use super::range::Range;
use crate::binaries::{Tool, ensure};
use crate::crds;
use crate::error::{Result, TestbedError};
use crate::process::Program;

/// URL of Felix's readiness.
pub(super) const READINESS: (u16, &str) = (9099, "/readiness");

/// Fills a folder with the plugins of another and that of Calico.
pub(super) fn plugins(others: &Path, folder: &Path) -> Result<PathBuf> {
    let installed = std::fs::read_dir(others).map_err(TestbedError::io(others))?;
    let plugins = installed.flatten().map(|entry| entry.path()).chain([ensure(Tool::CalicoCni)?]);
    for plugin in plugins {
        let link = folder.join(plugin.file_name().unwrap_or_default());
        symlink(&plugin, &link).map_err(TestbedError::io(&link))?;
    }
    Ok(folder.to_owned())
}

/// Puts into the API server what Felix reads there. Without the one object it waits for ever.
pub(super) async fn prepare(client: &Client) -> Result<()> {
    let source = Tool::Felix.source("github.com/projectcalico/calico")?;
    crds::install(client, &source.join("manifests/crds.yaml")).await?;
    let kind = GroupVersionKind::gvk("crd.projectcalico.org", "v1", "ClusterInformation");
    let resource = ApiResource::from_gvk_with_plural(&kind, "clusterinformations");
    let object = DynamicObject::new("default", &resource).data(json!({"spec": {
        "clusterGUID": "00000000000000000000000000000001",
        "clusterType": "k8s",
        "calicoVersion": "v3.28",
        "datastoreReady": true,
    }}));
    Api::all_with(client.clone(), &resource).create(&PostParams::default(), &object).await?;
    Ok(())
}

/// Felix. It tells nobody of its use, and lets pods reach their node, where names and the API server are.
pub(super) fn felix(range: Range, kubeconfig: &Path) -> Result<Program> {
    let settings = [
        ("DATASTORE_TYPE", "kubernetes"),
        ("FELIX_DATASTORETYPE", "kubernetes"),
        ("FELIX_IPTABLESBACKEND", "NFT"),
        ("FELIX_IPV6SUPPORT", "false"),
        ("FELIX_DEFAULTENDPOINTTOHOSTACTION", "ACCEPT"),
        ("FELIX_BPFENABLED", "false"),
        ("FELIX_IPINIPENABLED", "false"),
        ("FELIX_VXLANENABLED", "false"),
        ("FELIX_USAGEREPORTINGENABLED", "false"),
        ("FELIX_LOGFILEPATH", "none"),
        ("FELIX_LOGSEVERITYFILE", "none"),
        ("FELIX_LOGSEVERITYSYS", "none"),
        ("FELIX_HEALTHENABLED", "true"),
    ];
    let program = Program::new(ensure(Tool::Felix)?)
        .env("KUBECONFIG", kubeconfig.display().to_string())
        .env("FELIX_FELIXHOSTNAME", range.name())
        .env("FELIX_HEALTHPORT", READINESS.0.to_string());
    Ok(settings.into_iter().fold(program, |program, (name, value)| program.env(name, value)))
}
