//! Disks on demand: a default storage class whose volumes are folders of the cluster's state.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, PostParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::background::Background;
use crate::Login;
use crate::error::{Result, TestbedError};
use crate::say::say;

/// The name of the storage class.
pub(super) const CLASS: &str = "folders";

/// Makes the class, and from then on a volume for each claim of it.
pub(super) async fn provide(login: &Login, state: &Path, node: String) -> Result<Background> {
    let folder = state.join("volumes");
    std::fs::create_dir_all(&folder).map_err(TestbedError::io(&folder))?;
    let class: StorageClass = object(json!({
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "wanqu.dev/testbed",
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "Immediate",
    }));
    Api::all(login.client().await?).create(&PostParams::default(), &class).await?;
    let login = login.clone();
    let at = folder.clone();
    Background::start(|| Ok(()), move || serve(login, folder, node)).map_err(TestbedError::io(at))
}

async fn serve(login: Login, folder: PathBuf, node: String) {
    let client = match login.client().await {
        Ok(client) => client,
        Err(error) => return say(&format!("no volumes are provided: {error}")),
    };
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    loop {
        // From the beginning each time: what has its volume already is passed over.
        let Ok(changes) = claims.watch(&WatchParams::default(), "0").await else { continue };
        let mut changes = changes.boxed();
        while let Ok(Some(change)) = changes.try_next().await {
            if let WatchEvent::Added(claim) | WatchEvent::Modified(claim) = change
                && let Some(volume) = volume_for(&claim, &folder, &node)
                && let Err(error) = make(&client, &volume).await
            {
                say(&format!("no volume for the claim {}: {error}", claim.name_any()));
            }
        }
    }
}

/// The volume that a claim waits for, if it waits for one of this class.
fn volume_for(claim: &PersistentVolumeClaim, folder: &Path, node: &str) -> Option<PersistentVolume> {
    let spec = claim.spec.as_ref()?;
    if spec.volume_name.is_some() || spec.storage_class_name.as_deref() != Some(CLASS) {
        return None;
    }
    let name = format!("{}-{}", claim.namespace()?, claim.name_any());
    Some(object(json!({
        "metadata": {"name": format!("pvc-{}", claim.uid()?)},
        "spec": {
            "storageClassName": CLASS,
            "capacity": spec.resources.as_ref()?.requests.as_ref()?,
            "accessModes": spec.access_modes.as_ref()?,
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": claim.namespace()?, "name": claim.name_any(), "uid": claim.uid()?},
            "local": {"path": folder.join(name)},
            "nodeAffinity": on(node),
        },
    })))
}

/// Only pods of this node may use it.
pub(super) fn on(node: &str) -> Value {
    json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
        {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]},
    ]}]}})
}

async fn make(client: &Client, volume: &PersistentVolume) -> Result<()> {
    let local = volume.spec.as_ref().and_then(|spec| spec.local.as_ref());
    if let Some(path) = local.map(|local| Path::new(&local.path)) {
        // Whichever user a pod runs as.
        std::fs::create_dir_all(path)
            .and_then(|()| std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)))
            .map_err(TestbedError::io(path))?;
    }
    match Api::all(client.clone()).create(&PostParams::default(), volume).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("it is written here, as the type wants it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(class: Option<&str>, volume: Option<&str>) -> PersistentVolumeClaim {
        object(json!({
            "metadata": {"name": "state-0", "namespace": "hk", "uid": "u1"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "storageClassName": class,
                "volumeName": volume,
            },
        }))
    }

    #[test]
    fn a_claim_of_the_class_gets_a_volume_of_its_own_once() {
        let of = |claim: &PersistentVolumeClaim| volume_for(claim, Path::new("/state"), "wanqu-1");
        let volume = of(&claim(Some(CLASS), None)).unwrap();
        let spec = volume.spec.as_ref().unwrap();
        assert_eq!(volume.name_any(), "pvc-u1");
        assert_eq!(spec.local.as_ref().unwrap().path, "/state/hk-state-0");
        assert_eq!(spec.claim_ref.as_ref().unwrap().uid.as_deref(), Some("u1"));
        assert!(of(&claim(Some(CLASS), Some("pvc-u1"))).is_none(), "it has one");
        assert!(of(&claim(Some("other"), None)).is_none(), "it waits for another's");
        assert!(of(&claim(None, None)).is_none());
    }
}
