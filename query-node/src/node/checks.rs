//! Readiness of a node: one check for each thing that it needs.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Node;
use crate::audit::Log;
use crate::ledger::Standing;
use crate::state::Closed;

/// Shortest time between two probes of the disk.
const ONCE_A: Duration = Duration::from_secs(1);

/// One thing that a node needs. Anybody may read it: no path and no value is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Name of the thing.
    pub name: &'static str,
    /// Fault of it; `None` if it is as it should be.
    pub fault: Option<Cow<'static, str>>,
}

/// Facts about a node's readiness that cannot be looked up when they are asked for.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// True while the bundle's file holds another bundle than the one in force.
    pub bundle_is_stale: AtomicBool,
    /// True while the bundle's file cannot be read as a bundle of this node.
    pub bundle_is_unread: AtomicBool,
    /// True while the files of the certificates and keys hold others than those in use.
    pub identity_is_stale: AtomicBool,
    /// Time and outcome of the last probe of the audit log.
    audit: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// Returns true if the audit log can be written. Anybody may ask, so the disk is probed once a second at most.
    fn audit_is_writable(&self, log: &Log) -> bool {
        let mut last = self.audit.lock();
        match *last {
            Some((tried, writable)) if tried.elapsed() < ONCE_A => writable,
            _ => {
                let writable = log.writable().is_ok();
                *last = Some((Instant::now(), writable));
                writable
            }
        }
    }
}

impl Node {
    /// Returns every check; the node can be asked if none has a fault. Touches the disk of the audit log.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let health = &self.health;
        let check = |name, wrong: bool, fault| Check { name, fault: wrong.then_some(Cow::Borrowed(fault)) };
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        let tasks = self.supervisor.faults();
        vec![
            Check { name: "bundle", fault: self.bundle_fault() },
            check(
                "identity",
                is(&health.identity_is_stale) || !self.is_believed(),
                "the certificates and keys in place cannot be used; the node's log has the reason",
            ),
            check(
                "audit",
                !health.audit_is_writable(&self.services.log),
                "the audit log cannot be written, or is not as it was written",
            ),
            Check { name: "ledger", fault: self.ledger_fault() },
            check("exchange", !is(&self.doors.exchange_is_open), "the door for other nodes is closed"),
            check("gateway", !is(&self.doors.gateway_is_open), "the door for researchers is closed"),
            Check { name: "tasks", fault: (!tasks.is_empty()).then(|| tasks.join("; ").into()) },
            check("drain", self.doors.drain.has_begun(), "the node is ending"),
        ]
    }

    fn ledger_fault(&self) -> Option<Cow<'static, str>> {
        match self.services.ledger.standing() {
            // A full one still answers what it knows, and public tables are answered too: metrics and the log tell.
            Standing::Open | Standing::Full => None,
            Standing::Closed => Some(
                "the ledger of released cells cannot be used, and what it would have to remember is refused; the node's log has \
                 the reason"
                    .into(),
            ),
        }
    }

    fn bundle_fault(&self) -> Option<Cow<'static, str>> {
        let health = &self.health;
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        match self.in_force.live.now().closed() {
            Some(Closed::Unusable) => Some(
                "no bundle is in force: the one in the file cannot be used, nor what is left of the one before it; every \
                 question is refused; the node's log has the reason"
                    .into(),
            ),
            Some(Closed::Unread) => Some(
                "no bundle is in force: the bundle's file could not be read for longer than the node goes on without it; \
                 every question is refused until it can be read; the node's log has the reason"
                    .into(),
            ),
            None if is(&health.bundle_is_unread) => {
                let until = self.in_force.lease.ends().map_or_else(String::new, |ends| format!(" until {ends:.0}"));
                Some(
                    format!(
                        "the bundle's file cannot be read; what the bundle before it grants is in force{until}, and \
                         nothing after that; the node's log has the reason"
                    )
                    .into(),
                )
            }
            None if is(&health.bundle_is_stale) => Some(
                "the bundle's file cannot be used, and no more than the bundle before it grants is in force; the node's log \
                 has the reason"
                    .into(),
            ),
            None => None,
        }
    }

    /// Returns true if others would believe what this node shows now.
    fn is_believed(&self) -> bool {
        let bundle = &self.in_force.live.now().bundle;
        self.identities.check(bundle, &self.in_force.trust, self.clock.now()).is_ok()
    }
}
