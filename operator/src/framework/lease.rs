//! The Lease by which one of several operators is elected.
//!
//! ```text
//! holder      asks ─────── may write ──────┤ stops          asks: renewed every quarter
//!             0                           3/4         1
//! another         sees it ──────────────────────────────┤ takes it, if it has not changed
//! ```
//!
//! Another copy counts from when it saw the last renewal, which is later than when that was sent, and by its own clock. So the
//! clocks of machines need not agree, only run at about the same rate: a quarter of the lease is left for that, and for a write that
//! is under way. Every write of the lease has the version that was read, so that of two copies that want it one gets it.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::health::TaskHealth;
use super::labels::MANAGER;
use super::term::{Asked, Term};
use crate::settings::Settings;

/// One copy's dealings with the lease.
pub(super) struct Elector {
    api: Api<Lease>,
    name: String,
    me: String,
    pace: Pace,
    known: Known,
    term: Term,
    health: TaskHealth,
}

/// Times of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    /// The time for which nobody else takes a lease that is not renewed.
    lasts: Duration,
    /// The time after a renewal was asked for within which the holder may write.
    holds: Duration,
    /// The pause after a renewal.
    renews: Duration,
    /// The pause of those who wait for the lease, and of a holder whose renewal failed.
    looks: Duration,
    /// The longest wait for an answer.
    waits: Duration,
}

impl Pace {
    fn of(lasts: Duration) -> Self {
        let quarter = lasts / 4;
        Self {
            lasts,
            holds: quarter * 3,
            renews: quarter,
            looks: (lasts / 8).min(Duration::from_secs(2)),
            waits: quarter.min(Duration::from_secs(5)),
        }
    }
}

/// What is known of the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    /// Nothing, or nothing that is sure to be so still.
    Nothing,
    /// There is none.
    Absent,
    /// It was seen so.
    Seen(Seen),
}

/// The lease as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    version: Option<String>,
    holder: Option<String>,
    lasts: Duration,
    transitions: i32,
    /// When it was first seen in this version.
    since: Instant,
}

/// What a copy does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Look,
    Create,
    Renew,
    Take,
    Wait,
}

impl Known {
    /// Returns what the copy `me` does next. Pure.
    fn step(&self, me: &str, now: Instant) -> Step {
        match self {
            Self::Nothing => Step::Look,
            Self::Absent => Step::Create,
            Self::Seen(seen) => match seen.holder.as_deref() {
                Some(holder) if holder == me => Step::Renew,
                Some(_) if now.saturating_duration_since(seen.since) < seen.lasts => Step::Wait,
                Some(_) | None => Step::Take,
            },
        }
    }

    /// Returns what is known after the lease was read. Pure.
    fn after(&self, lease: Option<&Lease>, lasts: Duration, now: Instant) -> Self {
        let Some(lease) = lease else { return Self::Absent };
        let spec = lease.spec.clone().unwrap_or_default();
        let version = lease.resource_version();
        let since = match self {
            Self::Seen(before) if before.version == version => before.since,
            _ => now,
        };
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Self::Seen(Seen {
            version,
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            lasts: seconds.filter(|seconds| *seconds > 0).map_or(lasts, Duration::from_secs),
            transitions: spec.lease_transitions.unwrap_or_default(),
            since,
        })
    }
}

impl Elector {
    pub(super) fn new(client: &Client, settings: &Settings, term: Term, health: TaskHealth) -> Self {
        Self {
            api: Api::namespaced(client.clone(), &settings.operator_namespace),
            name: settings.lease.clone(),
            me: settings.instance.clone(),
            pace: Pace::of(Duration::from_secs(settings.lease_seconds)),
            known: Known::Nothing,
            term,
            health,
        }
    }

    /// Takes the lease when it can be taken, and renews it; lengthens the term with each renewal. Never returns, and can be
    /// cancelled at any time.
    pub(super) async fn campaign(&mut self) -> std::convert::Infallible {
        loop {
            let asked = Asked::now();
            let pause = match timeout(self.pace.waits, self.stand()).await {
                Ok(Ok(true)) => {
                    self.term.last(asked, self.pace.holds);
                    self.health.recovered();
                    self.pace.renews
                }
                Ok(Ok(false)) => {
                    self.health.recovered();
                    self.pace.looks
                }
                Ok(Err(error)) => {
                    self.fails(&error.to_string());
                    self.pace.looks
                }
                Err(_) => {
                    self.fails("the API server does not answer in time");
                    self.pace.looks
                }
            };
            sleep(pause).await;
        }
    }

    fn fails(&self, problem: &str) {
        tracing::warn!(problem, leads = self.term.holds(), "the lease could not be read or written; it is tried again");
        self.health.failed(problem);
    }

    /// Looks at the lease and writes it, as the next steps are; returns true if this copy has it.
    async fn stand(&mut self) -> kube::Result<bool> {
        // The holder renews by what it wrote last; anybody else looks first.
        if self.known.step(&self.me, Instant::now()) != Step::Renew {
            let lease = self.api.get_opt(&self.name).await?;
            self.known = self.known.after(lease.as_ref(), self.pace.lasts, Instant::now());
        }
        match self.known.step(&self.me, Instant::now()) {
            Step::Renew => self.take(false).await,
            Step::Take => self.take(true).await,
            Step::Create => self.create().await,
            Step::Look | Step::Wait => {
                // Somebody else has it.
                self.term.end();
                Ok(false)
            }
        }
    }

    async fn create(&mut self) -> kube::Result<bool> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let spec = self.spec(Some(MicroTime(Timestamp::now())), 0);
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        self.known = Known::Nothing;
        let made = self.api.create(&params, &Lease { metadata, spec: Some(spec) }).await;
        self.written(made)
    }

    /// Writes the lease over the version that is known; `anew` if it was not this copy's before.
    async fn take(&mut self, anew: bool) -> kube::Result<bool> {
        // While there is no answer, nothing is known.
        let Known::Seen(seen) = std::mem::replace(&mut self.known, Known::Nothing) else { return Ok(false) };
        let acquired = anew.then(|| MicroTime(Timestamp::now()));
        let spec = self.spec(acquired, seen.transitions.saturating_add(anew.into()));
        let written = self.patch(&json!({"metadata": {"resourceVersion": seen.version}, "spec": spec})).await;
        self.written(written)
    }

    fn spec(&self, acquired: Option<MicroTime>, transitions: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(self.pace.lasts.as_secs()).ok(),
            acquire_time: acquired,
            renew_time: Some(MicroTime(Timestamp::now())),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    async fn patch(&self, patch: &serde_json::Value) -> kube::Result<Lease> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        self.api.patch(&self.name, &params, &Patch::Merge(patch)).await
    }

    /// Notes what was written. Of a lease that somebody else wrote at the same time, or removed, nothing is known.
    fn written(&mut self, answer: kube::Result<Lease>) -> kube::Result<bool> {
        match answer {
            Ok(lease) => {
                self.known = Known::Nothing.after(Some(&lease), self.pace.lasts, Instant::now());
                Ok(true)
            }
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {
                self.known = Known::Nothing;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Ends the term and gives the lease back, if it is this copy's, so that the next leader need not wait for it to expire.
    pub(super) async fn give_back(&mut self) -> kube::Result<()> {
        self.term.end();
        if let Known::Seen(seen) = &self.known
            && seen.holder.as_deref() != Some(&*self.me)
        {
            return Ok(());
        }
        // The version may have been written since it was read: once by this copy's own last renewal.
        for _ in 0..3 {
            let lease = self.api.get_opt(&self.name).await?;
            let known = Known::Nothing.after(lease.as_ref(), self.pace.lasts, Instant::now());
            let Known::Seen(Seen { version, holder, .. }) = known else { return Ok(()) };
            if holder.as_deref() != Some(&*self.me) {
                return Ok(());
            }
            let nobody =
                json!({"holderIdentity": null, "acquireTime": null, "renewTime": null, "leaseDurationSeconds": null});
            match self.patch(&json!({"metadata": {"resourceVersion": version}, "spec": nobody})).await {
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                answer => return answer.map(drop),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(16);

    fn lease(version: &str, holder: Option<&str>) -> Lease {
        let metadata = ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() };
        let spec = LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(20),
            // Whatever the clock of the other machine said.
            renew_time: Some(MicroTime("2001-01-01T00:00:00Z".parse().unwrap())),
            ..LeaseSpec::default()
        };
        Lease { metadata, spec: Some(spec) }
    }

    #[test]
    fn another_ones_lease_is_taken_once_it_has_not_changed_for_as_long_as_it_says() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let first = Known::Nothing.after(Some(&lease("1", Some("other"))), LASTS, at(0));
        assert_eq!(first.step("me", at(19)), Step::Wait, "however old it says to be");
        assert_eq!(first.step("me", at(20)), Step::Take);
        let same = first.after(Some(&lease("1", Some("other"))), LASTS, at(10));
        assert_eq!(same.step("me", at(20)), Step::Take, "it was seen first at 0");
        let renewed = first.after(Some(&lease("2", Some("other"))), LASTS, at(10));
        assert_eq!(renewed.step("me", at(29)), Step::Wait);
        assert_eq!(renewed.step("me", at(30)), Step::Take);
    }

    #[test]
    fn a_lease_of_nobody_is_taken_one_of_ones_own_renewed_and_a_missing_one_made() {
        let now = Instant::now();
        let step = |lease: Option<&Lease>| Known::Nothing.after(lease, LASTS, now).step("me", now);
        assert_eq!(step(Some(&lease("1", None))), Step::Take);
        assert_eq!(step(Some(&lease("1", Some("")))), Step::Take);
        assert_eq!(step(Some(&lease("1", Some("me")))), Step::Renew);
        assert_eq!(step(Some(&Lease::default())), Step::Take);
        assert_eq!(step(None), Step::Create);
        assert_eq!(Known::Nothing.step("me", now), Step::Look);
    }

    #[test]
    fn a_leader_stops_before_another_one_may_begin_however_short_the_lease() {
        for seconds in [2, 3, 15, 3600] {
            let pace = Pace::of(Duration::from_secs(seconds));
            assert!(pace.holds + pace.lasts / 5 <= pace.lasts, "{pace:?}");
            // One renewal may fail for as long as it is waited for, and the next one still comes in time.
            assert!(pace.renews + pace.waits + pace.looks < pace.holds, "{pace:?}");
        }
    }
}
