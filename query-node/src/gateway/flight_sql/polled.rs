//! Statements that run while their clients look how far they are, instead of waiting in one call.
//!
//! The first look begins the statement on a task of its own; each later one names it by the descriptor that the client was
//! given, and waits a little for its end. Whoever looks no longer has it cancelled. What has ended stays for a while, so that a look
//! whose answer was lost can be repeated.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::{CancelStatus, FlightDescriptor, FlightInfo, PollInfo};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::metadata::MetadataMap;
use uuid::Uuid;
use wanqu_identity::Bearer;
use wanqu_model::answer::{Progress, Question};
use wanqu_model::bundle::Subject;
use wanqu_model::refusal::{Code, Refusal};

use super::execute::{Executed, Meant};
use super::unencoded;
use crate::gateway::Gateway;
use crate::gateway::asker::{Asker, of_one_result};
use crate::observe::InFlight;
use crate::trace::{self, TraceContext};

/// Beginning of the command of a descriptor that names a statement.
const NAME: &[u8] = b"wanqu-statement:";

/// Time that a look waits for the end of its statement.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time after the last look in which there must be another one.
const UNSEEN: Duration = Duration::from_mins(1);

/// Time that a statement stays after its last look.
const KEPT: Duration = Duration::from_mins(15);

/// Statements of one researcher, running and ended.
const OF_CALLER: usize = 64;

/// Statements of all researchers.
const ALL: usize = 1024;

/// Statements that are polled. Clones share one state.
#[derive(Clone, Default)]
pub(in crate::gateway) struct Polled(Arc<Mutex<HashMap<Uuid, Statement>>>);

/// A statement, from its first look on.
struct Statement {
    requester: Subject,
    state: watch::Receiver<State>,
    looked: Instant,
    /// Name of the request that began it, and the digest of its question.
    key: Option<(String, [u8; 32])>,
    /// The task that runs it, which ends with this.
    _task: JoinSet<()>,
}

/// How far a statement is.
#[derive(Debug, Clone)]
pub(in crate::gateway) enum State {
    /// It waits for a place behind so many other questions.
    Waiting(u32),
    /// So much of it is done, if that is known.
    Running(Option<f64>),
    /// Where its rows are, or why there are none.
    Ended(Result<Arc<Executed>, Refusal>),
}

impl Statement {
    fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), State::Ended(_))
    }
}

impl Polled {
    /// Begins a statement. With the key of one that its requester began already, returns that one.
    ///
    /// # Errors
    /// [`Code::Limit`] if its requester, or all of them, have as many as they may; [`Code::Envelope`] if the key was another question's.
    pub fn begin(
        &self,
        asker: Asker,
        bearer: Bearer,
        question: Question,
        key: Option<String>,
    ) -> Result<Uuid, Refusal> {
        let key = key.map(|key| (key, digest(&question)));
        let (tell, looks) = watch::channel(State::Running(None));
        let (requester, id) = (bearer.subject.clone(), Uuid::new_v4());
        let mut statements = self.0.lock();
        if let Some(begun) = key.as_ref().and_then(|key| with_key(&statements, &requester, key)) {
            return begun;
        }
        make_room(&mut statements, &requester)?;
        let mut task = JoinSet::new();
        let context = trace::current().unwrap_or_else(TraceContext::begin);
        let fragments = Mutex::new((0_u32, 0_u32));
        let teller = tell.clone();
        let executed = async move {
            let far = |progress: &Progress| teller.send_replace(state(&mut fragments.lock(), progress));
            // Counted once, however often its client looks.
            let in_flight = InFlight::question(&asker.door.metrics);
            let ended = asker.executed(bearer, question, |progress| drop(far(progress))).await;
            match &ended {
                Ok(_) => in_flight.answered(),
                Err(refusal) => in_flight.refused(refusal),
            }
            tell.send_replace(State::Ended(ended.map(Arc::new)));
        };
        let unseen = self.clone().unseen(id);
        task.spawn(trace::within(context, async move {
            tokio::select! {
                () = executed => {}
                () = unseen => {}
            }
        }));
        statements.insert(id, Statement { requester, state: looks, looked: Instant::now(), key, _task: task });
        Ok(id)
    }

    /// Waits until nobody has looked at a statement for too long.
    async fn unseen(self, id: Uuid) {
        loop {
            let looked = self.0.lock().get(&id).map(|statement| statement.looked);
            match looked {
                Some(looked) if looked.elapsed() < UNSEEN => sleep_until(looked + UNSEEN).await,
                _ => break,
            }
        }
        // Its task is this one, which ends when it next waits.
        let gone = self.0.lock().remove(&id);
        drop(gone);
    }

    /// Returns what is known of a statement of a requester, and notes the look.
    ///
    /// # Errors
    /// The same refusal whether there is none or it is somebody else's.
    pub fn look(&self, requester: &Subject, id: Uuid) -> Result<watch::Receiver<State>, Refusal> {
        let mut statements = self.0.lock();
        let statement = statements.get_mut(&id).filter(|statement| statement.requester == *requester);
        let statement = statement.ok_or_else(|| {
            Refusal::new(Code::UnknownName, "there is no such statement")
                .with_rule(format!(
                    "a statement is looked at by the one who runs it, at least once in {} s; what has ended stays for {} min",
                    UNSEEN.as_secs(),
                    KEPT.as_secs() / 60
                ))
                .with_remedy("run the statement again")
        })?;
        statement.looked = Instant::now();
        Ok(statement.state.clone())
    }

    /// Looks at a statement, and waits a little for its end.
    ///
    /// # Errors
    /// As for [`look`](Self::look).
    pub async fn looked(&self, requester: &Subject, id: Uuid) -> Result<State, Refusal> {
        let mut state = self.look(requester, id)?;
        // The state shows if it ended meanwhile.
        let _ = timeout(PATIENCE, state.wait_for(|state| matches!(state, State::Ended(_)))).await;
        let now = state.borrow().clone();
        Ok(now)
    }

    /// Ends a statement of a requester, and forgets it.
    ///
    /// # Errors
    /// As for [`look`](Self::look).
    pub fn end(&self, requester: &Subject, id: Uuid) -> Result<(), Refusal> {
        self.look(requester, id)?;
        let ended = self.0.lock().remove(&id);
        drop(ended);
        Ok(())
    }

    /// Cancels the statement of a requester that an info is of.
    pub fn cancel(&self, requester: &Subject, info: &FlightInfo) -> CancelStatus {
        let Some(id) = info.flight_descriptor.as_ref().and_then(named) else { return CancelStatus::NotCancellable };
        let mut statements = self.0.lock();
        match statements.get(&id) {
            Some(statement) if statement.requester == *requester && !statement.has_ended() => {}
            _ => return CancelStatus::NotCancellable,
        }
        let cancelled = statements.remove(&id);
        drop(statements);
        drop(cancelled);
        CancelStatus::Cancelled
    }
}

/// Returns the digest of a question.
fn digest(question: &Question) -> [u8; 32] {
    Sha256::digest(serde_json::to_vec(question).unwrap_or_default()).into()
}

/// Returns the statement that a requester began with a key; a refusal if it is of another question.
fn with_key(
    statements: &HashMap<Uuid, Statement>,
    requester: &Subject,
    key: &(String, [u8; 32]),
) -> Option<Result<Uuid, Refusal>> {
    let mut own = statements.iter().filter(|(_, statement)| statement.requester == *requester);
    let same = |statement: &Statement| statement.key.as_ref().is_some_and(|(name, _)| *name == key.0);
    let (id, statement) = own.find(|(_, statement)| same(statement))?;
    if statement.key.as_ref() == Some(key) {
        return Some(Ok(*id));
    }
    Some(Err(Refusal::new(Code::Envelope, "the Idempotency-Key was that of another question")
        .with_rule("a request that is sent again has the same key and the same question")
        .with_remedy("send a new key for a new question")))
}

/// Makes room for one more statement of a requester: what has ended longest ago goes.
fn make_room(statements: &mut HashMap<Uuid, Statement>, requester: &Subject) -> Result<(), Refusal> {
    statements.retain(|_, statement| !statement.has_ended() || statement.looked.elapsed() < KEPT);
    let own = |statement: &Statement| statement.requester == *requester;
    let (mine, most) = match statements.values().filter(|statement| own(statement)).count() {
        count if count >= OF_CALLER => (true, OF_CALLER),
        _ if statements.len() >= ALL => (false, ALL),
        _ => return Ok(()),
    };
    let ended = statements.iter().filter(|(_, statement)| statement.has_ended() && (own(statement) || !mine));
    let Some(oldest) = ended.min_by_key(|(_, statement)| statement.looked).map(|(id, _)| *id) else {
        return Err(Refusal::new(Code::Limit, "as many statements are polled as may be")
            .with_rule(format!("at most {most} statements are polled at once"))
            .with_remedy("ask again when one of them has ended"));
    };
    statements.remove(&oldest);
    Ok(())
}

/// Returns the state of a statement after an event; `seen` is the number of its fragments, and of those that were released.
fn state(seen: &mut (u32, u32), event: &Progress) -> State {
    let (fragments, released) = seen;
    match event {
        Progress::Waiting { ahead } => return State::Waiting(*ahead),
        Progress::Planned { fragments: all, .. } => *fragments = *all,
        Progress::Released { .. } => *released += 1,
    }
    State::Running((*fragments > 0).then(|| (f64::from(*released) / f64::from(*fragments)).min(1.0)))
}

/// Returns the descriptor that names a statement.
fn descriptor(id: Uuid) -> FlightDescriptor {
    FlightDescriptor::new_cmd([NAME, id.to_string().as_bytes()].concat())
}

/// Returns the statement that a descriptor names.
fn named(descriptor: &FlightDescriptor) -> Option<Uuid> {
    Uuid::try_parse_ascii(descriptor.cmd.strip_prefix(NAME)?).ok()
}

impl Gateway {
    /// Begins what a descriptor says, or looks how far it is. The inner refusal is that of the statement, which has been counted.
    ///
    /// # Errors
    /// A descriptor that cannot be read, a statement that cannot be begun, or one that there is not.
    pub(in crate::gateway) async fn polled(
        &self,
        bearer: Bearer,
        headers: &MetadataMap,
        asked: &FlightDescriptor,
    ) -> Result<Result<PollInfo, Refusal>, Refusal> {
        if bearer.single_use.is_some() {
            return Err(of_one_result());
        }
        let requester = bearer.subject.clone();
        let id = match named(asked) {
            Some(id) => id,
            None => match self.meant(headers, asked)? {
                Meant::Known(info) => return Ok(Ok(PollInfo::new().with_info(info.with_descriptor(asked.clone())))),
                Meant::Question(question) => self.polled.begin(self.asker.clone(), bearer, question, None)?,
            },
        };
        let state = self.polled.looked(&requester, id).await?;
        Ok(told(id, state))
    }
}

/// Returns how far a statement is, as its client is told.
fn told(id: Uuid, state: State) -> Result<PollInfo, Refusal> {
    let (info, part) = match state {
        State::Ended(executed) => (executed?.info.clone(), Some(1.0)),
        State::Running(part) => (FlightInfo::new(), part),
        State::Waiting(ahead) => {
            let waiting = serde_json::json!({ "waiting_behind": ahead }).to_string();
            (FlightInfo::new().with_app_metadata(waiting), None)
        }
    };
    let ended = !info.endpoint.is_empty();
    let poll = PollInfo::new().with_info(info.with_descriptor(descriptor(id)));
    let poll = if ended { poll } else { poll.with_descriptor(descriptor(id)) };
    match part {
        Some(part) => poll.try_with_progress(part).map_err(|error| unencoded(&error)),
        None => Ok(poll),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_the_part_of_fragments_that_was_released() {
        let released = || Progress::Released { jurisdiction: "HK".parse().unwrap(), rows: 1 };
        let mut seen = (0, 0);
        let events = [
            Progress::Waiting { ahead: 3 },
            Progress::Planned { query_id: Uuid::nil(), fragments: 2 },
            released(),
            released(),
            released(),
        ];
        let told: Vec<String> = events.iter().map(|event| format!("{:?}", state(&mut seen, event))).collect();
        let expected =
            ["Waiting(3)", "Running(Some(0.0))", "Running(Some(0.5))", "Running(Some(1.0))", "Running(Some(1.0))"];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_statement_is_named_by_its_descriptor_and_by_nothing_else() {
        let id = Uuid::new_v4();
        assert_eq!(named(&descriptor(id)), Some(id));
        let mut other = descriptor(id);
        other.cmd = other.cmd.slice(1..);
        assert!(named(&other).is_none() && named(&FlightDescriptor::new_cmd("wanqu-statement:x")).is_none());
        let waiting = told(id, State::Waiting(2)).unwrap();
        assert!(waiting.flight_descriptor.is_some() && waiting.progress.is_none());
        assert_eq!(waiting.info.unwrap().app_metadata, r#"{"waiting_behind":2}"#);
    }
}
