//! Sources that are read once, while the rows leave: if one changed meanwhile, what left may be of two states of it.

use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use wanqu_model::refusal::{Code, Refusal};

use crate::sources::{Fingerprint, Source};

/// Sources with the states in which their reading began.
pub(super) struct Watched {
    before: Vec<(Arc<dyn Source>, Fingerprint)>,
}

impl Watched {
    /// Takes note of the states now, before anything is read.
    ///
    /// # Errors
    /// If a source cannot be looked at.
    pub async fn new(sources: Vec<Arc<dyn Source>>) -> Result<Self, Refusal> {
        let mut before: Vec<(Arc<dyn Source>, Fingerprint)> = Vec::with_capacity(sources.len());
        for source in sources {
            if !before.iter().any(|(known, _)| Arc::ptr_eq(known, &source)) {
                let now = source.fingerprint().await?;
                before.push((source, now));
            }
        }
        Ok(Self { before })
    }

    /// Returns true if a source is not as it was.
    async fn have_changed(&self) -> bool {
        for (source, before) in &self.before {
            if source.fingerprint().await.as_ref() != Ok(before) {
                return true;
            }
        }
        false
    }

    /// Returns the error to give for one of reading: if a source changed meanwhile, that is the fault.
    pub async fn fault_of(&self, error: DataFusionError) -> DataFusionError {
        if self.have_changed().await { external(changed()) } else { error }
    }

    /// Returns the rows. They end with an error if a source has changed by then.
    pub fn unchanged(self, rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
        let schema = rows.schema();
        let checked = stream::unfold(Some((self, rows)), |reading| async {
            let (watched, mut rows) = reading?;
            let item: Option<DfResult<_>> = match rows.next().await {
                Some(Ok(batch)) => return Some((Ok(batch), Some((watched, rows)))),
                Some(Err(error)) => Some(Err(watched.fault_of(error).await)),
                None if watched.have_changed().await => Some(Err(external(changed()))),
                None => None,
            };
            item.map(|item| (item, None))
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, checked))
    }
}

/// Returns a refusal as an error that passes through the engine.
pub(super) fn external(refusal: Refusal) -> DataFusionError {
    DataFusionError::External(Box::new(refusal))
}

fn changed() -> Refusal {
    Refusal::new(Code::Source, "a source changed while it was read").with_remedy("ask again")
}
