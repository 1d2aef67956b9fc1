//! Secrets as the operator read or wrote them last.
//!
//! They are not watched, since the right to watch some is the right to read all. Without a memory each reconciliation would
//! ask the API server for every Secret of its resource. Like the store of a watch, what is remembered can decide that
//! nothing is to be written, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::DynamicObject;
use parking_lot::Mutex;

/// How long a Secret is remembered. What somebody else does to it is seen after that.
const FRESH: Duration = Duration::from_mins(1);

/// Secrets that were read or written a short time ago.
pub struct Remembered {
    fresh: Duration,
    objects: Mutex<HashMap<(String, String), Object>>,
}

struct Object {
    since: Instant,
    object: Arc<DynamicObject>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self::lasting(FRESH)
    }
}

impl Remembered {
    /// A memory that lasts so long.
    #[must_use]
    pub fn lasting(fresh: Duration) -> Self {
        Self { fresh, objects: Mutex::default() }
    }

    /// Returns a Secret, if it is remembered.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        let objects = self.objects.lock();
        let found = objects.get(&(namespace.to_owned(), name.to_owned()))?;
        (found.since.elapsed() < self.fresh).then(|| Arc::clone(&found.object))
    }

    /// Remembers a Secret as the API server has it now.
    pub fn set(&self, mut object: DynamicObject) {
        object.metadata.managed_fields = None;
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        let mut objects = self.objects.lock();
        objects.retain(|_, kept| kept.since.elapsed() < self.fresh);
        objects.insert(key, Object { since: Instant::now(), object: Arc::new(object) });
    }

    /// Forgets a Secret that is gone, or is not the operator's.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.objects.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(name: &str) -> DynamicObject {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "gba", "name": name}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_secret_is_remembered_for_its_time_and_no_longer_than_it_is_there() {
        let kept = Remembered::lasting(Duration::from_hours(1));
        kept.set(secret("a"));
        assert_eq!(kept.get("gba", "a").unwrap().name_any(), "a");
        assert!(kept.get("gba", "b").is_none() && kept.get("other", "a").is_none());
        kept.forget("gba", "a");
        assert!(kept.get("gba", "a").is_none());

        let brief = Remembered::lasting(Duration::ZERO);
        brief.set(secret("a"));
        assert!(brief.get("gba", "a").is_none());
        brief.set(secret("b"));
        assert_eq!(brief.objects.lock().len(), 1, "what nobody asks for again is not kept for good");
    }
}
