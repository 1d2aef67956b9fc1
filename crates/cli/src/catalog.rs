//! `wanqu catalog`: the tables and columns that a query can name at one home node.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use query_node::bundle_file;
use query_node::gateway::list;
use wanqu_model::bundle::ReleaseRule;
use wanqu_model::listing::TableListing;
use wanqu_rules::catalog::Catalog;

use super::args::{CatalogArgs, Format};
use super::connect::Connection;
use super::failure::{Failure, Outcome};
use super::render::cells::counted;
use super::render::sink::sink;
use super::state::StateDir;

/// Prints the tables, or the columns of those whose names match.
pub async fn run(state: &StateDir, args: &CatalogArgs) -> Outcome {
    let mut tables = match &args.bundle {
        Some(path) => {
            let bundle = bundle_file::read(path).map_err(|error| Failure::failed(error.to_string()))?.bundle;
            list(&Catalog::federated(&bundle))
        }
        None => Connection::find(state, &args.gateway)?.client()?.catalog().await?,
    };
    let wanted = args.name.as_deref().unwrap_or_default();
    tables.retain(|table| table.name.contains(wanted));
    if tables.is_empty() {
        return Err(Failure::failed(format!(
            "no table has a name that contains {wanted:?}; `wanqu catalog` lists all"
        )));
    }
    let with_columns = args.columns || args.name.is_some();
    let batch = if with_columns { columns(&tables) } else { overview(&tables) }?;
    let mut rows = sink(args.format, &batch.schema(), args.output.as_deref(), 0)?;
    rows.write(&batch)?;
    rows.finish()?;
    if args.format == Format::Table && args.output.is_none() && !with_columns {
        super::put(&format!("{}; `wanqu catalog NAME` shows columns\n", counted(tables.len() as u64, "table")))?;
    }
    Ok(())
}

/// Returns a row for each table: its owners, what may leave them, its description.
fn overview(tables: &[TableListing]) -> Outcome<RecordBatch> {
    let column = |of: &dyn Fn(&TableListing) -> String| tables.iter().map(of).collect::<Vec<_>>();
    let owners = |table: &TableListing| {
        let ids = table.owners.iter().map(|(id, _)| match table.unavailable.iter().find(|(owner, _)| owner == id) {
            Some((_, reason)) => format!("{id} (unavailable: {reason})"),
            None => id.to_string(),
        });
        ids.collect::<Vec<_>>().join(" ")
    };
    text_batch(&[
        ("table", column(&|table| table.name.clone())),
        ("served by", column(&owners)),
        ("what leaves", column(&what_leaves)),
        ("description", column(&|table| table.description.clone())),
    ])
}

/// Returns a row for each column.
fn columns(tables: &[TableListing]) -> Outcome<RecordBatch> {
    let all: Vec<_> = tables.iter().flat_map(|table| table.columns.iter().map(move |c| (table, c))).collect();
    text_batch(&[
        ("table", all.iter().map(|(table, _)| table.name.clone()).collect()),
        ("column", all.iter().map(|(_, column)| column.name.clone()).collect()),
        ("type", all.iter().map(|(_, column)| column.data_type.clone()).collect()),
        ("class", all.iter().map(|(_, column)| column.class.to_string()).collect()),
        ("unit", all.iter().map(|(_, column)| column.unit.clone().unwrap_or_default()).collect()),
        ("description", all.iter().map(|(_, column)| column.description.clone()).collect()),
    ])
}

fn what_leaves(table: &TableListing) -> String {
    if table.public {
        return "rows".to_owned();
    }
    let mut rules: Vec<String> = table.owners.iter().map(|(_, applied)| rule(applied)).collect();
    rules.dedup();
    if let [one] = &rules[..] {
        return one.clone();
    }
    let each = table.owners.iter().map(|(id, applied)| format!("{id}: {}", rule(applied)));
    each.collect::<Vec<_>>().join("; ")
}

fn rule(rule: &ReleaseRule) -> String {
    let rounded = if rule.rounding > 1 { format!(", counts to {}", rule.rounding) } else { String::new() };
    if rule.min_units <= 1 {
        format!("aggregates{rounded}")
    } else {
        let remembered = if rule.remembers() { ", which are remembered" } else { "" };
        format!("aggregates of at least {}{rounded}{remembered}", rule.min_units)
    }
}

/// Returns a batch of text columns.
pub fn text_batch(columns: &[(&str, Vec<String>)]) -> Outcome<RecordBatch> {
    let arrays = columns.iter().map(|(name, values)| {
        let array: ArrayRef = Arc::new(StringArray::from_iter_values(values));
        (*name, array)
    });
    RecordBatch::try_from_iter(arrays).map_err(|error| Failure::failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;

    #[test]
    fn owners_with_different_rules_are_listed_with_theirs() {
        let applied = |min_units, rounding| ReleaseRule {
            policies: Vec::new(),
            min_units,
            rounding,
            publish_zeros: false,
            remember_cells: false,
            contributions: wanqu_model::bundle::ContributionRule::default(),
        };
        let mut table = TableListing {
            name: "gba.health.visits".to_owned(),
            description: "visits".to_owned(),
            public: false,
            owners: vec![("HK".parse().unwrap(), applied(10, 5)), ("MO".parse().unwrap(), applied(10, 5))],
            unavailable: vec![("MO".parse().unwrap(), "no file is there".to_owned())],
            columns: Vec::new(),
        };
        let overview = overview(std::slice::from_ref(&table)).unwrap();
        let served_by = overview.column_by_name("served by").unwrap().as_string::<i32>();
        assert_eq!(served_by.value(0), "HK MO (unavailable: no file is there)");
        assert_eq!(what_leaves(&table), "aggregates of at least 10, counts to 5");
        table.owners.iter_mut().for_each(|(_, rule)| rule.remember_cells = true);
        assert_eq!(what_leaves(&table), "aggregates of at least 10, counts to 5, which are remembered");
        table.owners[0].1 = applied(10, 5);
        table.owners[1].1 = applied(1, 1);
        assert_eq!(what_leaves(&table), "HK: aggregates of at least 10, counts to 5; MO: aggregates");
        table.public = true;
        assert_eq!(what_leaves(&table), "rows");
    }
}
