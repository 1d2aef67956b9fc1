//! Literals and names.

use arrow::datatypes::{DataType, IntervalMonthDayNano, i256};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, col, lit};

use super::{column_plan, folded, only, read, scan, wrong};
use crate::catalog::{Catalog, bare_name_text, name_text, pushed_condition};

/// Texts that break out of a literal where quotes are escaped by any other rule than doubling.
pub(super) const HOSTILE: [&str; 20] = [
    "",
    "'",
    "''",
    "x\\",
    "\\'",
    "x\\') OR true --",
    "a''b",
    "'''",
    "\\\\",
    "\"",
    "`",
    "$$",
    "/* */",
    "-- x\n OR 1 = 1",
    "\0",
    "a\0b",
    "\u{2019} OR \u{02bc}1\u{02bc} = \u{ff07}1\u{ff07}",
    "\r\n\t\u{85}\u{2028}",
    "深圳\u{feff}\u{202e}",
    "%_!\\%",
];

#[test]
fn hostile_texts_read_back_as_they_are() {
    for text in HOSTILE {
        for value in [
            ScalarValue::Utf8(Some(text.to_owned())),
            ScalarValue::Utf8View(Some(text.to_owned())),
            ScalarValue::LargeUtf8(Some(text.to_owned())),
        ] {
            let plan = column_plan(lit(value)).unwrap();
            assert_eq!(wrong(&plan), None, "{text:?}");
            let read = read(&super::text_of(&plan).unwrap()).unwrap();
            let (Expr::Literal(back, _), _) = only(&read) else { panic!("{read:?}") };
            assert_eq!(back.try_as_str(), Some(Some(text)));
        }
        let compared = col("s").eq(lit(text)).and(col("flag")).or(col("s").like(lit(text)));
        assert_eq!(wrong(&column_plan(compared).unwrap()), None, "{text:?}");
    }
}

#[test]
fn a_condition_on_a_public_slice_cannot_be_broken_out_of() {
    for text in HOSTILE {
        let pushed = pushed_condition(&super::slice(), &col("s").eq(lit(text))).unwrap();
        assert_eq!(pushed, format!("(s = '{}')", text.replace('\'', "''")));
    }
}

#[test]
fn names_that_would_be_read_as_something_else_are_quoted() {
    for (name, text) in [("visits", "visits"), ("Visits", "\"Visits\""), ("a\"b", "\"a\"\"b\""), ("a.b", "\"a.b\"")] {
        assert_eq!(name_text(name), text);
        assert_eq!(bare_name_text(name), text);
    }
    assert_eq!(bare_name_text("case"), "\"case\"");
    let mut slice = super::slice().as_ref().clone();
    for keyword in ["case", "not", "null", "select", "interval", "date", "all", "cast", "from", "true", "order"] {
        slice.columns[0].name = keyword.parse().unwrap();
        let slice = std::sync::Arc::new(slice.clone());
        let sql = format!("SELECT {} FROM hongkong.t.every WHERE i > 1", bare_name_text(keyword));
        let plan = Catalog::of_slice(&slice).plan(&sql, 1_000).unwrap();
        assert_eq!(plan.schema().field(0).name(), keyword);
        assert!(pushed_condition(&slice, &col(keyword)).is_some(), "{keyword}");
    }
}

#[test]
fn values_of_every_type_read_back_to_the_last_bit() {
    let zone = Some("UTC".into());
    let mut values = vec![
        ScalarValue::Null,
        ScalarValue::from(true),
        ScalarValue::Int8(Some(i8::MIN)),
        ScalarValue::Int16(Some(-5)),
        ScalarValue::Int32(Some(i32::MIN)),
        ScalarValue::Int64(Some(i64::MIN)),
        ScalarValue::Int64(Some(i64::MAX)),
        ScalarValue::UInt8(Some(u8::MAX)),
        ScalarValue::UInt16(Some(7)),
        ScalarValue::UInt32(Some(u32::MAX)),
        ScalarValue::UInt64(Some(u64::MAX)),
        ScalarValue::Decimal128(Some(-5), 15, 2),
        ScalarValue::Decimal128(Some(10_i128.pow(37)), 38, 10),
        ScalarValue::Decimal128(Some(-5), 2, 2),
        ScalarValue::Decimal128(Some(0), 1, 1),
        ScalarValue::Decimal128(Some(-1), 38, 38),
        ScalarValue::Decimal256(Some(i256::from_i128(7)), 50, 3),
        ScalarValue::Decimal256(Some(i256::from_i128(-7)), 76, 76),
        ScalarValue::Binary(Some(vec![0, 0x27, 255])),
        ScalarValue::BinaryView(Some(vec![1, 2])),
        ScalarValue::TimestampNanosecond(Some(1_700_000_000_123_456_789), zone),
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(-14, 3, -1_000_000_001))),
        ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(0, 0, 0))),
        ScalarValue::DurationMicrosecond(Some(-9)),
        ScalarValue::Time64Nanosecond(Some(3_600_000_000_001)),
        ScalarValue::Int32(None),
        ScalarValue::Utf8View(None),
        ScalarValue::Date32(None),
        ScalarValue::TimestampMicrosecond(None, None),
        ScalarValue::Decimal128(None, 10, 2),
    ];
    for number in [0.1, -0.0, 1e300, 5e-324, f64::MAX, f64::MIN_POSITIVE, 1.0, f64::INFINITY, f64::NEG_INFINITY] {
        values.push(ScalarValue::Float64(Some(number)));
        values.push(ScalarValue::Float32(Some(number as f32)));
    }
    values.push(ScalarValue::Float64(Some(f64::NAN)));
    for days in [-3_000_000, -719_163, -719_162, -1, 0, 20_000, 2_932_896, 2_932_897, 9_000_000] {
        values.push(ScalarValue::Date32(Some(days)));
        let micros = i64::from(days) * 86_400_000_000 + 123_456;
        values.push(ScalarValue::TimestampMicrosecond(Some(micros), None));
        values.push(ScalarValue::TimestampMillisecond(Some(micros / 1_000), None));
        values.push(ScalarValue::TimestampSecond(Some(micros / 1_000_000), None));
    }
    for nanos in [i64::MIN + 1, -1, 0, 1_700_000_000_123_456_789, i64::MAX] {
        values.push(ScalarValue::TimestampNanosecond(Some(nanos), None));
    }
    for items in [vec![], vec![ScalarValue::Int64(Some(-1)), ScalarValue::Int64(None)]] {
        let list = ScalarValue::new_list_nullable(&items, &DataType::Int64);
        values.push(ScalarValue::List(list));
    }
    let texts = ["a, b", "'", ""].map(|text| ScalarValue::Utf8(Some(text.to_owned())));
    values.push(ScalarValue::List(ScalarValue::new_list_nullable(&texts, &DataType::Utf8)));
    let wrong: Vec<String> = values
        .into_iter()
        .filter_map(|value| {
            let plan = column_plan(lit(value.clone())).unwrap();
            wrong(&plan).map(|wrong| format!("{value:?}: {wrong}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_constant_is_never_the_place_of_a_column() {
    let sorted = |key: i64| scan().sort(vec![lit(key).sort(true, true), col("n").sort(false, true)]).unwrap();
    let plan = folded(sorted(2).build().unwrap()).unwrap();
    let datafusion::logical_expr::LogicalPlan::Sort(sort) = &plan else { panic!() };
    let schema = plan.schema();
    let spelling = crate::catalog::Spelling { schema, column: &|column| column.name.clone() };
    let keys: Vec<_> = sort.expr.iter().map(|key| spelling.sort_key(key).unwrap()).collect();
    assert_eq!(keys, [None, Some("n DESC NULLS FIRST".to_owned())]);
    assert_eq!(spelling.group_key(&lit(2_i64)).unwrap(), "CAST(2 AS BIGINT)");
}
