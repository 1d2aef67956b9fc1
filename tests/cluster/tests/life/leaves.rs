//! The certificates that a node has had.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, future};
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, watcher};
use kube::{Api, Client};
use tokio::task::JoinHandle;

/// Keeps count of Hong Kong's certificates, as they lie in its Secret.
pub struct Leaves {
    seen: Arc<Mutex<HashSet<Vec<u8>>>>,
    watch: JoinHandle<()>,
}

impl Leaves {
    pub fn watch(kube: Client) -> Self {
        let seen: Arc<Mutex<HashSet<Vec<u8>>>> = Arc::default();
        let secrets: Api<Secret> = Api::namespaced(kube, "gba-hongkong");
        let keep = Arc::clone(&seen);
        let states = watcher(secrets, Config::default().fields("metadata.name=hongkong-identity"));
        // A watch that breaks off is begun anew.
        let watch = tokio::spawn(states.default_backoff().applied_objects().for_each(move |state| {
            if let Ok(secret) = state
                && let Some(leaf) = secret.data.and_then(|mut data| data.remove("node.pem"))
            {
                keep.lock().unwrap_or_else(PoisonError::into_inner).insert(leaf.0);
            }
            future::ready(())
        }));
        Self { seen, watch }
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Leaves {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
