//! Facts about the gateway, one for each code that Flight SQL has: tools ask for all, and take a missing one for a fault.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow_flight::error::Result as FlightResult;
use arrow_flight::sql::metadata::SqlInfoDataBuilder;
use arrow_flight::sql::{CommandGetSqlInfo, SqlInfo};

/// Version of Arrow that the answers are written with.
const ARROW: &str = "59.3";

/// Facts that are true or false.
const SWITCHES: [(SqlInfo, bool); 32] = [
    (SqlInfo::FlightSqlServerReadOnly, true),
    (SqlInfo::FlightSqlServerSql, true),
    (SqlInfo::FlightSqlServerSubstrait, false),
    // Of a statement that is polled; any other is over when its client knows of it, and cancelled by hanging up before that.
    (SqlInfo::FlightSqlServerCancel, true),
    (SqlInfo::FlightSqlServerBulkIngestion, false),
    (SqlInfo::FlightSqlServerIngestTransactionsSupported, false),
    (SqlInfo::SqlDdlCatalog, false),
    (SqlInfo::SqlDdlSchema, false),
    (SqlInfo::SqlDdlTable, false),
    // Each can be named; what may be asked of it is said by its columns' classes.
    (SqlInfo::SqlAllTablesAreSelectable, true),
    (SqlInfo::SqlSupportsColumnAliasing, true),
    (SqlInfo::SqlNullPlusNullIsNull, true),
    (SqlInfo::SqlSupportsTableCorrelationNames, true),
    (SqlInfo::SqlSupportsDifferentTableCorrelationNames, false),
    (SqlInfo::SqlSupportsExpressionsInOrderBy, true),
    (SqlInfo::SqlSupportsOrderByUnrelated, true),
    (SqlInfo::SqlSupportsLikeEscapeClause, false),
    (SqlInfo::SqlSupportsNonNullableColumns, false),
    (SqlInfo::SqlSupportsIntegrityEnhancementFacility, false),
    (SqlInfo::SqlCatalogAtStart, true),
    (SqlInfo::SqlSelectForUpdateSupported, false),
    (SqlInfo::SqlStoredProceduresSupported, false),
    (SqlInfo::SqlCorrelatedSubqueriesSupported, true),
    (SqlInfo::SqlMaxRowSizeIncludesBlobs, false),
    (SqlInfo::SqlTransactionsSupported, false),
    (SqlInfo::SqlDataDefinitionCausesTransactionCommit, false),
    (SqlInfo::SqlDataDefinitionsInTransactionsIgnored, false),
    (SqlInfo::SqlBatchUpdatesSupported, false),
    (SqlInfo::SqlSavepointsSupported, false),
    (SqlInfo::SqlNamedParametersSupported, false),
    (SqlInfo::SqlLocatorsUpdateCopy, false),
    (SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported, false),
];

/// Facts that are numbers, and sets of numbers as bits.
const NUMBERS: [(SqlInfo, i32); 21] = [
    // SQL_TRANSACTION_NONE.
    (SqlInfo::FlightSqlServerTransaction, 0),
    (SqlInfo::FlightSqlServerStatementTimeout, 0),
    (SqlInfo::FlightSqlServerTransactionTimeout, 0),
    // Names without quotes are read in lower case, and those in quotes as they are, for which there is no number.
    (SqlInfo::SqlIdentifierCase, 3),
    (SqlInfo::SqlQuotedIdentifierCase, 0),
    // NULL sorts as the highest value.
    (SqlInfo::SqlNullOrdering, 0),
    (SqlInfo::SqlSupportedGroupBy, 0b11),
    (SqlInfo::SqlSupportedGrammar, 0b1),
    (SqlInfo::SqlAnsi92SupportedLevel, 0b1),
    (SqlInfo::SqlOuterJoinsSupportLevel, 0b110),
    (SqlInfo::SqlSchemasSupportedActions, 0),
    (SqlInfo::SqlCatalogsSupportedActions, 0),
    (SqlInfo::SqlSupportedPositionedCommands, 0),
    (SqlInfo::SqlSupportedSubqueries, 0b111),
    (SqlInfo::SqlSupportedUnions, 0b11),
    (SqlInfo::SqlSupportedTransactionsIsolationLevels, 0b1),
    // Rows are read once, forwards.
    (SqlInfo::SqlSupportedResultSetTypes, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly, 0b10),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive, 0),
    (SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive, 0),
];

/// Bounds that are not known: what bounds a query is its text, and the work of reading it.
const UNKNOWN: [SqlInfo; 19] = [
    SqlInfo::SqlMaxBinaryLiteralLength,
    SqlInfo::SqlMaxCharLiteralLength,
    SqlInfo::SqlMaxColumnNameLength,
    SqlInfo::SqlMaxColumnsInGroupBy,
    SqlInfo::SqlMaxColumnsInIndex,
    SqlInfo::SqlMaxColumnsInOrderBy,
    SqlInfo::SqlMaxColumnsInSelect,
    SqlInfo::SqlMaxColumnsInTable,
    SqlInfo::SqlMaxConnections,
    SqlInfo::SqlMaxCursorNameLength,
    SqlInfo::SqlMaxIndexLength,
    SqlInfo::SqlDbSchemaNameLength,
    SqlInfo::SqlMaxProcedureNameLength,
    SqlInfo::SqlMaxCatalogNameLength,
    SqlInfo::SqlMaxRowSize,
    SqlInfo::SqlMaxStatements,
    SqlInfo::SqlMaxTableNameLength,
    SqlInfo::SqlMaxTablesInSelect,
    SqlInfo::SqlMaxUsernameLength,
];

/// Facts that are texts.
const TEXTS: [(SqlInfo, &str); 11] = [
    (SqlInfo::FlightSqlServerName, "Wanqu"),
    (SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION")),
    (SqlInfo::FlightSqlServerArrowVersion, ARROW),
    (SqlInfo::FlightSqlServerSubstraitMinVersion, ""),
    (SqlInfo::FlightSqlServerSubstraitMaxVersion, ""),
    (SqlInfo::SqlIdentifierQuoteChar, "\""),
    (SqlInfo::SqlSearchStringEscape, "\\"),
    (SqlInfo::SqlExtraNameCharacters, ""),
    (SqlInfo::SqlSchemaTerm, "schema"),
    (SqlInfo::SqlProcedureTerm, "procedure"),
    (SqlInfo::SqlCatalogTerm, "catalog"),
];

/// Facts that are lists of names: those that are not in a standard, of which a client need not know.
const LISTS: [SqlInfo; 5] = [
    SqlInfo::SqlKeywords,
    SqlInfo::SqlNumericFunctions,
    SqlInfo::SqlStringFunctions,
    SqlInfo::SqlSystemFunctions,
    SqlInfo::SqlDatetimeFunctions,
];

/// Returns the facts that a command asks for; all of them if it names none. A query's text has at most `sql_bytes`.
pub(super) fn table(command: CommandGetSqlInfo, sql_bytes: u32) -> FlightResult<RecordBatch> {
    let mut facts = SqlInfoDataBuilder::new();
    for (name, value) in &SWITCHES {
        facts.append(*name, *value);
    }
    for name in &UNKNOWN {
        facts.append(*name, 0_i64);
    }
    for (name, value) in &NUMBERS {
        facts.append(*name, *value);
    }
    for (name, value) in &TEXTS {
        facts.append(*name, *value);
    }
    for name in &LISTS {
        facts.append(*name, Vec::new());
    }
    facts.append(SqlInfo::SqlMaxStatementLength, i64::from(sql_bytes));
    // No isolation, since there are no transactions. JDBC reads a 64-bit number here.
    facts.append(SqlInfo::SqlDefaultTransactionIsolation, 0_i64);
    facts.append(SqlInfo::SqlSupportsConvert, BTreeMap::<i32, Vec<i32>>::new());
    let facts = facts.build()?;
    command.into_builder(&facts).build()
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt32Type;

    use super::*;

    #[test]
    fn every_code_has_one_fact() {
        let codes = |info: Vec<u32>| {
            let table = table(CommandGetSqlInfo { info }, 1000).unwrap();
            table.column(0).as_primitive::<UInt32Type>().values().to_vec()
        };
        let known: Vec<u32> =
            (0..2000).filter(|code| SqlInfo::try_from(i32::try_from(*code).unwrap()).is_ok()).collect();
        assert!(known.len() > 80);
        assert_eq!(codes(vec![]), known);
        assert_eq!(codes(vec![8, 513]), [8, 513]);
        assert!(codes(vec![1999]).is_empty());
    }
}
