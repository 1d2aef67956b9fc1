//! Types of columns, as tools of ODBC and JDBC know them.

use arrow::array::RecordBatch;
use arrow_flight::error::Result as FlightResult;
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{CommandGetXdbcTypeInfo, Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode};

/// A type: its name, its code, its size, and what a literal begins and ends with.
type Known = (&'static str, XdbcDataType, Option<i32>, Option<[&'static str; 2]>);

const QUOTED: Option<[&str; 2]> = Some(["'", "'"]);

const TYPES: [Known; 8] = [
    ("boolean", XdbcDataType::XdbcBit, Some(1), None),
    ("int32", XdbcDataType::XdbcInteger, Some(32), None),
    ("int64", XdbcDataType::XdbcBigint, Some(64), None),
    ("float64", XdbcDataType::XdbcDouble, Some(53), None),
    ("decimal", XdbcDataType::XdbcDecimal, Some(38), None),
    ("string", XdbcDataType::XdbcVarchar, None, QUOTED),
    ("date", XdbcDataType::XdbcDate, Some(10), Some(["DATE '", "'"])),
    ("timestamp", XdbcDataType::XdbcTimestamp, Some(26), Some(["TIMESTAMP '", "'"])),
];

/// Returns the types that a command asks for.
pub(super) fn table(command: CommandGetXdbcTypeInfo) -> FlightResult<RecordBatch> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    for known in &TYPES {
        types.append(described(known));
    }
    let types = types.build()?;
    command.into_builder(&types).build()
}

fn described((name, code, size, literal): &Known) -> XdbcTypeInfo {
    let decimal = *code == XdbcDataType::XdbcDecimal;
    let number = literal.is_none() && *code != XdbcDataType::XdbcBit;
    let subcode = match code {
        // 1 is the code of a date; arrow-flight calls it by the interval that has it too.
        XdbcDataType::XdbcDate => Some(XdbcDatetimeSubcode::XdbcSubcodeYear),
        XdbcDataType::XdbcTimestamp => Some(XdbcDatetimeSubcode::XdbcSubcodeTimestamp),
        _ => None,
    };
    XdbcTypeInfo {
        type_name: (*name).to_owned(),
        data_type: *code,
        column_size: *size,
        literal_prefix: literal.map(|[begin, _]| begin.to_owned()),
        literal_suffix: literal.map(|[_, end]| end.to_owned()),
        create_params: decimal.then(|| vec!["precision".to_owned(), "scale".to_owned()]),
        nullable: Nullable::NullabilityNullable,
        case_sensitive: *code == XdbcDataType::XdbcVarchar,
        searchable: Searchable::Full,
        unsigned_attribute: number.then_some(false),
        fixed_prec_scale: false,
        auto_increment: Some(false),
        local_type_name: Some((*name).to_owned()),
        minimum_scale: decimal.then_some(0),
        maximum_scale: decimal.then_some(38),
        // The detailed code of dates and times is that of all of them.
        sql_data_type: if subcode.is_some() { XdbcDataType::XdbcDatetime } else { *code },
        datetime_subcode: subcode,
        num_prec_radix: number.then_some(if decimal { 10 } else { 2 }),
        interval_precision: None,
    }
}
