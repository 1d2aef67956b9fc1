//! `ceil` and `floor` of decimals, in one digit more: the next whole number above 9.5 has two digits before the point, and
//! the engine, which keeps the type of the argument, has no result for it.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions::math::{ceil, floor};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use super::changed::{Change, changed};

/// One digit more before the point.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OneDigitMore;

/// Returns both functions.
pub(super) fn both() -> [Arc<ScalarUDF>; 2] {
    [ceil(), floor()].map(|engine| changed(engine, OneDigitMore))
}

/// Returns a type with room for one digit more before the point, if there is one.
fn roomier(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Decimal128(precision, scale) if *scale > 0 && *precision < DECIMAL128_MAX_PRECISION => {
            Some(DataType::Decimal128(precision + 1, *scale))
        }
        _ => None,
    }
}

impl Change for OneDigitMore {
    fn return_type(&self, engine: &ScalarUDF, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types.first().and_then(roomier) {
            Some(roomier) => Ok(roomier),
            None => engine.inner().return_type(arg_types),
        }
    }

    fn return_field(&self, engine: &ScalarUDF, args: ReturnFieldArgs) -> Result<FieldRef> {
        let roomier = args.arg_fields.first().and_then(|field| roomier(field.data_type()));
        let field = engine.return_field_from_args(args)?;
        Ok(match roomier {
            Some(roomier) => Arc::new(field.as_ref().clone().with_data_type(roomier)),
            None => field,
        })
    }

    fn compute(&self, engine: &ScalarUDF, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        for value in &mut args.args {
            if let Some(roomier) = roomier(&value.data_type()) {
                *value = value.cast_to(&roomier, None)?;
            }
        }
        engine.inner().invoke_with_args(args)
    }
}
