//! Tables of network flows, and how they are tried.

use std::time::Duration;

use wanqu_testbed::until;

use crate::world::World;

const SOON: Duration = Duration::from_mins(1);
/// Number of refused flows that are tried at once.
const AT_ONCE: usize = 8;

/// A connection that somebody tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    pub from: &'static str,
    pub to: &'static str,
    pub port: u16,
}

/// Result of a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was made.
    Passes,
    /// Nobody answered within two seconds: a policy drops what it refuses.
    Dropped,
    /// Anything else proves nothing of a policy: nobody listens, or there is no way.
    Other(String),
}

/// The flows of a table: who, to whom, at which ports.
pub fn flows(rows: &[(&'static str, &'static str, &[u16])]) -> Vec<Flow> {
    rows.iter().flat_map(|&(from, to, ports)| ports.iter().map(move |&port| Flow { from, to, port })).collect()
}

/// Tries all: what may pass does, before and after what may not does not. And each refused flow has its twins: somebody else
/// who comes to the same port, and another port to which the same one comes.
pub async fn hold(world: &World, passing: &[Flow], refused: &[Flow]) {
    for flow in refused {
        let reached = passing.iter().any(|other| (other.to, other.port) == (flow.to, flow.port));
        let reaches = passing.iter().any(|other| other.from == flow.from);
        assert!(reached && reaches, "{flow:?} has no twin that passes: its refusal would prove nothing");
    }
    pass(world, passing).await;
    for some in refused.chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let tried: Vec<_> = some.iter().map(|flow| (flow, scope.spawn(|| world.attempt(*flow)))).collect();
            for (flow, outcome) in tried {
                assert_eq!(outcome.join().unwrap(), Outcome::Dropped, "{flow:?}");
                println!("refused  {:>10} → {}:{}", flow.from, flow.to, flow.port);
            }
        });
    }
    pass(world, passing).await;
}

/// Waits until they pass: a policy is in force some moments after it is written.
async fn pass(world: &World, flows: &[Flow]) {
    for flow in flows {
        until(&format!("{flow:?} passing"), SOON, async || {
            let outcome = world.attempt(*flow);
            Ok(if outcome == Outcome::Passes { Ok(()) } else { Err(format!("{outcome:?}")) })
        })
        .await
        .unwrap();
        println!("passes   {:>10} → {}:{}", flow.from, flow.to, flow.port);
    }
}
