//! Metrics of a node. Every label has few values: a door, a task, an outcome's code, or a member of the federation.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use wanqu_model::names::JurisdictionId;

/// Upper bounds of the buckets of durations, in seconds.
const SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// One of a node's two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The one for other nodes.
    Exchange,
    /// The one for researchers.
    Gateway,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AtDoor {
    door: &'static str,
}

impl From<Door> for AtDoor {
    fn from(door: Door) -> Self {
        let door = match door {
            Door::Exchange => "exchange",
            Door::Gateway => "gateway",
        };
        Self { door }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPeer {
    peer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerOutcome {
    peer: String,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTask {
    task: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTable {
    table: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Taken {
    outcome: &'static str,
}

/// Metrics of a node. Clones share one state.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    questions: Family<Outcome, Counter>,
    question_seconds: Histogram,
    fragments: Family<PeerOutcome, Counter>,
    fragment_seconds: Family<OfPeer, Histogram, fn() -> Histogram>,
    asked: Family<PeerOutcome, Counter>,
    sent: Family<OfPeer, Counter>,
    received: Family<OfPeer, Counter>,
    withholding: Family<OfPeer, Counter>,
    bundle_reloads: Family<Taken, Counter>,
    bundle_left_out: Gauge,
    bundle_closed: Gauge,
    identity_reloads: Family<Taken, Counter>,
    task_restarts: Family<OfTask, Counter>,
    running: Family<AtDoor, Gauge>,
    waiting: Gauge,
    peer_reachable: Family<OfPeer, Gauge>,
    dataset_available: Family<OfTable, Gauge>,
    expiry: Family<AtDoor, Gauge>,
    audit_sequence: Gauge,
    ledger_populations: Gauge,
    ledger_room: Gauge,
    memory: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(SECONDS);
        let inner = Inner {
            registry: Mutex::new(Registry::with_prefix("wanqu")),
            questions: Family::default(),
            question_seconds: histogram(),
            fragments: Family::default(),
            fragment_seconds: Family::new_with_constructor(histogram),
            asked: Family::default(),
            sent: Family::default(),
            received: Family::default(),
            withholding: Family::default(),
            bundle_reloads: Family::default(),
            bundle_left_out: Gauge::default(),
            bundle_closed: Gauge::default(),
            identity_reloads: Family::default(),
            task_restarts: Family::default(),
            running: Family::default(),
            waiting: Gauge::default(),
            peer_reachable: Family::default(),
            dataset_available: Family::default(),
            expiry: Family::default(),
            audit_sequence: Gauge::default(),
            ledger_populations: Gauge::default(),
            ledger_room: Gauge::default(),
            memory: Gauge::default(),
        };
        inner.register();
        // A series that is there from the beginning can be seen to grow.
        for taken in [true, false] {
            inner.bundle_reloads.get_or_create(&outcome(taken)).inc_by(0);
            inner.identity_reloads.get_or_create(&outcome(taken)).inc_by(0);
        }
        Self(Arc::new(inner))
    }
}

impl Inner {
    fn register(&self) {
        let mut to = self.registry.lock();
        to.register("questions", "Researchers' questions by how they ended", self.questions.clone());
        let help = "How long questions took, until the last row had left";
        to.register_with_unit("question_duration", help, Unit::Seconds, self.question_seconds.clone());
        to.register("fragments", "Other nodes' fragments by who asked and how they ended", self.fragments.clone());
        let help = "How long fragments took, until the last row had left";
        to.register_with_unit("fragment_duration", help, Unit::Seconds, self.fragment_seconds.clone());
        to.register("fragments_asked", "Fragments sent to owners by how their answer began", self.asked.clone());
        to.register_with_unit("sent", "Releases that left, as encoded", Unit::Bytes, self.sent.clone());
        to.register_with_unit("received", "Releases that came in, as encoded", Unit::Bytes, self.received.clone());
        let help = "Releases to other nodes by a rule that keeps small cells back, whether it kept any back or not";
        to.register("withholding_releases", help, self.withholding.clone());
        to.register("bundle_reloads", "Changes of the bundle's file", self.bundle_reloads.clone());
        let help = "Objects of the bundle that this version does not understand, and that are not in force";
        to.register("bundle_left_out", help, self.bundle_left_out.clone());
        let help = "Whether no bundle is in force, so that everything is refused: 1, or 0";
        to.register("bundle_closed", help, self.bundle_closed.clone());
        to.register("identity_reloads", "Changes of the certificates and keys", self.identity_reloads.clone());
        let help = "Times that a long-running task of the node ended or panicked and was started again";
        to.register("task_restarts", help, self.task_restarts.clone());
        to.register("running", "Questions and fragments that are being answered", self.running.clone());
        to.register("waiting", "Questions that wait for a place at the gateway", self.waiting.clone());
        let help = "Whether a member's node answered when it was last asked for its agreements: 1, or 0";
        to.register("peer_reachable", help, self.peer_reachable.clone());
        let help = "Whether an own dataset could be read when its source was last looked at: 1, or 0";
        to.register("dataset_available", help, self.dataset_available.clone());
        let help = "When the certificate expires, in seconds since 1970";
        to.register("certificate_expiry_timestamp_seconds", help, self.expiry.clone());
        to.register("audit_sequence", "The number of the audit log's last entry", self.audit_sequence.clone());
        let help = "Populations of released cells that the ledger remembers";
        to.register("ledger_populations", help, self.ledger_populations.clone());
        let help = "Populations that the ledger can remember besides for the member that asked most; 0 if it is full or cannot be used";
        to.register("ledger_room", help, self.ledger_room.clone());
        let help = "Memory that running queries have reserved";
        to.register_with_unit("query_memory", help, Unit::Bytes, self.memory.clone());
    }
}

impl Metrics {
    /// Counts a question that has ended.
    pub(super) fn question(&self, code: String, took: Duration) {
        self.0.questions.get_or_create(&Outcome { code }).inc();
        self.0.question_seconds.observe(took.as_secs_f64());
    }

    /// Counts another node's fragment that has ended.
    pub(super) fn fragment(&self, peer: &JurisdictionId, code: String, took: Duration) {
        let peer = peer.to_string();
        self.0.fragments.get_or_create(&PeerOutcome { peer: peer.clone(), code }).inc();
        self.0.fragment_seconds.get_or_create(&OfPeer { peer }).observe(took.as_secs_f64());
    }

    /// Counts a fragment that an owner has begun to answer, or refused.
    pub fn asked(&self, owner: &JurisdictionId, code: String) {
        self.0.asked.get_or_create(&PeerOutcome { peer: owner.to_string(), code }).inc();
    }

    /// Counts bytes of releases to another node.
    pub fn sent(&self, peer: &JurisdictionId, bytes: usize) {
        self.0.sent.get_or_create(&OfPeer { peer: peer.to_string() }).inc_by(bytes as u64);
    }

    /// Returns the counter of bytes of releases from another node.
    #[must_use]
    pub fn received(&self, peer: &JurisdictionId) -> Counter {
        self.0.received.get_or_create_owned(&OfPeer { peer: peer.to_string() })
    }

    /// Counts a release to another node by a rule that keeps small cells back. How many it kept back is in the audit log alone.
    pub fn withholding(&self, peer: &JurisdictionId) {
        self.0.withholding.get_or_create(&OfPeer { peer: peer.to_string() }).inc();
    }

    /// Counts a change of the bundle's file, which was taken or refused.
    pub fn bundle_reload(&self, taken: bool) {
        self.0.bundle_reloads.get_or_create(&outcome(taken)).inc();
    }

    /// Sets the number of objects of the bundle that are left out, because this version does not understand them.
    pub fn bundle_left_out(&self, objects: usize) {
        self.0.bundle_left_out.set(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// Sets whether no bundle is in force.
    pub fn bundle_closed(&self, closed: bool) {
        self.0.bundle_closed.set(closed.into());
    }

    /// Counts a change of the files of certificates and keys, which was taken or refused.
    pub fn identity_reload(&self, taken: bool) {
        self.0.identity_reloads.get_or_create(&outcome(taken)).inc();
    }

    /// Returns the counter of a task's restarts.
    #[must_use]
    pub fn task_restarts(&self, task: &'static str) -> Counter {
        self.0.task_restarts.get_or_create_owned(&OfTask { task })
    }

    /// Sets the number of questions or fragments that are being answered at a door.
    pub fn running(&self, door: Door, count: usize) {
        self.0.running.get_or_create(&door.into()).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets the number of questions that wait for a place.
    pub fn waiting(&self, count: usize) {
        self.0.waiting.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets whether a member's node answered when it was last asked.
    pub fn peer_reachable(&self, peer: &JurisdictionId, answered: bool) {
        self.0.peer_reachable.get_or_create(&OfPeer { peer: peer.to_string() }).set(answered.into());
    }

    /// Sets the tables of the own datasets, and whether each could be read when that was last looked at.
    pub fn datasets(&self, tables: impl IntoIterator<Item = (String, bool)>) {
        self.0.dataset_available.clear();
        for (table, available) in tables {
            self.0.dataset_available.get_or_create(&OfTable { table }).set(available.into());
        }
    }

    /// Sets the time at which a door's certificate expires.
    pub fn certificate(&self, door: Door, not_after: Timestamp) {
        self.0.expiry.get_or_create(&door.into()).set(not_after.as_second());
    }

    /// Sets the number of the audit log's last entry.
    pub fn audit_sequence(&self, sequence: u64) {
        self.0.audit_sequence.set(i64::try_from(sequence).unwrap_or(i64::MAX));
    }

    /// Sets the number of populations that the ledger remembers, and of those for which it has room.
    pub fn ledger(&self, populations: usize, room: usize) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.0.ledger_populations.set(number(populations));
        self.0.ledger_room.set(number(room));
    }

    /// Returns the gauge of memory that queries have reserved.
    #[must_use]
    pub fn memory(&self) -> Gauge {
        self.0.memory.clone()
    }

    /// Returns all metrics in the `OpenMetrics` text format, which Prometheus reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = text::encode(&mut text, &self.0.registry.lock());
        text
    }
}

fn outcome(taken: bool) -> Taken {
    Taken { outcome: if taken { "taken" } else { "refused" } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wanqu_fixtures::identity::jid;

    #[test]
    fn every_metric_that_was_counted_is_in_the_text() {
        let metrics = Metrics::default();
        metrics.question("answered".to_owned(), Duration::from_millis(30));
        metrics.fragment(&jid("MO"), "column-class".to_owned(), Duration::from_secs(1));
        metrics.sent(&jid("MO"), 1000);
        metrics.received(&jid("MO")).inc_by(7);
        metrics.withholding(&jid("MO"));
        metrics.bundle_reload(false);
        metrics.bundle_left_out(3);
        metrics.bundle_closed(true);
        metrics.peer_reachable(&jid("MO"), true);
        metrics.datasets([("macau.d.gone".to_owned(), true)]);
        metrics.datasets([("macau.d.t".to_owned(), false)]);
        metrics.certificate(Door::Gateway, Timestamp::from_second(1_800_000_000).unwrap());
        let text = metrics.text();
        for line in [
            "wanqu_questions_total{code=\"answered\"} 1",
            "wanqu_question_duration_seconds_bucket{le=\"0.05\"} 1",
            "wanqu_fragments_total{peer=\"MO\",code=\"column-class\"} 1",
            "wanqu_sent_bytes_total{peer=\"MO\"} 1000",
            "wanqu_received_bytes_total{peer=\"MO\"} 7",
            "wanqu_withholding_releases_total{peer=\"MO\"} 1",
            "wanqu_bundle_reloads_total{outcome=\"refused\"} 1",
            "wanqu_bundle_left_out 3",
            "wanqu_bundle_closed 1",
            "wanqu_peer_reachable{peer=\"MO\"} 1",
            "wanqu_dataset_available{table=\"macau.d.t\"} 0",
            "wanqu_certificate_expiry_timestamp_seconds{door=\"gateway\"} 1800000000",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("macau.d.gone"), "a dataset that is no more");
    }
}
