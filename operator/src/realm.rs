//! What was compiled of each federation: the federation's controller writes it, the others read it.
//!
//! It is kept in memory only. After a start everything is compiled anew before anything is written, and a bundle that
//! already lies in the cluster stays until a better one is there.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use flate2::{Compression, GzBuilder};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;
use wanqu_crds::{Compiled, Finding};
use wanqu_model::names::JurisdictionId;

use crate::framework::hash::sha256;

/// One state of a resource: it changes whenever what is declared does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Which object of this name.
    pub uid: String,
    /// Which generation of it.
    pub generation: i64,
}

/// What can be said of one resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing yet: this state of it has not been looked at.
    Unseen,
    /// It is in order.
    InOrder,
    /// It is not.
    Faulty(Vec<Finding>),
}

/// What was compiled of one federation.
pub struct Realm {
    /// The federation's name.
    pub federation: String,
    /// Everything that it was compiled of.
    pub seen: HashSet<Seen>,
    /// What it was compiled of, addresses and keys included, as a hash.
    pub fingerprint: String,
    /// What is wrong; nothing if it compiles.
    pub findings: Vec<Finding>,
    /// The last state that compiled: what nodes are to run.
    good: Option<Arc<Good>>,
    /// When it was compiled, and since when one compilation followed the other.
    compiled_at: Instant,
    burst_since: Instant,
}

/// How long nothing may change before bundles are written. A folder of manifests arrives bit by bit, and so do the
/// authorities of new members: each bit would be a bundle for everybody.
const CALM: Duration = Duration::from_millis(700);
/// How long changes that never end may hold up bundles.
const PATIENCE: Duration = Duration::from_secs(10);

/// A state that compiled, and the bundles that were made of it so far.
struct Good {
    compiled: Compiled,
    bundles: Mutex<HashMap<JurisdictionId, Made>>,
    /// One is made after the other: many at once would only need the memory of many at once.
    making: Semaphore,
}

/// A bundle that is made once, by whoever asks first.
type Made = Arc<OnceLock<Option<Arc<BundleFile>>>>;

/// A bundle as it lies in a `ConfigMap`.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleFile {
    /// The SHA-256 of its JSON, in hexadecimal.
    pub digest: String,
    /// Its JSON, compressed.
    pub gzip: Vec<u8>,
    /// Whether it names the authority of the member that it is for. A node does not start with one that does not, since
    /// nobody would believe it.
    pub vouched: bool,
}

impl Realm {
    /// What a compilation gave, after `before`: if it failed, the last good one stays.
    #[must_use]
    pub fn new(
        federation: &str,
        seen: HashSet<Seen>,
        fingerprint: String,
        outcome: Result<Compiled, Vec<Finding>>,
        before: Option<&Self>,
        now: Instant,
    ) -> Self {
        let burst = before.filter(|before| now.duration_since(before.compiled_at) < CALM);
        let burst_since = burst.map_or(now, |before| before.burst_since);
        let (good, findings) = match outcome {
            Ok(compiled) => {
                (Some(Arc::new(Good { compiled, bundles: Mutex::default(), making: Semaphore::new(1) })), Vec::new())
            }
            Err(findings) => {
                let before = before.filter(|realm| realm.federation == federation);
                (before.and_then(|realm| realm.good.clone()), findings)
            }
        };
        let federation = federation.to_owned();
        Self { federation, seen, fingerprint, findings, good, compiled_at: now, burst_since }
    }

    /// How long to wait before bundles are written.
    #[must_use]
    pub fn unsettled(&self, now: Instant) -> Option<Duration> {
        let calm = (self.compiled_at + CALM).min(self.burst_since + PATIENCE);
        Some(calm.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// What can be said of a resource in the state in which the caller sees it.
    #[must_use]
    pub fn verdict(&self, seen: &Seen) -> Verdict {
        if !self.seen.contains(seen) {
            return Verdict::Unseen;
        }
        let findings: Vec<Finding> =
            self.findings.iter().filter(|f| f.kind == seen.kind && f.name == seen.name).cloned().collect();
        if findings.is_empty() { Verdict::InOrder } else { Verdict::Faulty(findings) }
    }

    /// Whether everything compiles as it is declared now.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.findings.is_empty()
    }

    /// The last state that compiled.
    #[must_use]
    pub fn compiled(&self) -> Option<&Compiled> {
        self.good.as_deref().map(|good| &good.compiled)
    }

    /// A member's bundle of the last state that compiled; nothing if there is none, or it was no member then.
    #[must_use]
    pub fn bundle(&self, member: &JurisdictionId) -> Option<Arc<BundleFile>> {
        let good = self.good.as_deref()?;
        let made = Arc::clone(good.bundles.lock().entry(member.clone()).or_default());
        let make = || {
            let bundle = good.compiled.bundle(member)?;
            let vouched = bundle.members.iter().any(|other| other.jurisdiction == *member && other.ca.is_some());
            let json = serde_json::to_vec(&bundle).ok()?;
            Some(Arc::new(BundleFile::new(&json, vouched)))
        };
        made.get_or_init(make).clone()
    }

    /// The same, for who must not wait: a large federation's bundles take a while.
    pub async fn bundle_aside(self: &Arc<Self>, member: &JurisdictionId) -> Option<Arc<BundleFile>> {
        let _one = self.good.as_deref()?.making.acquire().await.ok()?;
        let (realm, member) = (Arc::clone(self), member.clone());
        tokio::task::spawn_blocking(move || realm.bundle(&member)).await.ok().flatten()
    }
}

impl BundleFile {
    /// The same JSON gives the same bytes.
    fn new(json: &[u8], vouched: bool) -> Self {
        let digest = sha256(json);
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
        // Writing into a Vec does not fail.
        let gzip = gzip.write_all(json).and_then(|()| gzip.finish()).unwrap_or_default();
        Self { digest, gzip, vouched }
    }
}

/// The realms, by namespace.
#[derive(Clone, Default)]
pub struct Realms(Arc<RwLock<HashMap<String, Arc<Realm>>>>);

impl Realms {
    /// What was compiled in a namespace.
    #[must_use]
    pub fn get(&self, namespace: &str) -> Option<Arc<Realm>> {
        self.0.read().get(namespace).cloned()
    }

    /// Keeps what was compiled.
    pub fn publish(&self, namespace: &str, realm: Realm) {
        self.0.write().insert(namespace.to_owned(), Arc::new(realm));
    }

    /// Forgets a namespace whose federation is gone.
    pub fn forget(&self, namespace: &str) {
        self.0.write().remove(namespace);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use wanqu_crds::{Placements, check, manifests};

    use super::*;

    const GOOD: &str = "
apiVersion: wanqu.dev/v1alpha1
kind: Federation
metadata: {name: gba}
spec: {trustDomain: gba.example, members: [HK]}
---
apiVersion: wanqu.dev/v1alpha1
kind: Jurisdiction
metadata: {name: hongkong}
spec: {id: HK, sqlName: hongkong}
";

    fn seen(generation: i64) -> Seen {
        Seen { kind: "Jurisdiction".to_owned(), name: "hongkong".to_owned(), uid: "u".to_owned(), generation }
    }

    fn outcome(text: &str) -> Result<Compiled, Vec<Finding>> {
        check(&manifests::parse(text, "x.yaml").unwrap(), &Placements::default())
    }

    #[test]
    fn a_change_that_does_not_compile_leaves_the_last_good_bundle() {
        let (hk, now) = ("HK".parse().unwrap(), Instant::now());
        let good = Realm::new("gba", HashSet::from([seen(1)]), "1".to_owned(), outcome(GOOD), None, now);
        let first = good.bundle(&hk).unwrap();
        let bad = outcome(&GOOD.replace("[HK]", "[HK, MO]"));
        let bad = Realm::new("gba", HashSet::from([seen(2)]), "2".to_owned(), bad, Some(&good), now);
        assert!(good.is_current() && !bad.is_current());
        assert_eq!(bad.bundle(&hk).unwrap(), first);
        assert_eq!(bad.verdict(&seen(1)), Verdict::Unseen, "nothing is said of a state that was not looked at");
        assert_eq!(bad.verdict(&seen(2)), Verdict::InOrder, "the fault is the federation's");
        let other = Realm::new("other", HashSet::new(), "3".to_owned(), Err(Vec::new()), Some(&good), now);
        assert!(other.bundle(&hk).is_none(), "another federation's bundles are not its own");
    }

    #[test]
    fn a_bundle_is_the_same_bytes_each_time_and_reads_back() {
        let hk = "HK".parse().unwrap();
        let file = |_| {
            Realm::new("gba", HashSet::new(), String::new(), outcome(GOOD), None, Instant::now()).bundle(&hk).unwrap()
        };
        let (first, second) = (file(1), file(2));
        assert_eq!(first, second);
        let mut json = Vec::new();
        GzDecoder::new(first.gzip.as_slice()).read_to_end(&mut json).unwrap();
        let bundle: wanqu_model::bundle::NodeBundle = serde_json::from_slice(&json).unwrap();
        assert_eq!(bundle.trust_domain, "gba.example");
        assert_eq!(BundleFile::new(&json, true).digest, first.digest);
        assert!(!first.vouched, "nobody has said what its authority is");
    }

    #[test]
    fn bundles_wait_until_nothing_changes_but_not_for_ever() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let next =
            |before: Option<&Realm>, now| Realm::new("gba", HashSet::new(), String::new(), outcome(GOOD), before, now);
        let mut realm = next(None, at(0));
        assert_eq!((realm.unsettled(at(0)), realm.unsettled(at(700))), (Some(CALM), None));
        for tick in 1..20 {
            realm = next(Some(&realm), at(tick * 500));
            let left = Duration::from_millis(10_000 - tick * 500);
            assert_eq!(realm.unsettled(at(tick * 500)), Some(CALM.min(left)));
        }
        realm = next(Some(&realm), at(10_000));
        assert_eq!(realm.unsettled(at(10_000)), None, "ten seconds are enough");
        realm = next(Some(&realm), at(11_000));
        assert_eq!(realm.unsettled(at(11_000)), Some(CALM), "another burst");
    }
}
