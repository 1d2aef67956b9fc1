//! Position in a trace, as nodes tell it each other: W3C Trace Context, `traceparent`.

use std::fmt;
use std::str::FromStr;

use opentelemetry::{SpanId, TraceId};
use rand::Rng;

/// Position in a trace. A step that begins there has it for its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// Begins a new trace.
    #[must_use]
    pub fn begin() -> Self {
        // Zero means "none" in this format.
        let trace = rand::rng().random_range(1..=u128::MAX);
        Self { trace, span: span_id(), sampled: true }
    }

    /// Returns another position in the same trace.
    #[must_use]
    pub fn next(self) -> Self {
        Self { span: span_id(), ..self }
    }

    /// Returns the trace's id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace)
    }

    /// Returns the id of the position, 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(self) -> String {
        format!("{:016x}", self.span)
    }

    /// Returns both ids as OpenTelemetry has them.
    pub(super) fn ids(self) -> (TraceId, SpanId) {
        (self.trace.into(), self.span.into())
    }

    /// Returns true if whoever began the trace wants it kept.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.sampled
    }
}

fn span_id() -> u64 {
    rand::rng().random_range(1..=u64::MAX)
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// Error of a text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no traceparent")]
pub struct NoTraceparent;

impl FromStr for TraceContext {
    type Err = NoTraceparent;

    /// Reads a text that anybody may have sent: version 00 exactly, and of later versions the part that they share with it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        let mut next = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits).ok_or(NoTraceparent)?;
            let lower = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if lower { u128::from_str_radix(part, 16).map_err(|_| NoTraceparent) } else { Err(NoTraceparent) }
        };
        let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        let more = parts.next().is_some();
        if version == 0xff || (version == 0 && more) || trace == 0 || span == 0 || text.len() > 256 {
            return Err(NoTraceparent);
        }
        let span = u64::try_from(span).map_err(|_| NoTraceparent)?;
        Ok(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_specification_survives() {
        let context: TraceContext = EXAMPLE.parse().unwrap();
        assert_eq!(context.to_string(), EXAMPLE);
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id(), "00f067aa0ba902b7");
        let next = context.next();
        assert_eq!(next.trace_id(), context.trace_id());
        assert_ne!(next.span_id(), context.span_id());
        let begun = TraceContext::begin();
        assert_eq!(begun.to_string().parse(), Ok(begun));
        let unsampled: TraceContext = EXAMPLE.replace("-01", "-00").parse().unwrap();
        assert!(!unsampled.is_sampled() && !unsampled.next().is_sampled());
        let later = EXAMPLE.replacen("00", "01", 1) + "-more";
        assert!(later.parse::<TraceContext>().is_ok(), "a later version may say more");
    }

    #[test]
    fn a_text_that_is_no_traceparent_is_none() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{661}-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(text.parse::<TraceContext>().is_err(), "{text}");
        }
    }
}
