//! Compilations of federations: the federation's controller writes them, the others read them.
//!
//! They are kept in memory only. After a start everything is compiled before anything is written. What is at fault is left
//! out with all that rests on it, so that nothing that somebody else withdraws waits for it.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::panic::resume_unwind;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use flate2::{Compression, GzBuilder};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;
use wanqu_crds::{Compiled, Finding, Partial};
use wanqu_model::names::JurisdictionId;

use crate::framework::hash::sha256;

/// State of a resource: another one whenever its spec changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectState {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The UID of the object of this name.
    pub uid: String,
    /// Its generation.
    pub generation: i64,
}

/// Result of a compilation for one resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// This state of it has not been compiled yet.
    NotCompiled,
    /// It has no findings.
    Valid,
    /// It has no findings of its own, and loses something by those of another object, which these name.
    LeftOut(Vec<Finding>),
    /// It has these findings.
    Invalid(Vec<Finding>),
}

/// Compilation of one federation.
pub struct Compilation {
    /// The federation's name.
    pub federation: String,
    /// The state of everything that it was compiled of.
    pub states: HashSet<ObjectState>,
    /// A hash of what it was compiled of, addresses and keys included.
    pub fingerprint: String,
    /// Findings; none if everything compiles.
    pub findings: Vec<Finding>,
    /// What other objects lose by those with findings.
    pub left_out: Vec<Finding>,
    /// What nodes are to run: everything that is in order.
    good: Option<Arc<Good>>,
    /// True if that is of the present state.
    current: bool,
    /// The time of the compilation.
    compiled_at: Instant,
    /// The beginning of the changes that have followed each other without a pause since.
    burst_since: Instant,
}

/// Time without a change before bundles are written. A folder of manifests arrives one by one, and so do the
/// authorities of new members: each would make a new bundle for every member.
const QUIET: Duration = Duration::from_millis(700);
/// The longest that changes without a pause hold up bundles.
const LONGEST_BURST: Duration = Duration::from_secs(10);

/// What compiles of a state, and the bundles that were made of it so far.
struct Good {
    compiled: Compiled,
    bundles: Mutex<HashMap<JurisdictionId, Made>>,
    /// One bundle is made at a time, which bounds the memory that it takes.
    making: Semaphore,
}

/// A bundle that is made once, when it is first asked for.
type Made = Arc<OnceLock<Option<Arc<BundleFile>>>>;

/// A bundle as a `ConfigMap` holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleFile {
    /// The SHA-256 of its JSON, in hexadecimal.
    pub digest: String,
    /// Its JSON, gzipped.
    pub gzip: Vec<u8>,
    /// True if it names the authority of the member that it is for. A node does not start with one that does not, since
    /// no peer would trust it.
    pub names_own_authority: bool,
}

impl Compilation {
    /// A compilation after `before`: if there is no Federation that can be read, what was compiled last stays.
    #[must_use]
    pub fn new(
        federation: &str,
        states: HashSet<ObjectState>,
        fingerprint: String,
        outcome: Partial,
        before: Option<&Self>,
        now: Instant,
    ) -> Self {
        let burst = before.filter(|before| now.duration_since(before.compiled_at) < QUIET);
        let burst_since = burst.map_or(now, |before| before.burst_since);
        let Partial { compiled, findings, left_out } = outcome;
        let current = compiled.is_some();
        let good = if let Some(compiled) = compiled {
            Some(Arc::new(Good { compiled, bundles: Mutex::default(), making: Semaphore::new(1) }))
        } else {
            let before = before.filter(|compilation| compilation.federation == federation);
            before.and_then(|compilation| compilation.good.clone())
        };
        let federation = federation.to_owned();
        Self { federation, states, fingerprint, findings, left_out, good, current, compiled_at: now, burst_since }
    }

    /// Returns how long to wait before bundles are written; none if they can be.
    #[must_use]
    pub fn unsettled(&self, now: Instant) -> Option<Duration> {
        let calm = (self.compiled_at + QUIET).min(self.burst_since + LONGEST_BURST);
        Some(calm.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Returns the result for a resource in the state in which the caller sees it.
    #[must_use]
    pub fn verdict(&self, state: &ObjectState) -> Verdict {
        if !self.states.contains(state) {
            return Verdict::NotCompiled;
        }
        let about = |all: &[Finding]| -> Vec<Finding> {
            all.iter().filter(|f| f.kind == state.kind && f.name == state.name).cloned().collect()
        };
        match (about(&self.findings), about(&self.left_out)) {
            (own, _) if !own.is_empty() => Verdict::Invalid(own),
            (_, left_out) if !left_out.is_empty() => Verdict::LeftOut(left_out),
            _ => Verdict::Valid,
        }
    }

    /// Returns true if nodes are to run what compiles of the present state.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.current
    }

    /// Returns what nodes are to run.
    #[must_use]
    pub fn compiled(&self) -> Option<&Compiled> {
        self.good.as_deref().map(|good| &good.compiled)
    }

    /// Returns a jurisdiction's bundle; none if there is no such jurisdiction.
    #[must_use]
    pub fn bundle(&self, member: &JurisdictionId) -> Option<Arc<BundleFile>> {
        let good = self.good.as_deref()?;
        let made = Arc::clone(good.bundles.lock().entry(member.clone()).or_default());
        let make = || {
            let bundle = good.compiled.bundle(member)?;
            let names_own_authority =
                bundle.members.iter().any(|other| other.jurisdiction == *member && other.ca.is_some());
            let json = serde_json::to_vec(&bundle).ok()?;
            Some(Arc::new(BundleFile::new(&json, names_own_authority)))
        };
        made.get_or_init(make).clone()
    }

    /// Like [`bundle`](Self::bundle), on a thread of its own: a large federation's bundle takes a while.
    pub async fn bundle_aside(self: &Arc<Self>, member: &JurisdictionId) -> Option<Arc<BundleFile>> {
        let _one = self.good.as_deref()?.making.acquire().await.ok()?;
        let (compilation, member) = (Arc::clone(self), member.clone());
        match tokio::task::spawn_blocking(move || compilation.bundle(&member)).await {
            Ok(bundle) => bundle,
            // A bundle that cannot be made is not the same as none: the controller ends with the panic.
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}

impl BundleFile {
    /// Returns the file of a bundle. The same JSON gives the same bytes.
    fn new(json: &[u8], names_own_authority: bool) -> Self {
        let digest = sha256(json);
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
        // Writing into a Vec does not fail.
        let gzip = gzip.write_all(json).and_then(|()| gzip.finish()).unwrap_or_default();
        Self { digest, gzip, names_own_authority }
    }
}

/// Compilations by namespace.
#[derive(Clone, Default)]
pub struct Compilations(Arc<RwLock<HashMap<String, Arc<Compilation>>>>);

impl Compilations {
    /// Returns the compilation of a namespace.
    #[must_use]
    pub fn get(&self, namespace: &str) -> Option<Arc<Compilation>> {
        self.0.read().get(namespace).cloned()
    }

    /// Stores the compilation of a namespace.
    pub fn publish(&self, namespace: &str, compilation: Compilation) {
        self.0.write().insert(namespace.to_owned(), Arc::new(compilation));
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
    use wanqu_crds::{Placements, Resources, manifests, partial};

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

    fn state(generation: i64) -> ObjectState {
        ObjectState { kind: "Jurisdiction".to_owned(), name: "hongkong".to_owned(), uid: "u".to_owned(), generation }
    }

    fn outcome(text: &str) -> Partial {
        partial(&manifests::parse(text, "x.yaml").unwrap(), &Placements::default())
    }

    fn nothing() -> Partial {
        partial(&Resources::default(), &Placements::default())
    }

    #[test]
    fn a_fault_is_told_of_its_object_and_bundles_are_made_without_it() {
        let (hk, now) = ("HK".parse().unwrap(), Instant::now());
        let good = Compilation::new("gba", HashSet::from([state(1)]), "1".to_owned(), outcome(GOOD), None, now);
        let first = good.bundle(&hk).unwrap();
        let bad = outcome(&GOOD.replace("[HK]", "[HK, MO]"));
        let bad = Compilation::new("gba", HashSet::from([state(2)]), "2".to_owned(), bad, Some(&good), now);
        assert!(good.is_current() && bad.is_current() && bad.findings.len() == 1);
        assert_eq!(bad.bundle(&hk).unwrap(), first, "what is in order is as it was");
        assert_eq!(bad.verdict(&state(1)), Verdict::NotCompiled, "nothing is said of a state that was not looked at");
        assert_eq!(bad.verdict(&state(2)), Verdict::Valid, "the fault is the federation's");
        let other = Compilation::new("other", HashSet::new(), "3".to_owned(), nothing(), Some(&good), now);
        assert!(other.bundle(&hk).is_none(), "another federation's bundles are not its own");
        let unread = Compilation::new("gba", HashSet::new(), "4".to_owned(), nothing(), Some(&good), now);
        assert!(!unread.is_current());
        assert_eq!(
            unread.bundle(&hk).unwrap(),
            first,
            "a Federation that cannot be read leaves what was compiled last"
        );
    }

    #[test]
    fn an_object_that_loses_by_the_fault_of_another_says_so() {
        let text = format!(
            "{GOOD}---
apiVersion: wanqu.dev/v1alpha1
kind: Dataset
metadata: {{name: beds}}
spec:
  jurisdiction: HK
  custodian: Hospital Authority
  table: health.beds
  source: {{files: {{path: beds.csv, format: csv}}}}
  columns: [{{name: code, type: string, class: public}}]
  policies: [strict]
---
apiVersion: wanqu.dev/v1alpha1
kind: DisclosurePolicy
metadata: {{name: strict}}
spec: {{minUnits: 20, appliesTo: {{datasets: [nope]}}}}
"
        );
        let dataset = ObjectState { kind: "Dataset".to_owned(), name: "beds".to_owned(), ..state(1) };
        let states = HashSet::from([dataset.clone()]);
        let compilation = Compilation::new("gba", states, String::new(), outcome(&text), None, Instant::now());
        let Verdict::LeftOut(why) = compilation.verdict(&dataset) else {
            panic!("{:?}", compilation.verdict(&dataset))
        };
        assert!(why[0].problem.starts_with("DisclosurePolicy strict is left out"), "{why:?}");
        assert!(!compilation.compiled().unwrap().has_dataset("beds"));
    }

    #[test]
    fn a_bundle_is_the_same_bytes_each_time_and_reads_back() {
        let hk = "HK".parse().unwrap();
        let file = |_| {
            Compilation::new("gba", HashSet::new(), String::new(), outcome(GOOD), None, Instant::now())
                .bundle(&hk)
                .unwrap()
        };
        let (first, second) = (file(1), file(2));
        assert_eq!(first, second);
        let mut json = Vec::new();
        GzDecoder::new(first.gzip.as_slice()).read_to_end(&mut json).unwrap();
        let bundle: wanqu_model::bundle::NodeBundle = serde_json::from_slice(&json).unwrap();
        assert_eq!(bundle.trust_domain, "gba.example");
        assert_eq!(BundleFile::new(&json, true).digest, first.digest);
        assert!(!first.names_own_authority, "nobody has said what its authority is");
    }

    #[test]
    fn bundles_wait_until_nothing_changes_but_not_for_ever() {
        let begun = Instant::now();
        let at = |milliseconds| begun + Duration::from_millis(milliseconds);
        let next = |before: Option<&Compilation>, now| {
            Compilation::new("gba", HashSet::new(), String::new(), outcome(GOOD), before, now)
        };
        let mut compilation = next(None, at(0));
        assert_eq!((compilation.unsettled(at(0)), compilation.unsettled(at(700))), (Some(QUIET), None));
        for tick in 1..20 {
            compilation = next(Some(&compilation), at(tick * 500));
            let left = Duration::from_millis(10_000 - tick * 500);
            assert_eq!(compilation.unsettled(at(tick * 500)), Some(QUIET.min(left)));
        }
        compilation = next(Some(&compilation), at(10_000));
        assert_eq!(compilation.unsettled(at(10_000)), None, "ten seconds are enough");
        compilation = next(Some(&compilation), at(11_000));
        assert_eq!(compilation.unsettled(at(11_000)), Some(QUIET), "another burst");
    }
}
