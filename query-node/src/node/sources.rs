//! Own datasets that cannot be read: looked for again and again, so that it is said before anybody asks. They keep neither
//! the node from starting nor from being ready; queries over them are refused.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::Node;
use crate::engine::Unavailable;
use crate::observe::Metrics;
use crate::state::NodeState;
use crate::supervisor::Progress;

/// Time between two looks.
const PERIOD: Duration = Duration::from_secs(30);

impl Node {
    /// Looks at the sources of the own datasets again and again, for as long as it is polled.
    pub(super) async fn follow_sources(&self) -> Infallible {
        let look = |progress: Progress| {
            let (live, metrics) = (Arc::clone(&self.in_force.live), self.metrics.clone());
            async move {
                loop {
                    look_at_sources(&live.now(), &metrics).await;
                    progress.made();
                    tokio::time::sleep(PERIOD).await;
                }
            }
        };
        // A look can take long, where it has to read much of a file: it only has to run.
        self.supervisor.keep_running("source-check", None, look).await
    }

    /// Looks at the sources of the own datasets now.
    pub async fn look_at_sources(&self) {
        look_at_sources(&self.in_force.live.now(), &self.metrics).await;
    }

    /// Returns the own tables that could not be read when that was last looked at.
    #[must_use]
    pub fn unavailable(&self) -> Vec<Unavailable> {
        self.in_force.live.now().engine.unavailable()
    }

    /// Returns a sentence for each own dataset that could not be read when that was last looked at.
    #[must_use]
    pub fn unavailable_datasets(&self) -> Vec<String> {
        let unavailable = self.unavailable().into_iter().filter(|one| one.table == one.dataset);
        unavailable.map(|one| format!("{}: {}", one.dataset, one.reason)).collect()
    }
}

async fn look_at_sources(state: &NodeState, metrics: &Metrics) {
    state.engine.look_at_sources().await;
    let unavailable = state.engine.unavailable();
    let available = |table| !unavailable.iter().any(|one| one.dataset == table);
    metrics.datasets(state.engine.own_datasets().into_iter().map(|table| (table.to_string(), available(table))));
}
