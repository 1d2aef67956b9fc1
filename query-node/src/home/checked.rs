//! Releases as they arrive, checked by what was promised of them and counted against the limits of this node.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::{StreamExt, stream};
use wanqu_model::names::JurisdictionId;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::fragment::BatchStream;
use wanqu_rules::promise::Check;

/// Returns the rows up to the first that break a rule, or that are too many bytes.
pub(super) fn checked(
    rows: BatchStream,
    check: Check,
    owner: JurisdictionId,
    max_bytes: u64,
    pool: &Arc<dyn MemoryPool>,
) -> BatchStream {
    let keys = MemoryConsumer::new("keys of a release").register(pool);
    let checking = Checking { rows, check, owner, bytes: 0, max_bytes, keys };
    stream::unfold(Some(checking), |checking| async move {
        let mut checking = checking?;
        let next = checking.rows.next().await?;
        let checked = next.and_then(|batch| checking.admit(batch));
        let rest = checked.is_ok().then_some(checking);
        Some((checked, rest))
    })
    .boxed()
}

/// A release that is being checked.
struct Checking {
    rows: BatchStream,
    check: Check,
    owner: JurisdictionId,
    bytes: u64,
    max_bytes: u64,
    /// Memory of the keys that have been seen.
    keys: MemoryReservation,
}

impl Checking {
    fn admit(&mut self, batch: RecordBatch) -> Result<RecordBatch, Refusal> {
        self.bytes = self.bytes.saturating_add(get_record_batch_memory_size(&batch) as u64);
        if self.bytes > self.max_bytes {
            return Err(too_large(&self.owner, self.max_bytes));
        }
        let before = self.check.bytes();
        self.check.batch(&batch)?;
        self.keys.try_grow(self.check.bytes() - before).map_err(|_| too_many_keys(&self.owner))?;
        Ok(batch)
    }
}

fn too_large(owner: &JurisdictionId, max_bytes: u64) -> Refusal {
    Refusal::new(Code::Limit, format!("the release of {owner} is larger than this node takes"))
        .with_rule(format!("a release has at most {} MiB (limits.releaseMib)", max_bytes >> 20))
        .with_owner(owner.clone())
        .with_remedy("ask for fewer columns, or filter or aggregate first")
}

fn too_many_keys(owner: &JurisdictionId) -> Refusal {
    Refusal::new(Code::Limit, format!("the groups of {owner} do not fit into the query's memory"))
        .with_rule("no group of a release comes twice, so that all of them are kept in mind (limits.memoryMib)")
        .with_owner(owner.clone())
        .with_remedy("group by fewer or coarser keys")
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use futures::TryStreamExt;
    use wanqu_rules::promise::{Promise, Rule};

    use super::*;

    fn release(keys: &[&str]) -> RecordBatch {
        let count: ArrayRef = Arc::new(Int64Array::from_iter_values((1_i64..).take(keys.len())));
        let keys: ArrayRef = Arc::new(StringViewArray::from(keys.to_vec()));
        RecordBatch::try_from_iter_with_nullable([("k", keys, true), ("n", count, true)]).unwrap()
    }

    async fn taken(batches: Vec<RecordBatch>, max_bytes: u64, memory: usize) -> Result<usize, Refusal> {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(memory));
        let owner: JurisdictionId = "MO".parse().unwrap();
        let promise = Promise { keys: Some(1), rules: vec![Rule::Count(1)], ..Promise::default() };
        let check = Check::new(Arc::new(promise), owner.clone(), &batches[0].schema());
        let rows = checked(stream::iter(batches.into_iter().map(Ok)).boxed(), check, owner, max_bytes, &pool);
        let read = rows.try_collect::<Vec<_>>().await;
        assert_eq!(pool.reserved(), 0, "all memory is given back");
        Ok(read?.len())
    }

    #[tokio::test]
    async fn a_release_is_taken_within_its_limits_and_by_its_rules() {
        let parts = || vec![release(&["a", "b"]), release(&["c"])];
        assert_eq!(taken(parts(), 1 << 20, 1 << 20).await, Ok(2));
        let refused = taken(parts(), 10, 1 << 20).await.unwrap_err();
        assert_eq!((refused.code, refused.owner.is_some()), (Code::Limit, true));
        assert!(refused.rule.unwrap().contains("limits.releaseMib"));
        let refused = taken(parts(), 1 << 20, 60).await.unwrap_err();
        assert!(refused.code == Code::Limit && refused.rule.unwrap().contains("limits.memoryMib"));
        let refused = taken(vec![release(&["a", "b"]), release(&["a"])], 1 << 20, 1 << 20).await.unwrap_err();
        assert_eq!(refused.code, Code::ReleaseShape);
        assert_eq!(refused.rule.as_deref(), Some("an owner releases each group once"));
    }
}
