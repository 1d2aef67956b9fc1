//! Record of the refusals that cost their sender nothing: written at once, or counted and written by a task of the node.

use std::sync::Arc;

use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::Refusal;

use super::append;
use crate::audit::{Entry, Log, RepeatedRefusals};
use crate::clock::Clock;
use crate::supervisor::Progress;

/// Refusals of one owner that are listed or counted.
pub struct TurnedAway {
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    repeated: RepeatedRefusals,
}

impl TurnedAway {
    /// Returns the record of an owner that writes to `log`.
    pub(super) fn new(log: Arc<Log>, clock: Arc<dyn Clock>, repeated: RepeatedRefusals) -> Self {
        Self { log, clock, repeated }
    }

    /// Writes or counts a refusal. Returns the refusal to send: another one if the log cannot be written.
    pub(super) async fn record(&self, peer: &JurisdictionId, refusal: Refusal) -> Refusal {
        let Some(entry) = self.repeated.add(peer, &refusal, self.clock.now()) else { return refusal };
        self.write(entry).await.err().unwrap_or(refusal)
    }

    /// Writes what has been counted whenever a window is over. Returns when an entry cannot be written: it is counted still,
    /// and written when this runs again.
    pub async fn keep_writing(self: Arc<Self>, progress: Progress) {
        loop {
            self.repeated.counted().await;
            tokio::time::sleep(self.repeated.window()).await;
            if self.write_counted().await.is_err() {
                return;
            }
            progress.made();
        }
    }

    /// Writes what has been counted.
    ///
    /// # Errors
    /// If the log cannot be written. What is not written is counted still.
    pub async fn write_counted(&self) -> Result<(), Refusal> {
        while let Some(entry) = self.repeated.next_counted() {
            self.write(entry).await?;
        }
        Ok(())
    }

    /// Writes an entry. If that fails, its refusals are counted again.
    async fn write(&self, entry: Entry) -> Result<(), Refusal> {
        let written = append(&self.log, self.clock.as_ref(), entry.clone()).await;
        if written.is_err() {
            self.repeated.put_back(entry);
        }
        written.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use jiff::Timestamp;
    use wanqu_fixtures::identity::jid;
    use wanqu_model::refusal::Code;
    use wanqu_testing::until;

    use super::*;
    use crate::audit::{AuditSettings, Filter, read};
    use crate::observe::Metrics;
    use crate::supervisor::Supervisor;

    /// A clock by which the flood takes no time, so that all of it falls into one window.
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    /// Returns how many refusals each entry of the log stands for.
    fn times(folder: &Path) -> Vec<u64> {
        let records = read(&[folder], &Filter::default()).unwrap();
        let times = |entry: &Entry| match entry {
            Entry::TurnedAway { times, .. } => *times,
            other => panic!("{other:?}"),
        };
        records.iter().map(|record| times(&record.entry)).collect()
    }

    #[tokio::test]
    async fn a_flood_is_written_by_a_task_that_readiness_names_while_the_log_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let log = Arc::new(Log::open(&AuditSettings::in_folder(dir.path())).unwrap());
        let repeated = RepeatedRefusals::counting_for(Duration::from_millis(50));
        let record = Arc::new(TurnedAway::new(log, Arc::new(Stopped), repeated));
        let refusal = Refusal::new(Code::Identity, "the signature does not hold");
        for _ in 0..100 {
            record.record(&jid("HK"), refusal.clone()).await;
        }
        assert_eq!(times(dir.path()), [1]);

        let (open, aside) = (dir.path().join("audit.ndjson"), dir.path().join("aside"));
        fs::rename(&open, &aside).unwrap();
        let metrics = Metrics::default();
        let supervisor = Supervisor::new(metrics.clone());
        let task =
            supervisor.keep_running("refusal-writer", None, |progress| Arc::clone(&record).keep_writing(progress));
        let seen = async {
            let within = Duration::from_mins(1);
            until("the task being down", within, async || match &supervisor.faults()[..] {
                [fault] if fault.starts_with("refusal-writer is down since") => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
            fs::rename(&aside, &open).unwrap();
            until("the task working again", within, async || match &supervisor.faults()[..] {
                [] => Ok(()),
                other => Err(format!("{other:?}")),
            })
            .await;
        };
        tokio::select! { never = task => match never {}, () = seen => {} }
        assert_eq!(times(dir.path()), [1, 99], "none is lost");
        assert!(metrics.text().contains("wanqu_task_restarts_total{task=\"refusal-writer\"}"), "{}", metrics.text());
    }
}
