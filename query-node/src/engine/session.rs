//! The DataFusion session of one query: all cores, batches of 8,192 rows, a memory limit with disk to spill to.

use std::sync::Arc;
use std::thread::available_parallelism;

use datafusion::common::Result as DfResult;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;
use wanqu_rules::catalog::planning_state;

use super::GaugedPool;

/// Returns a session that shares `runtime`'s caches and temporary files and has a memory pool of its own.
pub fn session(runtime: &RuntimeEnv, pool: GaugedPool) -> DfResult<SessionState> {
    let runtime = RuntimeEnvBuilder::from_runtime_env(runtime).with_memory_pool(Arc::new(pool)).build_arc()?;
    let cores = available_parallelism().map_or(1, usize::from);
    let mut config = SessionConfig::new()
        .with_information_schema(false)
        .with_target_partitions(cores)
        .with_batch_size(8192)
        .with_collect_statistics(false);
    config.options_mut().optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    // A least or greatest value so far would be held against statistics of files, in which NaN is not.
    config.options_mut().optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    // DataFusion 55 takes `x IS NOT TRUE` for never NULL in logical plans, and for maybe NULL in physical ones: where two
    // aggregates share such a filter, this check of its own refuses a sound plan.
    config.options_mut().execution.skip_physical_aggregate_schema_check = true;
    Ok(SessionStateBuilder::new_from_existing(planning_state().clone())
        .with_config(config)
        .with_runtime_env(runtime)
        .build())
}
