//! Whether a node is fit to be asked: one check for each thing that it needs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{Node, identities};
use crate::audit::Log;

/// How often the disk is touched at most.
const ONCE_A: Duration = Duration::from_secs(1);

/// One thing that a node needs, and what is wrong with it. The words are for anybody: they name no path and no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// What it needs.
    pub name: &'static str,
    /// What is wrong, if anything.
    pub fault: Option<&'static str>,
}

/// What is known of the node's standing beside what can be looked up.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub bundle_is_stale: AtomicBool,
    pub identity_is_stale: AtomicBool,
    pub exchange_is_open: AtomicBool,
    pub gateway_is_open: AtomicBool,
    /// When the audit log was last tried, and whether it could be written.
    audit: Mutex<Option<(Instant, bool)>>,
}

impl Standing {
    /// Whether the audit log can be written, tried no more often than a node needs to know: anybody may ask.
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
    /// Every check. The node is fit to be asked if none has a fault. Touches the disk of the audit log.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        let standing = &self.standing;
        let check = |name, wrong: bool, fault| Check { name, fault: wrong.then_some(fault) };
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        vec![
            check(
                "bundle",
                is(&standing.bundle_is_stale),
                "the bundle in the file cannot be used; what it and the one before it both grant is in force, and the log has the reason",
            ),
            check(
                "identity",
                is(&standing.identity_is_stale) || !self.is_believed(),
                "the certificates and keys in place cannot be used",
            ),
            check("audit", !standing.audit_is_writable(&self.log), "the audit log cannot be written"),
            check("exchange", !is(&standing.exchange_is_open), "the door for other nodes is closed"),
            check("gateway", !is(&standing.gateway_is_open), "the door for researchers is closed"),
            check("drain", self.drain.has_begun(), "the node is ending"),
        ]
    }

    /// Whether others would believe what this node shows now.
    fn is_believed(&self) -> bool {
        let now = self.clock.now();
        identities::fits(&self.identity.now(), &self.live.now().bundle, &self.trust, now).is_ok()
            && identities::holds(&self.gateway.now(), now).is_ok()
    }
}
