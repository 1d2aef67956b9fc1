//! One step of a trace.

use std::time::SystemTime;

use super::TraceContext;
use super::export::{self, Finished};

/// Side of a call that a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The side that answers.
    Server,
    /// The side that asks.
    Client,
}

/// One step, which ends when it is dropped.
#[derive(Debug)]
pub struct Step {
    name: &'static str,
    kind: Kind,
    context: TraceContext,
    parent: Option<TraceContext>,
    began: SystemTime,
    attributes: Vec<(&'static str, String)>,
    failed: bool,
}

impl Step {
    /// Begins a step below `parent`, or a new trace.
    #[must_use]
    pub fn begin(name: &'static str, kind: Kind, parent: Option<TraceContext>) -> Self {
        let context = parent.map_or_else(TraceContext::begin, TraceContext::next);
        Self { name, kind, context, parent, began: SystemTime::now(), attributes: Vec::new(), failed: false }
    }

    /// Adds an attribute. Only ids, members and codes may be told.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: &impl ToString) -> Self {
        self.attributes.push((key, value.to_string()));
        self
    }

    /// Notes that the step failed with this code.
    pub fn failed(&mut self, code: &impl ToString) {
        self.failed = true;
        self.attributes.push(("wanqu.code", code.to_string()));
    }

    /// Returns the step's position in its trace, for what happens below it.
    #[must_use]
    pub fn context(&self) -> TraceContext {
        self.context
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.context.is_sampled() {
            return;
        }
        export::send(|| Finished {
            name: self.name,
            kind: self.kind,
            context: self.context,
            parent: self.parent,
            began: self.began,
            ended: SystemTime::now(),
            attributes: std::mem::take(&mut self.attributes),
            failed: self.failed,
        });
    }
}
