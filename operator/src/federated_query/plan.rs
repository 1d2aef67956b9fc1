//! Step 3: which runs to begin, cancel, forget and delete now, and when to reconcile again. Pure.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use wanqu_crds::Schedule;
use wanqu_crds::kinds::{ConcurrencyPolicy, FederatedQuery, QueryRun, RunState};

use super::reason::{INTERRUPTED, REPLACED};

/// Input of a plan.
pub(super) struct Input<'a> {
    /// The query.
    pub(super) query: &'a FederatedQuery,
    /// Its runs, the latest first, including how those ended that have ended meanwhile.
    pub(super) runs: Vec<QueryRun>,
    /// Its schedule, if it has one.
    pub(super) schedule: Option<&'a Schedule>,
    /// True if a run may begin.
    pub(super) may_begin: bool,
    /// The numbers of its runs that this process is asking.
    pub(super) alive: &'a BTreeSet<u32>,
    /// The name of this process.
    pub(super) me: &'a str,
    /// The time.
    pub(super) now: Timestamp,
}

/// Actions for one query.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// The runs as they are to be recorded, the latest first.
    pub(super) runs: Vec<QueryRun>,
    /// The run that begins; it is among `runs`.
    pub(super) begin: Option<u32>,
    /// Runs to cancel.
    pub(super) cancel: Vec<u32>,
    /// `ConfigMaps` to remove, of runs that are forgotten.
    pub(super) forget: Vec<String>,
    /// The last time of the schedule that was acted upon.
    pub(super) last: Option<Timestamp>,
    /// The next time of the schedule.
    pub(super) next: Option<Timestamp>,
    /// True if the query itself is to be deleted, because it finished long enough ago.
    pub(super) delete: bool,
    /// The time at which to reconcile again.
    pub(super) wake: Option<Timestamp>,
}

impl Plan {
    /// Returns true if a run goes on, or is about to begin.
    pub(super) fn is_running(&self) -> bool {
        self.runs.iter().any(|run| run.state == RunState::Running)
    }
}

/// Decides what to do with a query.
pub(super) fn plan(input: &Input<'_>) -> Plan {
    let status = input.query.status.as_ref();
    let mut plan =
        Plan { runs: input.runs.clone(), last: status.and_then(|status| status.last_schedule_time), ..Plan::default() };
    for run in &mut plan.runs {
        if run.state == RunState::Running && !(run.runner == input.me && input.alive.contains(&run.number)) {
            interrupted(run, input.now);
        }
    }
    match input.schedule {
        Some(schedule) => by_schedule(&mut plan, input, schedule),
        None if input.query.spec.schedule.is_none() => once(&mut plan, input),
        None => {}
    }
    plan
}

fn once(plan: &mut Plan, input: &Input<'_>) {
    let spec = &input.query.spec;
    let Some(run) = plan.runs.first() else {
        if input.may_begin && !spec.suspend {
            begin(plan, input, None);
        }
        return;
    };
    if let (Some(ended), Some(ttl)) = (run.completion_time, spec.ttl_seconds_after_finished) {
        let goes = after(ended, ttl);
        if goes <= input.now {
            plan.delete = true;
        } else {
            plan.wake = Some(goes);
        }
    }
}

fn by_schedule(plan: &mut Plan, input: &Input<'_>, schedule: &Schedule) {
    let spec = &input.query.spec;
    let since = plan.last.or_else(|| input.query.creation_timestamp().map(|time| time.0)).unwrap_or(input.now);
    let due = last_due(schedule, since, input.now);
    if let Some(time) = due.filter(|_| !spec.suspend && input.may_begin) {
        plan.last = Some(time);
        let late = spec.starting_deadline_seconds.is_some_and(|seconds| after(time, seconds) < input.now);
        let running: Vec<u32> =
            plan.runs.iter().filter(|run| run.state == RunState::Running).map(|run| run.number).collect();
        let hindered = !running.is_empty() && spec.concurrency_policy == ConcurrencyPolicy::Forbid;
        if !late && !hindered {
            if spec.concurrency_policy == ConcurrencyPolicy::Replace {
                for run in plan.runs.iter_mut().filter(|run| running.contains(&run.number)) {
                    replaced(run, input.now);
                }
                plan.cancel = running;
            }
            begin(plan, input, Some(time));
        }
    }
    remember(plan, spec.successful_runs_history_limit, RunState::Complete);
    remember(plan, spec.failed_runs_history_limit, RunState::Failed);
    plan.next = if spec.suspend { None } else { schedule.after(input.now) };
    plan.wake = plan.next;
}

/// Returns the last time of the schedule after `since` and up to `now`, in few steps however many were missed.
fn last_due(schedule: &Schedule, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
    const WINDOWS: [i64; 5] = [90, 2 * 3600, 2 * 86_400, 63 * 86_400, 9 * 366 * 86_400];
    let windows = WINDOWS.iter().map(|seconds| now - SignedDuration::from_secs(*seconds));
    let starts = windows.map(|start| start.max(since)).chain([since]);
    let first = starts.filter_map(|start| schedule.after(start)).find(|time| *time <= now)?;
    let mut last = first;
    while let Some(next) = schedule.after(last).filter(|next| *next <= now) {
        last = next;
    }
    Some(last)
}

fn begin(plan: &mut Plan, input: &Input<'_>, scheduled_time: Option<Timestamp>) {
    let number = plan.runs.iter().map(|run| run.number).max().unwrap_or_default() + 1;
    plan.begin = Some(number);
    plan.runs.insert(0, new_run(number, scheduled_time, input.now, input.me));
}

/// Returns the record of a run that begins.
pub(super) fn new_run(number: u32, scheduled_time: Option<Timestamp>, now: Timestamp, me: &str) -> QueryRun {
    QueryRun {
        number,
        scheduled_time,
        start_time: seconds(now),
        completion_time: None,
        runner: me.to_owned(),
        state: RunState::Running,
        reason: None,
        message: None,
        query_id: None,
        rows: None,
        rows_lacking: None,
        may_lack: None,
        jurisdictions: Vec::new(),
        config_map: None,
        kept: None,
    }
}

/// Records that the process that asked is gone. Nobody here can tell whether owners released anything.
fn interrupted(run: &mut QueryRun, now: Timestamp) {
    failed(
        run,
        now,
        INTERRUPTED,
        "the operator stopped while the question was being answered; owners may have released already, and their audit \
         logs say so; it is not asked again by itself, because each time is a release: create another FederatedQuery",
    );
}

fn replaced(run: &mut QueryRun, now: Timestamp) {
    failed(run, now, REPLACED, "it was time for the next run, and concurrencyPolicy is Replace");
}

fn failed(run: &mut QueryRun, now: Timestamp, reason: &str, message: &str) {
    run.state = RunState::Failed;
    run.completion_time = Some(seconds(now));
    (run.reason, run.message) = (Some(reason.to_owned()), Some(message.to_owned()));
}

/// Forgets the oldest runs of a state beyond a number.
fn remember(plan: &mut Plan, limit: u32, state: RunState) {
    let mut seen = 0;
    let forget = &mut plan.forget;
    plan.runs.retain(|run| {
        seen += u32::from(run.state == state);
        let keep = run.state != state || seen <= limit;
        if !keep {
            forget.extend(run.config_map.clone());
        }
        keep
    });
}

fn after(time: Timestamp, seconds: u32) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds.into())).unwrap_or(Timestamp::MAX)
}

/// Cuts a time to whole seconds, as everywhere in the API.
pub(super) fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-03-02T{text}Z").parse().unwrap()
    }

    fn query(spec: &serde_json::Value) -> FederatedQuery {
        let mut object = json!({
            "apiVersion": "wanqu.dev/v1alpha1", "kind": "FederatedQuery",
            "metadata": {"name": "visits", "namespace": "gba", "creationTimestamp": "2026-03-02T06:10:00Z"},
            "spec": {"sql": "SELECT 1", "from": "HK", "requester": "wei"},
        });
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    /// Every quarter of an hour.
    fn scheduled(spec: &serde_json::Value) -> FederatedQuery {
        let mut query = query(spec);
        query.spec.schedule = Some("*/15 * * * *".to_owned());
        query
    }

    fn run(number: u32, state: RunState) -> QueryRun {
        let mut run = new_run(number, None, at("06:00:00"), "me");
        run.state = state;
        run.completion_time = (state != RunState::Running).then(|| at("06:05:00"));
        run.config_map = (state == RunState::Complete).then(|| format!("visits-{number}"));
        run
    }

    fn decide(query: &FederatedQuery, runs: &[QueryRun], alive: &[u32], now: &str) -> Plan {
        let schedule = query.spec.schedule.as_ref().map(|fields| Schedule::parse(fields, None).unwrap());
        plan(&Input {
            query,
            runs: runs.to_vec(),
            schedule: schedule.as_ref(),
            may_begin: true,
            alive: &alive.iter().copied().collect(),
            me: "me",
            now: at(now),
        })
    }

    #[test]
    fn a_query_without_a_schedule_begins_one_run() {
        let query = query(&json!({}));
        let first = decide(&query, &[], &[], "06:10:01");
        assert_eq!((first.begin, first.runs.len(), first.runs[0].start_time), (Some(1), 1, at("06:10:01")));
        for state in [RunState::Running, RunState::Complete, RunState::Failed] {
            let again = decide(&query, &[run(1, state)], &[1], "06:20:00");
            assert_eq!((again.begin, again.runs), (None, vec![run(1, state)]), "{state:?}");
        }
    }

    #[test]
    fn a_query_that_is_suspended_or_may_not_begin_begins_no_run() {
        assert_eq!(decide(&query(&json!({"suspend": true})), &[], &[], "06:11:00").begin, None);
        let query = query(&json!({}));
        let input = Input {
            query: &query,
            runs: vec![],
            schedule: None,
            may_begin: false,
            alive: &BTreeSet::new(),
            me: "me",
            now: at("06:11:00"),
        };
        assert_eq!(plan(&input), Plan::default());
    }

    #[test]
    fn a_run_whose_process_is_gone_has_failed_and_is_not_repeated() {
        let query = query(&json!({}));
        let mut others = run(1, RunState::Running);
        others.runner = "another".to_owned();
        for (run, alive) in [(run(1, RunState::Running), &[][..]), (others, &[1])] {
            let plan = decide(&query, &[run], alive, "06:20:00");
            assert_eq!(plan.begin, None);
            let run = &plan.runs[0];
            assert_eq!((run.state, run.reason.as_deref()), (RunState::Failed, Some("Interrupted")));
            assert_eq!(run.completion_time, Some(at("06:20:00")));
        }
    }

    #[test]
    fn a_finished_query_goes_when_its_time_is_over() {
        let query = query(&json!({"ttlSecondsAfterFinished": 600}));
        let early = decide(&query, &[run(1, RunState::Complete)], &[], "06:14:59");
        assert_eq!((early.delete, early.wake), (false, Some(at("06:15:00"))));
        assert!(decide(&query, &[run(1, RunState::Failed)], &[], "06:15:00").delete);
        assert!(!decide(&query, &[run(1, RunState::Running)], &[1], "08:00:00").delete);
    }

    #[test]
    fn a_scheduled_query_begins_a_run_when_it_is_due() {
        let query = scheduled(&json!({}));
        let early = decide(&query, &[], &[], "06:14:59");
        assert_eq!((early.begin, early.next, early.wake), (None, Some(at("06:15:00")), Some(at("06:15:00"))));
        let due = decide(&query, &[], &[], "06:15:00");
        assert_eq!((due.begin, due.last, due.next), (Some(1), Some(at("06:15:00")), Some(at("06:30:00"))));
        assert_eq!(due.runs[0].scheduled_time, Some(at("06:15:00")));
        let mut told = query.clone();
        told.status.get_or_insert_default().last_schedule_time = Some(at("06:15:00"));
        assert_eq!(decide(&told, &due.runs, &[1], "06:16:00").begin, None, "each time is acted upon once");
    }

    #[test]
    fn of_many_missed_times_the_last_is_made_up_for_within_the_deadline() {
        let query = scheduled(&json!({}));
        let missed = decide(&query, &[], &[], "23:50:00");
        assert_eq!((missed.begin, missed.last), (Some(1), Some(at("23:45:00"))));
        let strict = scheduled(&json!({"startingDeadlineSeconds": 60}));
        let late = decide(&strict, &[], &[], "23:50:00");
        assert_eq!((late.begin, late.last), (None, Some(at("23:45:00"))));
        assert_eq!(decide(&strict, &[], &[], "23:46:00").begin, Some(1));
        let ages = Schedule::parse("* * * * *", None).unwrap();
        let due = last_due(&ages, "1990-01-01T00:00:00Z".parse().unwrap(), at("06:00:30"));
        assert_eq!(due, Some(at("06:00:00")), "decades of minutes are not counted through");
        let yearly = Schedule::parse("0 0 1 1 *", None).unwrap();
        let due = last_due(&yearly, "1990-01-01T00:00:00Z".parse().unwrap(), at("06:00:30"));
        assert_eq!(due, Some("2026-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_run_that_goes_on_at_the_next_time_is_dealt_with_as_concurrency_policy_says() {
        let running = [run(1, RunState::Running)];
        let begun =
            |policy: &str| decide(&scheduled(&json!({"concurrencyPolicy": policy})), &running, &[1], "06:15:00");
        let forbid = begun("Forbid");
        assert_eq!((forbid.begin, forbid.last), (None, Some(at("06:15:00"))), "left out for good");
        let allow = begun("Allow");
        assert_eq!((allow.begin, allow.cancel.is_empty(), allow.runs.len()), (Some(2), true, 2));
        let replace = begun("Replace");
        assert_eq!((replace.begin, &replace.cancel[..]), (Some(2), &[1][..]));
        let states: Vec<_> = replace.runs.iter().map(|run| (run.number, run.state, run.reason.as_deref())).collect();
        assert_eq!(states, [(2, RunState::Running, None), (1, RunState::Failed, Some("Replaced"))]);
    }

    #[test]
    fn a_suspended_schedule_rests() {
        let plan = decide(&scheduled(&json!({"suspend": true})), &[], &[], "06:45:00");
        assert_eq!((plan.begin, plan.next, plan.wake, plan.last), (None, None, None, None));
    }

    #[test]
    fn history_is_bounded_for_each_outcome() {
        use RunState::{Complete, Failed, Running};
        let query = scheduled(&json!({"successfulRunsHistoryLimit": 2, "failedRunsHistoryLimit": 1}));
        let states = [Running, Complete, Failed, Complete, Failed, Complete];
        let runs: Vec<_> = (1..).zip(states).map(|(at, state)| run(7 - at, state)).collect();
        let plan = decide(&query, &runs, &[6], "06:11:00");
        let numbers: Vec<u32> = plan.runs.iter().map(|run| run.number).collect();
        assert_eq!(numbers, [6, 5, 4, 3]);
        assert_eq!(plan.forget, ["visits-1"]);
    }
}
