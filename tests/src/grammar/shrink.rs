//! Makes a failing query smaller.

use std::future::Future;

/// A query that can be made smaller.
pub trait Smaller: Sized {
    /// Queries with one part less.
    fn smaller(&self) -> Vec<Self>;
}

/// The smallest query that still fails, found by leaving out one part at a time.
pub async fn smallest<Q: Smaller + Clone, F: Future<Output = bool>>(query: Q, fails: impl Fn(Q) -> F) -> Q {
    let mut smallest = query;
    'again: loop {
        for candidate in smallest.smaller() {
            if fails(candidate.clone()).await {
                smallest = candidate;
                continue 'again;
            }
        }
        return smallest;
    }
}

#[cfg(test)]
mod tests {
    use super::super::RandomQuery;
    use super::*;

    #[tokio::test]
    async fn a_failing_query_is_shrunk_to_the_parts_that_make_it_fail() {
        let guilty = |query: RandomQuery| async move { query.sql().contains("FILTER") };
        let mut found = 0;
        for number in 0..200 {
            let query = RandomQuery::of(1, number);
            if query.sql().contains("FILTER") {
                let small = smallest(query.clone(), guilty).await.sql();
                assert!(small.contains("FILTER") && small.len() <= query.sql().len());
                assert!(!small.contains("ORDER BY") && !small.contains("HAVING"), "{small}");
                found += 1;
            }
        }
        assert!(found > 10);
    }
}
