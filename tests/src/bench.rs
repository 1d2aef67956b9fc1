//! Measuring what queries cost: CPU seconds of this process, all of its threads.

use std::fmt::Display;
use std::fs;
use std::future::Future;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::collect;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use wanqu_rules::checked;

use crate::tpch::CITIES;
use crate::world::World;

/// Cost of a run.
#[derive(Debug)]
pub struct Cost<T> {
    /// CPU seconds, user and system.
    pub seconds: f64,
    /// Its result.
    pub outcome: T,
}

/// Runs something and says what it cost.
///
/// # Errors
/// If it fails.
pub async fn cost_of<T, E>(work: impl Future<Output = std::result::Result<T, E>>) -> std::result::Result<Cost<T>, E> {
    let before = cpu_seconds();
    let outcome = work.await?;
    Ok(Cost { seconds: cpu_seconds() - before, outcome })
}

/// CPU seconds that this process has used, from `/proc/self/stat` (proc(5), fields 14 and 15); 0 where there is none.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in brackets, which may hold anything.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    // The clock of proc ticks a hundred times a second on every Linux that there is.
    (ticks(11) + ticks(12)) / 100.0
}

/// Puts columns of numbers into memory, as the table `numbers`: integers `a` to `d`, decimals `p` and `q`, floats `x` and `y`.
///
/// # Errors
/// If the lines of orders cannot be read.
pub async fn keep_numbers(engine: &SessionContext) -> Result<()> {
    let sql = "SELECT CAST(l_orderkey AS BIGINT) AS a, CAST(l_partkey AS BIGINT) AS b, CAST(l_suppkey AS BIGINT) AS c, \
               CAST(l_linenumber AS BIGINT) AS d, l_extendedprice AS p, l_discount AS q, \
               CAST(l_extendedprice AS DOUBLE) AS x, CAST(l_quantity AS DOUBLE) AS y FROM gba.tpch.lineitem";
    let numbers = engine.sql(sql).await?.cache().await?;
    engine.register_table("numbers", numbers.into_view())?;
    Ok(())
}

/// Runs a query with the engine's own arithmetic, which wraps around, or with that of the nodes. Returns its rows.
///
/// # Errors
/// If the query cannot be planned or fails.
pub async fn compute(engine: &SessionContext, sql: &str, is_checked: bool) -> Result<Vec<RecordBatch>> {
    let state = engine.state();
    let plan = state.create_logical_plan(sql).await?;
    let mut plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})?;
    if is_checked {
        plan = checked(plan, false)?;
    }
    collect(state.create_physical_plan(&plan).await?, engine.task_ctx()).await
}

/// The geometric mean of positive numbers.
#[must_use]
pub fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len().max(1) as f64).exp()
}

/// One engine over the same Parquet files as the three cities have, under the names of the common tables.
///
/// # Errors
/// If a file cannot be read.
pub async fn single(world: &World) -> Result<SessionContext> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(cores));
    let schema = Arc::new(MemorySchemaProvider::new());
    for table in ["region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem"] {
        let copies = if table == "region" || table == "nation" { &CITIES[..1] } else { &CITIES[..] };
        let files: Vec<String> =
            copies.iter().map(|city| path(world.file(&format!("{city}/{table}.parquet")).display())).collect();
        let frame = context.read_parquet(files, ParquetReadOptions::default()).await?;
        schema.register_table(table.to_owned(), frame.into_view())?;
    }
    let catalog = Arc::new(MemoryCatalogProvider::new());
    catalog.register_schema("tpch", schema)?;
    let catalog: Arc<dyn CatalogProvider> = catalog;
    context.register_catalog("gba", catalog);
    context.catalog("gba").ok_or_else(|| DataFusionError::Internal("no catalog".into()))?;
    Ok(context)
}

fn path(path: impl Display) -> String {
    path.to_string()
}
