//! `ceil` and `floor` of decimals, in one digit more: the next whole number above 9.5 has two digits before the point, and
//! the engine, which keeps the type of the argument, has no result for it.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions::math::{ceil, floor};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// `ceil` or `floor` of the engine.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Whole {
    engine: Arc<ScalarUDF>,
}

impl Whole {
    /// Returns both functions.
    pub fn both() -> [Self; 2] {
        [ceil(), floor()].map(|engine| Self { engine })
    }
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

impl ScalarUDFImpl for Whole {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types.first().and_then(roomier) {
            Some(roomier) => Ok(roomier),
            None => self.engine.inner().return_type(arg_types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let roomier = args.arg_fields.first().and_then(|field| roomier(field.data_type()));
        let field = self.engine.return_field_from_args(args)?;
        Ok(match roomier {
            Some(roomier) => Arc::new(field.as_ref().clone().with_data_type(roomier)),
            None => field,
        })
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        for value in &mut args.args {
            if let Some(roomier) = roomier(&value.data_type()) {
                *value = value.cast_to(&roomier, None)?;
            }
        }
        self.engine.inner().invoke_with_args(args)
    }
}
