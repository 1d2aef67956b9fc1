//! Cost of federation: CPU seconds and bytes, as ratios from one run.
//!
//! Three nodes over mutual TLS in this process against one engine in this process, on the same Parquet files, alternately;
//! the same with the gate on and off; arithmetic that is checked against the engine's own; and what crosses the borders
//! against what was scanned.
//!
//! ```text
//! cargo run -p wanqu-tests --release --bin bench              a scale factor of 1
//! cargo run -p wanqu-tests --release --bin bench -- --scale 2 another
//! cargo run -p wanqu-tests --bin bench -- --short             0.02, for CI: planning and signing weigh most there
//! ```

use std::error::Error;
use std::fs;
use std::path::Path;

use datafusion::error::DataFusionError;
use wanqu_tests::bench::{Cost, compute, cost_of, geometric_mean, keep_numbers, single};
use wanqu_tests::federation::{Federation, HONG_KONG};
use wanqu_tests::tpch;

/// Five statistics over lines of orders, as somebody would ask for them.
const STATISTICS: [(&str, &str); 5] = [
    (
        "count, sum, average by a few keys",
        "SELECT l_returnflag, l_linestatus, count(*) AS n, sum(l_quantity) AS q, avg(l_extendedprice) AS p FROM gba.tpch.lineitem GROUP BY l_returnflag, l_linestatus",
    ),
    (
        "count by month",
        "SELECT date_trunc('month', l_shipdate) AS month, count(*) AS n FROM gba.tpch.lineitem GROUP BY date_trunc('month', l_shipdate)",
    ),
    (
        "distinct units by group",
        "SELECT l_shipmode, count(DISTINCT l_orderkey) AS n FROM gba.tpch.lineitem GROUP BY l_shipmode",
    ),
    (
        "1 % filter, then groups",
        "SELECT l_shipmode, sum(l_extendedprice) AS p FROM gba.tpch.lineitem WHERE l_shipdate BETWEEN DATE '1995-03-01' AND DATE '1995-03-25' GROUP BY l_shipmode",
    ),
    (
        "very many groups",
        "SELECT l_partkey, count(*) AS n, sum(l_quantity) AS q FROM gba.tpch.lineitem GROUP BY l_partkey",
    ),
];

/// Arithmetic over rows in memory, four operations each.
const ARITHMETIC: [(&str, &str); 3] = [
    ("integers", "SELECT count(*) FROM numbers WHERE a * 3 > b + c + d"),
    ("decimals", "SELECT sum(p * (1 - q) * (1 + q)) FROM numbers WHERE p - q > 0"),
    ("floats", "SELECT count(*) FROM numbers WHERE x * 3.0 > y + y * x - y"),
];

#[tokio::main(flavor = "multi_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let short = arguments.iter().any(|argument| argument == "--short");
    let asked = arguments.iter().position(|argument| argument == "--scale").and_then(|i| arguments.get(i + 1));
    let scale = match asked {
        Some(scale) => scale.parse()?,
        None if short => 0.02,
        None => 1.0,
    };
    let rounds = if short { 1 } else { 3 };
    println!("TPC-H at scale factor {scale}, {rounds} round(s), each query by one engine and by three nodes in turn");

    let world = tpch::world(scale)?;
    let files = bytes_of(world.path())?;
    let engine = single(&world).await?;
    let public = Federation::start(world).await?;
    let gated = Federation::start(tpch::protected_world(scale, 10, None)?).await?;
    let open = Federation::start(tpch::protected_world(scale, 1, None)?).await?;

    println!("\n{:<36} {:>9} {:>9} {:>7} {:>12}", "TPC-H, public tables", "one, s", "three, s", "ratio", "crossed");
    let mut ratios = Vec::new();
    for (number, sql) in tpch::queries()? {
        let (one, three, crossed) = compare(&engine, &public, &sql, rounds).await?;
        ratios.push(three / one);
        println!("query {number:<30} {one:>9.3} {three:>9.3} {:>7.2} {crossed:>12}", three / one);
    }
    println!("geometric mean of the ratios: {:.2}", geometric_mean(&ratios));

    println!("\n{:<36} {:>9} {:>9} {:>7}", "arithmetic", "engine, s", "node, s", "ratio");
    keep_numbers(&engine).await?;
    for (name, sql) in ARITHMETIC {
        let (mut plain, mut ours) = (f64::MAX, f64::MAX);
        for _ in 0..rounds {
            for (least, is_checked) in [(&mut plain, false), (&mut ours, true)] {
                // Often enough for a clock of hundredths of a second.
                let often = async {
                    for _ in 0..20 {
                        compute(&engine, sql, is_checked).await?;
                    }
                    Ok::<_, DataFusionError>(())
                };
                *least = least.min(cost_of(often).await?.seconds / 20.0);
            }
        }
        println!("{name:<36} {plain:>9.4} {ours:>9.4} {:>7.2}", ours / plain);
    }

    let scanned = bytes_of(gated.world.path())?;
    println!(
        "\n{:<36} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9}",
        "statistics, orders protected", "one, s", "off, s", "on, s", "off/one", "on/off", "crossed"
    );
    let (mut federation, mut gate) = (Vec::new(), Vec::new());
    for (name, sql) in STATISTICS {
        let (one, off, _) = compare(&engine, &open, sql, rounds).await?;
        let (on, crossed) = federated(&gated, sql, rounds).await?;
        federation.push(off / one);
        gate.push(on / off);
        let share = 100.0 * crossed as f64 / scanned as f64;
        println!("{name:<36} {one:>7.3} {off:>7.3} {on:>7.3} {:>7.2} {:>7.2} {share:>8.4}%", off / one, on / off);
    }
    println!(
        "geometric means: {:.2} for three nodes against one engine, {:.2} for the gate",
        geometric_mean(&federation),
        geometric_mean(&gate)
    );
    println!(
        "off: a rule of one unit; on: of ten. Crossed: of the bytes of the files, {scanned}; all tables have {files}"
    );
    rules(scale, &gated, rounds).await
}

/// Cost of single rules of the gate, each on against off.
async fn rules(scale: f64, gated: &Federation, rounds: usize) -> Result<(), Box<dyn Error>> {
    let counting = "{ minUnits: 10, dominance: { units: 1, percent: 100 }, pPercent: 0, minValues: 0 }";
    let counting = Federation::start(tpch::protected_world(scale, 10, Some(counting))?).await?;
    let ledger = "{ minUnits: 10, rememberCells: true }";
    let fresh = Federation::start(tpch::protected_world(scale, 10, Some(ledger))?).await?;
    let full = Federation::start(tpch::protected_world(scale, 10, Some(ledger))?).await?;
    let sql = "SELECT l_partkey, count(*) AS n FROM gba.tpch.lineitem WHERE l_partkey <= 11000 GROUP BY l_partkey";
    let filled = full.ask(HONG_KONG, sql).await?.rows.rows.len();

    println!(
        "\n{:<36} {:>7} {:>7} {:>7} {:>7} {:>10} {:>10} {:>10}",
        "rules, orders protected", "k, s", "all, s", "new, s", "many, s", "all/k", "new/all", "many/all"
    );
    let mut ratios = [Vec::new(), Vec::new(), Vec::new()];
    for (name, sql) in STATISTICS {
        let (k, _) = federated(&counting, sql, rounds).await?;
        let (all, _) = federated(gated, sql, rounds).await?;
        let (new, _) = federated(&fresh, sql, 1).await?;
        let (many, _) = federated(&full, sql, 1).await?;
        let of = [all / k, new / all, many / all];
        ratios.iter_mut().zip(of).for_each(|(all, ratio)| all.push(ratio));
        let [contributions, ledger, remembered] = of;
        println!(
            "{name:<36} {k:>7.3} {all:>7.3} {new:>7.3} {many:>7.3} {contributions:>10.2} {ledger:>10.2} {remembered:>10.2}"
        );
    }
    let [contributions, ledger, remembered] = ratios.map(|ratios| geometric_mean(&ratios));
    println!(
        "geometric means: {contributions:.2} for the rules on contributions, {ledger:.2} for a ledger, {remembered:.2} for one of {filled} parts' cells"
    );
    println!(
        "k: ten units alone; all: what is the default; new: cells are remembered, and none was before; many: {filled} groups were"
    );
    Ok(())
}

/// CPU seconds of one engine, of three nodes, and bytes that crossed; the least of several rounds.
async fn compare(
    engine: &datafusion::prelude::SessionContext,
    federation: &Federation,
    sql: &str,
    rounds: usize,
) -> Result<(f64, f64, usize), Box<dyn Error>> {
    let (mut one, mut three, mut crossed) = (f64::MAX, f64::MAX, 0);
    for _ in 0..rounds {
        let Cost { seconds, .. } = cost_of(async { engine.sql(sql).await?.collect().await }).await?;
        one = one.min(seconds);
        let (seconds, bytes) = federated(federation, sql, 1).await?;
        three = three.min(seconds);
        crossed = bytes;
    }
    Ok((one, three, crossed))
}

async fn federated(federation: &Federation, sql: &str, rounds: usize) -> Result<(f64, usize), Box<dyn Error>> {
    let (mut least, mut crossed) = (f64::MAX, 0);
    for _ in 0..rounds {
        drop(federation.tap.take());
        let cost = cost_of(federation.ask(HONG_KONG, sql)).await?;
        least = least.min(cost.seconds);
        crossed = federation.tap.take().iter().map(|crossing| crossing.bytes.len()).sum();
    }
    Ok((least, crossed))
}

fn bytes_of(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        bytes += if meta.is_dir() { bytes_of(&entry.path())? } else { meta.len() };
    }
    Ok(bytes)
}
