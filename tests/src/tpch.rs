//! The TPC-H tables at a tiny scale, split by key over three nodes, and the 22 queries.
//!
//! Nation and region are replicated. Orders and their lines lie together, by the order's key; customers, parts,
//! suppliers and their offers each lie by a key of their own, so that most joins have to be made at home.

mod manifests;
mod split;

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RecordBatchIterator, RegionArrow,
    SupplierArrow,
};

use crate::files::RawTable;
use crate::world::{World, WorldError};

/// The folders of the three cities.
pub const CITIES: [&str; 3] = ["shenzhen", "hongkong", "macau"];

/// A table's name, and the column whose value decides in which city a row lies; none for a copy in each.
const SPREAD: [(&str, Option<&str>); 8] = [
    ("region", None),
    ("nation", None),
    ("supplier", Some("s_suppkey")),
    ("part", Some("p_partkey")),
    ("partsupp", Some("ps_partkey")),
    ("customer", Some("c_custkey")),
    ("orders", Some("o_orderkey")),
    ("lineitem", Some("l_orderkey")),
];

/// Writes the world of a scale factor.
///
/// # Errors
/// If it cannot be written.
pub fn world(scale: f64) -> Result<World, WorldError> {
    let mut tables = Vec::new();
    let mut schemas = Vec::new();
    for (name, key) in SPREAD {
        let rows = generate(name, scale).map_err(WorldError::new)?;
        for (city, folder) in CITIES.iter().enumerate() {
            let rows = match key {
                None => rows.clone(),
                Some(key) => split::part(&rows, key, city).map_err(WorldError::new)?,
            };
            tables.push(RawTable { file: format!("{folder}/{name}.parquet"), rows });
        }
        let share = if key.is_some() { CITIES.len() } else { 1 };
        schemas.push((name, rows.schema(), rows.num_rows().div_ceil(share)));
    }
    World::new(&manifests::write(&schemas), &tables)
}

/// The lines of orders alone, as if each order were somebody to protect, under a rule of `min_units`, and under the policy of this
/// `spec` if there is one.
///
/// # Errors
/// If it cannot be written.
pub fn protected_world(scale: f64, min_units: u32, spec: Option<&str>) -> Result<World, WorldError> {
    let rows = generate("lineitem", scale).map_err(WorldError::new)?;
    let mut tables = Vec::new();
    for (city, folder) in CITIES.iter().enumerate() {
        let rows = split::part(&rows, "l_orderkey", city).map_err(WorldError::new)?;
        tables.push(RawTable { file: format!("{folder}/lineitem.parquet"), rows });
    }
    let policy = spec.map_or_else(String::new, |spec| {
        format!("---\napiVersion: wanqu.dev/v1alpha1\nkind: DisclosurePolicy\nmetadata: {{ name: measured }}\nspec: {spec}\n")
    });
    World::new(&(manifests::write_protected(&rows.schema(), min_units) + &policy), &tables)
}

fn generate(table: &str, scale: f64) -> Result<RecordBatch, arrow::error::ArrowError> {
    let all = |mut batches: Box<dyn RecordBatchIterator>| {
        let schema = batches.schema().clone();
        concat_batches(&schema, &batches.by_ref().collect::<Vec<_>>())
    };
    match table {
        "region" => all(Box::new(RegionArrow::new(RegionGenerator::new(scale, 1, 1)))),
        "nation" => all(Box::new(NationArrow::new(NationGenerator::new(scale, 1, 1)))),
        "supplier" => all(Box::new(SupplierArrow::new(SupplierGenerator::new(scale, 1, 1)))),
        "part" => all(Box::new(PartArrow::new(PartGenerator::new(scale, 1, 1)))),
        "partsupp" => all(Box::new(PartSuppArrow::new(PartSuppGenerator::new(scale, 1, 1)))),
        "customer" => all(Box::new(CustomerArrow::new(CustomerGenerator::new(scale, 1, 1)))),
        "orders" => all(Box::new(OrderArrow::new(OrderGenerator::new(scale, 1, 1)))),
        _ => all(Box::new(LineItemArrow::new(LineItemGenerator::new(scale, 1, 1)))),
    }
}

/// The 22 queries, in order: the number and the text, from `tpch/qNN.sql`.
///
/// # Errors
/// If a file cannot be read.
pub fn queries() -> std::io::Result<Vec<(usize, String)>> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tpch");
    (1..=22).map(|n| Ok((n, std::fs::read_to_string(folder.join(format!("q{n:02}.sql")))?))).collect()
}
