//! The catalog as tables of Flight SQL: `gba.health.visits` is the table `visits` of the schema `health` in the catalog `gba`.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::Result as FlightResult;
use arrow_flight::sql::{Command, CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables};
use futures::{StreamExt, stream};
use wanqu_client::status::to_status;
use wanqu_identity::Bearer;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_rules::catalog::{Catalog, CatalogTable};

use super::fields::table_schema;
use super::{changes, info, keys, not_offered, types, unencoded};
use crate::doors::flight::Messages;
use crate::gateway::Gateway;
use crate::gateway::asker::of_one_result;

/// Longest pattern of a filter, in bytes. No name is longer than 63 of them.
const PATTERN: usize = 256;

/// Kind of every table.
const TABLE: &str = "TABLE";

impl Gateway {
    /// Returns the messages of the table that a command asks for.
    pub(in crate::gateway) fn metadata(
        &self,
        bearer: &Bearer,
        command: &Command,
    ) -> Result<Messages<FlightData>, Refusal> {
        if bearer.single_use.is_some() {
            return Err(of_one_result());
        }
        let table = self.table(command)?;
        let messages = FlightDataEncoderBuilder::new().with_schema(table.schema()).build(stream::iter([Ok(table)]));
        Ok(messages.map(|message| message.map_err(|error| to_status(unencoded(&error)))).boxed())
    }

    /// Returns the table that a command asks for.
    pub(super) fn table(&self, command: &Command) -> Result<RecordBatch, Refusal> {
        short_patterns(command)?;
        let catalog = self.asker.service.catalog();
        let table = match command.clone() {
            Command::CommandGetCatalogs(command) => catalogs(&catalog, command),
            Command::CommandGetDbSchemas(command) => schemas(&catalog, command),
            Command::CommandGetTables(command) => tables(&catalog, command),
            Command::CommandGetTableTypes(command) => table_types(command),
            Command::CommandGetSqlInfo(command) => info::table(command, self.asker.door.limits.now().sql_bytes),
            Command::CommandGetXdbcTypeInfo(command) => types::table(command),
            Command::CommandGetPrimaryKeys(_) => Ok(RecordBatch::new_empty(keys::primary())),
            Command::CommandGetExportedKeys(_)
            | Command::CommandGetImportedKeys(_)
            | Command::CommandGetCrossReference(_) => Ok(RecordBatch::new_empty(keys::foreign())),
            other => return Err(no_rows(&other)),
        };
        table.map_err(|error| unencoded(&error))
    }
}

/// Checks the patterns of a command's filters. Matching costs far more than reading the names that it is for.
///
/// # Errors
/// [`Code::Limit`] for one that is longer than any name.
fn short_patterns(command: &Command) -> Result<(), Refusal> {
    let patterns = match command {
        Command::CommandGetDbSchemas(command) => [&command.db_schema_filter_pattern, &None],
        Command::CommandGetTables(command) => [&command.db_schema_filter_pattern, &command.table_name_filter_pattern],
        _ => return Ok(()),
    };
    if patterns.into_iter().flatten().all(|pattern| pattern.len() <= PATTERN) {
        return Ok(());
    }
    Err(Refusal::new(Code::Limit, "the pattern of a name is too long")
        .with_rule(format!("a pattern has at most {PATTERN} bytes"))
        .with_remedy("filter by a shorter pattern, or list all tables and filter them at the client"))
}

/// Returns the refusal for a command that gives no rows.
fn no_rows(command: &Command) -> Refusal {
    match command {
        Command::CommandStatementSubstraitPlan(_) => not_offered("a plan of Substrait", "send the query as SQL"),
        Command::CommandStatementUpdate(_) | Command::CommandPreparedStatementUpdate(_) => changes(),
        Command::CommandStatementIngest(_) => not_offered("taking rows into tables", "give rows to their custodian"),
        _ => Refusal::new(Code::Envelope, "the command gives no rows")
            .with_rule("rows come of statements, prepared statements and the commands of the catalog")
            .with_remedy("send one of these"),
    }
}

/// Parts of a table's name.
fn parts(table: &CatalogTable) -> [&str; 3] {
    let name = &table.name;
    [name.catalog().unwrap_or_default(), name.schema().unwrap_or_default(), name.table()]
}

fn catalogs(catalog: &Catalog, command: CommandGetCatalogs) -> FlightResult<RecordBatch> {
    let mut builder = command.into_builder();
    let names: BTreeSet<&str> = catalog.tables().map(|table| parts(table)[0]).collect();
    for name in names {
        builder.append(name);
    }
    builder.build()
}

fn schemas(catalog: &Catalog, command: CommandGetDbSchemas) -> FlightResult<RecordBatch> {
    let mut builder = command.into_builder();
    let names: BTreeSet<[&str; 2]> = catalog.tables().map(|table| [parts(table)[0], parts(table)[1]]).collect();
    for [catalog, schema] in names {
        builder.append(catalog, schema);
    }
    builder.build()
}

fn tables(catalog: &Catalog, command: CommandGetTables) -> FlightResult<RecordBatch> {
    let mut builder = command.into_builder();
    for table in catalog.tables() {
        let [catalog, schema, name] = parts(table);
        builder.append(catalog, schema, name, TABLE, &table_schema(table, [catalog, schema, name]))?;
    }
    builder.build()
}

fn table_types(command: CommandGetTableTypes) -> FlightResult<RecordBatch> {
    let mut builder = command.into_builder();
    builder.append(TABLE);
    builder.build()
}
