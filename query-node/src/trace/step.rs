//! One step of a trace.

use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::TraceContext;
use super::export;

/// Side of a call that a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The side that answers.
    Server,
    /// The side that asks.
    Client,
}

/// One step, which ends when it is dropped. All that a collector is told of it is in here.
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

    /// Returns the span that a collector is told of, ended now.
    fn span(&mut self) -> SpanData {
        let (trace, span) = self.context.ids();
        let parent = self.parent.map_or(SpanId::INVALID, |parent| parent.ids().1);
        SpanData {
            span_context: SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: parent,
            // An owner or a gateway goes on in the trace that its caller names.
            parent_span_is_remote: self.parent.is_some() && self.kind == Kind::Server,
            span_kind: match self.kind {
                Kind::Server => SpanKind::Server,
                Kind::Client => SpanKind::Client,
            },
            name: self.name.into(),
            start_time: self.began,
            end_time: SystemTime::now(),
            attributes: self.attributes.drain(..).map(|(key, value)| KeyValue::new(key, value)).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if self.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: export::scope(),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if self.context.is_sampled() {
            export::send(|| self.span());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_tells_of_the_step_and_of_nothing_else() {
        let parent = TraceContext::begin();
        let mut step = Step::begin("fragment", Kind::Server, Some(parent)).with("wanqu.peer", &"HK");
        step.failed(&"limit");
        let (context, span) = (step.context(), step.span());
        assert_eq!(span.span_context.trace_id().to_string(), parent.trace_id());
        assert_eq!(span.span_context.span_id().to_string(), context.span_id());
        assert_eq!(span.parent_span_id.to_string(), parent.span_id());
        assert!(span.start_time <= span.end_time);
        assert_eq!(span.attributes, [KeyValue::new("wanqu.peer", "HK"), KeyValue::new("wanqu.code", "limit")]);
        assert_eq!(span.status, Status::error(""));
        assert!(span.events.is_empty() && span.links.is_empty());
    }
}
