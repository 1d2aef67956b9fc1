//! Services that answer behind a node's two doors, and the files that they keep.

use std::sync::Arc;

use wanqu_identity::{NodeIdentity, Slot};

use super::NodeError;
use super::in_force::InForce;
use crate::audit::{AuditSettings, Log};
use crate::clock::Clock;
use crate::exchange::{InProcess, Members};
use crate::home::Home;
use crate::ledger::{self, DurableLedger};
use crate::owner::Owner;
use crate::results::{Keeping, Results, ResultsSettings};

/// Services of one node.
pub(super) struct Services {
    /// Answers other nodes' fragments.
    pub owner: Arc<Owner>,
    /// Answers researchers' questions.
    pub home: Arc<Keeping>,
    /// Answers that researchers asked to be kept; `None` if the node keeps none.
    pub results: Option<Arc<Results>>,
    /// Audit log of everything that the owner releases and refuses.
    pub log: Arc<Log>,
    /// Cells that were released, where a rule has them remembered.
    pub ledger: Arc<DurableLedger>,
}

impl Services {
    /// Opens the audit log and the folder of results.
    ///
    /// # Errors
    /// Either of them cannot be used.
    pub fn open(
        in_force: &InForce,
        audit: &AuditSettings,
        results: Option<ResultsSettings>,
        identity: &Slot<NodeIdentity>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, NodeError> {
        let log = Arc::new(Log::open(audit)?);
        let ledger = Arc::new(DurableLedger::open(audit.folder.join(ledger::FOLDER)));
        let live = Arc::clone(&in_force.live);
        let (kept, remembered) = (Arc::clone(&log), Arc::clone(&ledger));
        let owner = Arc::new(Owner::new(live, kept, remembered, identity.clone(), Arc::clone(clock)));
        let jurisdiction = in_force.live.now().bundle.jurisdiction.clone();
        let owners = Members::new(jurisdiction.clone(), InProcess::new(owner.clone()), in_force.exchange.clone());
        let results = results.map(|settings| open_results(settings, Arc::clone(clock))).transpose()?;
        let home = Home::new(Arc::clone(&in_force.live), Arc::new(owners), identity.clone(), Arc::clone(clock));
        let home = Keeping::new(Arc::new(home), results.clone()).with_log(Arc::clone(&log), jurisdiction);
        let home = Arc::new(home);
        Ok(Self { owner, home, results, log, ledger })
    }
}

fn open_results(settings: ResultsSettings, clock: Arc<dyn Clock>) -> Result<Arc<Results>, NodeError> {
    let path = settings.folder.clone();
    Results::open(settings, clock).map(Arc::new).map_err(|source| NodeError::Results { path, source })
}
