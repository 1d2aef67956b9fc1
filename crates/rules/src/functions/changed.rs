//! Functions of the engine of which a part is changed. Names, arguments and types are the engine's.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Part of a function that is changed.
pub(super) trait Change: Debug + Clone + Eq + Hash + Send + Sync + 'static {
    /// True if the engine may rewrite calls and reason about their order as it does with its own function. False where its
    /// rules hold for the results of its own function alone.
    fn is_as_engine(&self) -> bool {
        false
    }

    /// Returns the type of the results.
    fn return_type(&self, engine: &ScalarUDF, arg_types: &[DataType]) -> Result<DataType> {
        engine.inner().return_type(arg_types)
    }

    /// Returns the field of the results.
    fn return_field(&self, engine: &ScalarUDF, args: ReturnFieldArgs) -> Result<FieldRef> {
        engine.return_field_from_args(args)
    }

    /// Computes the results.
    fn compute(&self, engine: &ScalarUDF, args: ScalarFunctionArgs) -> Result<ColumnarValue>;
}

/// Function of the engine with a change.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Changed<C> {
    engine: Arc<ScalarUDF>,
    change: C,
}

/// Returns a function of the engine with a change.
pub(super) fn changed(engine: Arc<ScalarUDF>, change: impl Change) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Changed { engine, change }))
}

impl<C: Change> ScalarUDFImpl for Changed<C> {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.engine.inner().schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.engine.inner().coerce_types(arg_types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.change.return_type(&self.engine, arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.change.return_field(&self.engine, args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.change.compute(&self.engine, args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.engine.inner().documentation()
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        if !self.change.is_as_engine() {
            return None;
        }
        let engine = Arc::new(self.engine.inner().with_updated_config(config)?);
        Some(ScalarUDF::from(Self { engine, change: self.change.clone() }))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        if self.change.is_as_engine() {
            self.engine.inner().simplify(args, info)
        } else {
            Ok(ExprSimplifyResult::Original(args))
        }
    }

    fn is_strict(&self) -> bool {
        self.change.is_as_engine() && self.engine.inner().is_strict()
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        if self.change.is_as_engine() {
            self.engine.inner().preimage(args, literal, info)
        } else {
            Ok(PreimageResult::None)
        }
    }

    fn short_circuits(&self) -> bool {
        self.change.is_as_engine() && self.engine.inner().short_circuits()
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        if !self.change.is_as_engine() {
            return Ok(SortProperties::Unordered);
        }
        // An error of the domain, which the values will show.
        Ok(self.engine.inner().output_ordering(inputs).unwrap_or(SortProperties::Unordered))
    }
}
