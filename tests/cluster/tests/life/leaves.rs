//! The certificates that a node has had.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use tokio::task::JoinHandle;

/// Keeps count of Hong Kong's certificates, as they lie in its Secret.
pub struct Leaves {
    seen: Arc<Mutex<HashSet<Vec<u8>>>>,
    looks: JoinHandle<()>,
}

impl Leaves {
    pub fn watch(kube: Client) -> Self {
        let seen: Arc<Mutex<HashSet<Vec<u8>>>> = Arc::default();
        let secrets: Api<Secret> = Api::namespaced(kube, "gba-hongkong");
        let keep = Arc::clone(&seen);
        let looks = tokio::spawn(async move {
            loop {
                if let Ok(secret) = secrets.get("hongkong-identity").await
                    && let Some(leaf) = secret.data.and_then(|mut data| data.remove("node.pem"))
                {
                    keep.lock().unwrap_or_else(PoisonError::into_inner).insert(leaf.0);
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        });
        Self { seen, looks }
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Leaves {
    fn drop(&mut self) {
        self.looks.abort();
    }
}
