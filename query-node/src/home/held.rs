//! Rows that are held until all of them are there, so that a part that breaks off leaves none behind.

use std::sync::Arc;

use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use futures::{StreamExt, TryStreamExt, stream};
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::fragment::BatchStream;

/// Returns the rows once all of them have come. Their memory is the query's until they have been read.
///
/// # Errors
/// The refusal that ended them; [`Code::Limit`] if they do not fit into the query's memory.
pub(super) async fn held(mut rows: BatchStream, pool: &Arc<dyn MemoryPool>) -> Result<BatchStream, Refusal> {
    let reservation = MemoryConsumer::new("a release that has arrived").register(pool);
    let mut batches = Vec::new();
    while let Some(batch) = rows.try_next().await? {
        reservation.try_grow(get_record_batch_memory_size(&batch)).map_err(|_| too_much())?;
        batches.push(batch);
    }
    let rows = stream::iter(batches).map(move |batch| {
        // The reservation lives as long as the rows.
        let _ = &reservation;
        Ok(batch)
    });
    Ok(rows.boxed())
}

fn too_much() -> Refusal {
    Refusal::new(Code::Limit, "the rows of one jurisdiction do not fit into the query's memory")
        .with_rule("released cells, and the public rows of a partial answer, are held until the last has come (limits.memoryMib)")
        .with_remedy("ask for fewer rows or columns, or aggregate them; public rows need no room without partial answers")
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    fn batch() -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1024));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    fn rows(items: Vec<Result<RecordBatch, Refusal>>) -> BatchStream {
        stream::iter(items).boxed()
    }

    #[tokio::test]
    async fn rows_are_given_when_the_last_has_come_and_their_memory_is_given_back() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let read = held(rows(vec![Ok(batch()), Ok(batch())]), &pool).await.unwrap();
        assert!(pool.reserved() >= 2 * 8 * 1024);
        assert_eq!(read.try_collect::<Vec<_>>().await.unwrap().len(), 2);
        assert_eq!(pool.reserved(), 0);
        let broke = Refusal::new(Code::OwnerUnavailable, "the release broke off before its end");
        assert_eq!(held(rows(vec![Ok(batch()), Err(broke.clone())]), &pool).await.err(), Some(broke));
        assert_eq!(pool.reserved(), 0);
    }

    #[tokio::test]
    async fn more_rows_than_fit_are_refused() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(10_000));
        let refusal = held(rows(vec![Ok(batch()), Ok(batch())]), &pool).await.err().unwrap();
        assert_eq!(refusal.code, Code::Limit);
    }
}
