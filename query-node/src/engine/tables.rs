//! This owner's own slices over their sources: declared columns, mappings, and the hidden privacy unit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as DfResult, ScalarValue};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF, lit};
use wanqu_gate::Hidden;
use wanqu_model::bundle::{NodeBundle, Slice, SourceSpec};
use wanqu_model::columns::ColumnClass;
use wanqu_model::names::{JURISDICTION_COLUMN, ResourceName, TableRef};
use wanqu_rules::catalog::{analyse, arrow_type, parse_expression};
use wanqu_rules::row::{RowKey, row_hash};
use wanqu_rules::unit::UnitHash;
use wanqu_rules::{maybe_null, one_form_of};

use super::EngineError;
use super::fits::becomes;
use crate::sources::{self, OwnFolders, Source};

/// Slice of this owner, ready to replace a stub.
#[derive(Debug)]
pub struct OwnSlice {
    /// Source of its records.
    pub source: Arc<dyn Source>,
    /// Largest number of rows of one unit, if the custodian knows it.
    pub max_rows_per_unit: Option<u64>,
    /// Table of the dataset itself.
    pub dataset: TableRef,
    /// Name of the dataset's resource.
    pub name: ResourceName,
    /// True if the rows of the dataset may leave: no table over it protects anybody.
    pub public: bool,
    /// Scan of the dataset's columns under their SQL names, from which `columns` and `unit` are computed.
    scan: LogicalPlan,
    columns: Vec<Expr>,
    unit: Option<Expr>,
}

impl OwnSlice {
    /// Returns the slice as a plan; with the hidden columns behind its own, if it has a privacy unit. The hash of a record is that of
    /// the dataset's, whichever table it serves here.
    pub fn plan(&self, hidden: Option<Hidden<'_>>) -> DfResult<LogicalPlan> {
        let mut columns = self.columns.clone();
        if let (Some(hidden), Some(unit)) = (hidden, &self.unit) {
            columns.push(unit.clone().alias(hidden.unit));
            if let Some((name, key)) = hidden.row {
                let stored = self.scan.schema().columns();
                let names = stored.iter().map(|column| column.name.clone()).collect();
                let values = stored.into_iter().map(Expr::Column).collect();
                columns.push(row_hash(key, names).call(values).alias(name));
            }
        }
        LogicalPlanBuilder::from(self.scan.clone()).project(columns)?.build()
    }

    /// Returns true if the slice has a privacy unit.
    pub fn has_unit(&self) -> bool {
        self.unit.is_some()
    }
}

/// Returns every slice of the bundle's own jurisdiction, checked.
///
/// # Errors
/// The first slice or column that cannot be run.
pub fn own_slices(bundle: &NodeBundle, folders: &OwnFolders) -> Result<BTreeMap<TableRef, OwnSlice>, EngineError> {
    let own: Vec<&Slice> = bundle.slices.iter().filter(|s| s.jurisdiction == bundle.jurisdiction).collect();
    let mut opened: BTreeMap<&TableRef, (&SourceSpec, Arc<dyn Source>)> = BTreeMap::new();
    for spec in &bundle.sources {
        opened.insert(&spec.table, (spec, sources::open(spec, folders)));
    }
    let mut slices = BTreeMap::new();
    for slice in &own {
        // The dataset's own table says which source belongs to the dataset.
        let table = own.iter().find(|s| s.dataset == slice.dataset && !s.table.is_common()).map(|s| &s.table);
        let (spec, source) = table
            .and_then(|table| opened.get(table))
            .ok_or_else(|| EngineError::NoSource { table: slice.table.clone(), dataset: slice.dataset.to_string() })?;
        let public = own.iter().filter(|other| other.dataset == slice.dataset).all(|other| other.is_public());
        slices.insert(slice.table.clone(), own_slice(slice, spec, Arc::clone(source), public)?);
    }
    Ok(slices)
}

fn own_slice(slice: &Slice, spec: &SourceSpec, source: Arc<dyn Source>, public: bool) -> Result<OwnSlice, EngineError> {
    let setup = |error: datafusion::error::DataFusionError| EngineError::Setup(error.strip_backtrace());
    let renamed = spec.columns.iter().map(|column| {
        let stored = Expr::Column(Column::new_unqualified(&column.source_name));
        // Files hold zeros with a sign, and NaN of many kinds. Groups, joins and orders are by the bits of a float.
        let value = match arrow_type(&column.data_type) {
            float @ (DataType::Float32 | DataType::Float64) => one_form_of(stored, float),
            _ => stored,
        };
        value.alias(column.name.as_str())
    });
    let dataset = LogicalPlanBuilder::scan_with_filters("source", provider_as_source(source.table()), None, Vec::new())
        .and_then(|scan| scan.project(renamed))
        .and_then(LogicalPlanBuilder::build)
        .map_err(setup)?;
    let mut columns = Vec::with_capacity(slice.columns.len());
    for column in &slice.columns {
        let failed =
            |why: String| EngineError::Column { table: slice.table.clone(), column: column.name.to_string(), why };
        let wanted = arrow_type(&column.data_type);
        let value = if column.class == ColumnClass::Sealed {
            // Nothing reads it; it is there so that the columns are those that were planned with.
            Expr::Literal(ScalarValue::try_from(&wanted).map_err(setup)?, None)
        } else if slice.table.is_common() && column.name.as_str() == JURISDICTION_COLUMN {
            lit(ScalarValue::Utf8View(Some(slice.jurisdiction.to_string())))
        } else {
            let text = column.expression.as_deref().unwrap_or(column.name.as_str());
            mapping(&dataset, text).map_err(failed)?
        };
        columns.push(typed(&dataset, value, &wanted).map_err(failed)?.alias(column.name.as_str()));
    }
    let unit = slice.privacy_unit.as_ref().filter(|_| !slice.is_public()).map(|unit| {
        let failed = |why: String| EngineError::Column { table: slice.table.clone(), column: unit.to_string(), why };
        let value = mapping(&dataset, unit.as_str()).map_err(failed)?;
        Ok(ScalarUDF::from(UnitHash::default()).call(vec![value]))
    });
    let slice = OwnSlice {
        source,
        max_rows_per_unit: spec.max_rows_per_unit,
        dataset: spec.table.clone(),
        name: slice.dataset.clone(),
        public,
        scan: dataset,
        columns,
        unit: unit.transpose()?,
    };
    // The whole is checked once, so that no query is the first to find out.
    let hidden = Hidden { unit: "__unit", row: Some(("__row", RowKey::from([0; 32]))) };
    slice.plan(Some(hidden)).and_then(analyse).map_err(setup)?;
    Ok(slice)
}

/// Reads an owner's SQL expression over the dataset's columns.
///
/// # Errors
/// The fault of the expression, for the owner.
fn mapping(dataset: &LogicalPlan, text: &str) -> Result<Expr, String> {
    let read = parse_expression(text, dataset.schema());
    let expression = read.map_err(|error| error.strip_backtrace())?;
    let mut whole_rows = false;
    let _ = expression.apply(|part| {
        whole_rows |= matches!(
            part,
            Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::Exists(_)
                | Expr::Unnest(_)
        );
        Ok(TreeNodeRecursion::Continue)
    });
    if whole_rows {
        return Err("an expression is computed from one record; it holds no aggregate, window or subquery".to_owned());
    }
    if expression.is_volatile() {
        return Err(
            "an expression gives the same value whenever it is computed; random() and the like do not".to_owned()
        );
    }
    // A value that cannot be cast is NULL: an error that depends on data would tell of it.
    let lenient = expression.transform_up(|part| {
        Ok(match part {
            Expr::Cast(Cast { expr, field }) => Transformed::yes(Expr::TryCast(TryCast { expr, field })),
            other => Transformed::no(other),
        })
    });
    lenient.map(|t| t.data).map_err(|error| error.strip_backtrace())
}

/// Returns the expression with its declared type, type-checked by itself, so that an error can name its column.
///
/// # Errors
/// The fault of the expression, for the owner.
fn typed(dataset: &LogicalPlan, value: Expr, wanted: &DataType) -> Result<Expr, String> {
    let checked = LogicalPlanBuilder::from(dataset.clone())
        .project(vec![value.alias("value")])
        .and_then(LogicalPlanBuilder::build)
        .and_then(analyse)
        .map_err(|error| error.strip_backtrace())?;
    let LogicalPlan::Projection(projection) = checked else {
        return Err("the expression cannot be planned".to_owned());
    };
    let schema = projection.input.schema();
    let Some(expression) = projection.expr.first().cloned().map(Expr::unalias) else {
        return Err("the expression is empty".to_owned());
    };
    let found = expression.get_type(schema).map_err(|error| error.strip_backtrace())?;
    if found == *wanted {
        return maybe_null(expression, schema).map_err(|error| error.strip_backtrace());
    }
    if !arrow::compute::can_cast_types(&found, wanted) {
        return Err(format!("its expression gives {found}, which cannot become {wanted}"));
    }
    if !becomes(&found, wanted) {
        return Err(format!(
            "its expression gives {found}, which becomes {wanted} only by a cast: write CAST(… AS …) in it"
        ));
    }
    let cast = Expr::TryCast(TryCast::new(Box::new(expression), wanted.clone()));
    maybe_null(cast, schema).map_err(|error| error.strip_backtrace())
}
