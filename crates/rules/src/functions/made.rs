//! Results that a thread made for the rows at hand and that are in memory still: the arguments of a function are each within
//! their bound, and `array[repeat(s, 5000), repeat(s, 5000), …]` holds all of them before it is called.
//!
//! Of each call the last result counts, for as long as it lives. What an operator gathers of earlier rows is in the query's
//! memory pool.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use arrow::array::{Array, ArrayRef};
use datafusion::logical_expr::ScalarFunctionArgs;

/// Results of fewer bytes do not count.
const SMALL: u64 = 64 << 10;

thread_local! {
    static MADE: RefCell<HashMap<Call, Made>> = RefCell::default();
}

/// Call of a function in a query: it keeps its options and its field from its first row to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Call {
    query: usize,
    field: usize,
}

struct Made {
    array: Weak<dyn Array>,
    bytes: u64,
}

impl Call {
    pub fn of(args: &ScalarFunctionArgs) -> Self {
        Self { query: Arc::as_ptr(&args.config_options).addr(), field: Arc::as_ptr(&args.return_field).addr() }
    }

    /// Returns the bytes of the results that other calls of the query made on this thread and that live.
    pub fn others(self) -> u64 {
        MADE.with_borrow_mut(|made| {
            made.retain(|_, made| made.array.strong_count() > 0);
            let others = made.iter().filter(|(call, _)| call.query == self.query && **call != self);
            others.map(|(_, made)| made.bytes).sum()
        })
    }

    /// Takes note of a result.
    pub fn made(self, array: &ArrayRef) {
        let bytes = array.get_array_memory_size() as u64;
        MADE.with_borrow_mut(|made| {
            if bytes < SMALL {
                made.remove(&self);
            } else {
                made.insert(self, Made { array: Arc::downgrade(array), bytes });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn what_other_calls_of_a_query_made_counts_while_it_lives() {
        let large = || -> ArrayRef { Arc::new(Int64Array::from(vec![1; 64 << 10])) };
        let call = |query, field| Call { query, field };
        let (one, two, small): (ArrayRef, ArrayRef, ArrayRef) = (large(), large(), Arc::new(Int64Array::from(vec![1])));
        call(1, 1).made(&one);
        call(1, 2).made(&two);
        call(1, 3).made(&small);
        let each = one.get_array_memory_size() as u64;
        assert_eq!((call(1, 3).others(), call(1, 1).others(), call(2, 3).others()), (2 * each, each, 0));
        let again = large();
        call(1, 1).made(&again);
        assert_eq!(call(1, 3).others(), 2 * each, "of each call the last");
        drop(two);
        assert_eq!(call(1, 3).others(), each);
    }
}
