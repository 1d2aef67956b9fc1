//! Texts read back as the expressions that they were made of, and no other.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the numbers of these tests are small"
)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringViewArray, TimestampMicrosecondArray,
};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use wanqu_model::bundle::{ColumnSpec, ContributionRule, ReleaseRule, Slice};
use wanqu_model::columns::ColumnClass;

use super::fold::fold_constants;
use super::{Catalog, Spelling, StubSource, ask_the_same, name_text, planning_state, table_of};
use crate::functions::kept_right;

mod differences;
mod functions;
mod numbers;
mod random;
mod values;

/// Columns of the table that expressions are over: one of each type.
const COLUMNS: [(&str, &str); 9] = [
    ("flag", "boolean"),
    ("i", "int32"),
    ("n", "int64"),
    ("f", "float64"),
    ("d", "decimal(10,2)"),
    ("s", "string"),
    ("day", "date"),
    ("moment", "timestamp"),
    ("list", "list(int64)"),
];

fn slice() -> Arc<Slice> {
    let column = |(name, data_type): (&str, &str)| ColumnSpec {
        name: name.parse().unwrap(),
        data_type: data_type.parse().unwrap(),
        class: ColumnClass::Public,
        unit: None,
        description: String::new(),
        expression: None,
    };
    Arc::new(Slice {
        table: "hongkong.t.every".parse().unwrap(),
        jurisdiction: "HK".parse().unwrap(),
        dataset: "every".parse().unwrap(),
        custodian: "c".to_owned(),
        description: String::new(),
        columns: COLUMNS.map(column).to_vec(),
        privacy_unit: None,
        policy: ReleaseRule {
            policies: vec![],
            min_units: 1,
            rounding: 1,
            publish_zeros: false,
            remember_cells: false,
            contributions: ContributionRule::default(),
        },
        approximate_rows: None,
        one_row_per_unit: false,
    })
}

fn catalog() -> Catalog {
    Catalog::of_slice(&slice())
}

fn scan() -> LogicalPlanBuilder {
    let table = catalog().table("hongkong", "t", "every").unwrap();
    LogicalPlanBuilder::scan(table.name.clone(), Arc::new(StubSource(table)), None).unwrap()
}

fn analysed(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    super::analyse(plan)
}

/// The result of a step of the engine's, which panics on some plans that nobody would write.
fn attempt<T>(step: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).ok()
}

/// The plan of one expression over the table; an error if the engine refuses it.
fn column_plan(expr: Expr) -> DfResult<LogicalPlan> {
    analysed(scan().project(vec![expr.alias("x")])?.build()?)
}

/// The plan of one aggregate over the table.
fn aggregate_plan(expr: Expr) -> DfResult<LogicalPlan> {
    analysed(scan().aggregate(Vec::<Expr>::new(), vec![expr.alias("x")])?.build()?)
}

/// The expression of the plan's one column, and the schema that it is over.
fn only(plan: &LogicalPlan) -> (Expr, Arc<DFSchema>) {
    let exprs = plan.expressions();
    (exprs[0].clone().unalias(), Arc::clone(plan.inputs()[0].schema()))
}

fn text_of(plan: &LogicalPlan) -> DfResult<String> {
    let (expr, schema) = only(plan);
    Spelling { schema: &schema, column: &|column| format!("t1.{}", name_text(&column.name)) }.item(&expr)
}

fn read(text: &str) -> Result<LogicalPlan, String> {
    catalog().plan(&format!("SELECT {text} AS x FROM hongkong.t.every AS t1"), 1 << 24).map_err(|r| r.to_string())
}

fn same(meant: &LogicalPlan, read: &LogicalPlan) -> bool {
    ask_the_same(meant, read, &|scan| table_of(scan).map(|table| table.name.to_string())).unwrap()
}

/// Returns the fault of a plan's text; `None` if it reads back as the plan.
fn wrong(meant: &LogicalPlan) -> Option<String> {
    let text = match text_of(meant) {
        Ok(text) => text,
        Err(error) => return Some(format!("no text: {error}")),
    };
    match read(&text) {
        Err(refusal) => Some(format!("{text}\n  cannot be read: {refusal}")),
        Ok(read) if same(meant, &read) => None,
        Ok(read) => {
            Some(format!("{text}\n  is read as: {}\n  and not as: {}", read.display_indent(), meant.display_indent()))
        }
    }
}

/// The plan with its constants folded, as those of texts are; `None` if one of them has no value.
fn folded(plan: LogicalPlan) -> Option<LogicalPlan> {
    kept_right(plan, fold_constants).ok()
}

/// Rows with NULL, zero and negative numbers, quotes and a backslash in every combination that matters to an operator.
fn rows() -> RecordBatch {
    let pick = |row: usize, stride: usize, of: usize| (row / stride) % of;
    let size = 60;
    let flags = (0..size).map(|r| [Some(true), Some(false), None][pick(r, 1, 3)]);
    let longs = |r: usize| [Some(3_i64), Some(-7), None, Some(0), Some(12)][pick(r, 3, 5)];
    let texts = ["a%b", "a'b", "A\\b", "", "x_y"];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("flag", Arc::new(flags.collect::<BooleanArray>())),
        ("i", Arc::new((0..size).map(|r| longs(r + 1).map(|n| n as i32)).collect::<Int32Array>())),
        ("n", Arc::new((0..size).map(longs).collect::<Int64Array>())),
        ("f", Arc::new((0..size).map(|r| longs(r + 4).map(|n| n as f64 * 0.75)).collect::<Float64Array>())),
        (
            "d",
            Arc::new(
                (0..size)
                    .map(|r| longs(r + 7).map(|n| i128::from(n) * 125))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        ("s", Arc::new((0..size).map(|r| texts.get(pick(r, 2, 6)).copied()).collect::<StringViewArray>())),
        ("day", Arc::new((0..size).map(|r| longs(r + 2).map(|n| 20_000 + n as i32 * 40)).collect::<Date32Array>())),
        (
            "moment",
            Arc::new(
                (0..size)
                    .map(|r| longs(r + 5).map(|n| 1_700_000_000_000_000 + n * 86_400_000_123))
                    .collect::<TimestampMicrosecondArray>(),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// The values of a plan's one column over [`rows`], as text; `None` if they cannot be computed.
fn values(plan: &LogicalPlan) -> Option<Vec<String>> {
    let (expr, schema) = only(plan);
    let rows = rows();
    let expr = planning_state().create_physical_expr(expr, &schema).ok()?;
    let values = expr.evaluate(&rows).ok()?.into_array(rows.num_rows()).ok()?;
    let format = arrow::util::display::FormatOptions::default();
    let formatter = arrow::util::display::ArrayFormatter::try_new(&values, &format).ok()?;
    (0..rows.num_rows()).map(|row| formatter.value(row).try_to_string().ok()).collect()
}
