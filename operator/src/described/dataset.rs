//! Datasets: their node can read their source, as it reports.

use jiff::Timestamp;
use kube::ResourceExt;
use wanqu_crds::kinds::Dataset;

use super::Described;
use crate::context::Context;
use crate::framework::conditions::{Claim, Reason, Type};

impl Described for Dataset {
    fn own_conditions(&self, context: &Context) -> (Vec<Claim>, Option<Timestamp>) {
        let (name, namespace) = (self.name_any(), self.namespace().unwrap_or_default());
        // Of a dataset that is in no bundle, its node says nothing, which is not that it can be read.
        let compilation = context.compilations.get(&namespace);
        if !compilation.is_some_and(|c| c.compiled().is_some_and(|compiled| compiled.has_dataset(&name))) {
            return (Vec::new(), None);
        }
        let report = context.sources.of(&namespace, &self.spec.jurisdiction, &name);
        (report.map(|report| readable(report.err().as_deref())).into_iter().collect(), None)
    }
}

/// Returns the condition `SourceReadable`, by the reason for which its node cannot read the source.
fn readable(fault: Option<&str>) -> Claim {
    match fault {
        None => Claim::yes(Type::SourceReadable, Reason::Available, "its node can read its source"),
        Some(why) => Claim::no(
            Type::SourceReadable,
            Reason::SourceUnavailable,
            format!(
                "its node cannot read its source, and refuses queries over it: {why}; the node's log names the file"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_cannot_be_read_is_said_with_its_reason() {
        assert_eq!(readable(None).holds, Some(true));
        let claim = readable(Some("no file is there"));
        assert_eq!((claim.holds, claim.reason), (Some(false), Reason::SourceUnavailable));
        assert!(claim.message.contains("no file is there"), "{}", claim.message);
    }
}
