//! Persistent volumes made by hand, of folders that a test knows.

use std::path::Path;

use k8s_openapi::api::core::v1::PersistentVolume;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use super::Cluster;
use super::storage::on;
use crate::error::{Result, TestbedError};

impl Cluster {
    /// Makes a volume of a folder, which is made if it is missing, for the one claim that is named, of no storage class. Its
    /// group is set to that of the pod, as with a disk. It and what it holds outlive the claim.
    pub async fn volume(&self, name: &str, folder: &Path, namespace: &str, claim: &str) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(TestbedError::io(folder))?;
        let volume: PersistentVolume = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "100Gi"},
                "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": namespace, "name": claim},
                "local": {"path": folder},
                "nodeAffinity": on(&self.node_name()),
            },
        }))
        .map_err(|error| TestbedError::Content { path: folder.to_owned(), reason: error.to_string() })?;
        Api::all(self.client().await?).create(&PostParams::default(), &volume).await?;
        Ok(())
    }
}
