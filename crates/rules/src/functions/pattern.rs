//! The replacement of `regexp_replace`, in which `\1` is a group and `\&` the whole, as in PostgreSQL, and `$` is itself.
//!
//! The engine hands it to a library to which `$1` is a group, and a group that the pattern does not have is nothing: a `$5` that
//! was put before a text was lost.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF};

use super::changed::{Change, changed};

/// Replacement read as PostgreSQL reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct DollarIsItself;

/// Puts the function into a session, in place of the engine's own.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    // One that this build of the engine does not have cannot be called.
    if let Ok(engine) = state.udf("regexp_replace") {
        state.register_udf(changed(engine, DollarIsItself))?;
    }
    Ok(())
}

/// Returns a replacement as the engine is to have it.
fn for_engine(replacement: &str) -> String {
    replacement.replace('$', "$$").replace("\\&", "\\0")
}

fn column_for_engine(replacements: &ArrayRef) -> Result<ArrayRef> {
    let texts = cast(replacements, &DataType::Utf8)?;
    let texts: StringArray = texts.as_string::<i32>().iter().map(|text| text.map(for_engine)).collect();
    let texts: ArrayRef = Arc::new(texts);
    Ok(cast(&texts, replacements.data_type())?)
}

impl Change for DollarIsItself {
    fn compute(&self, engine: &ScalarUDF, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(replacement) = args.args.get_mut(2) {
            *replacement = match &*replacement {
                ColumnarValue::Array(texts) => ColumnarValue::Array(column_for_engine(texts)?),
                ColumnarValue::Scalar(text) => {
                    let one = column_for_engine(&text.to_array()?)?;
                    ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?)
                }
            };
        }
        engine.inner().invoke_with_args(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::testing::{bundle, shenzhen};
    use crate::catalog::Catalog;

    #[test]
    fn a_dollar_is_itself_and_groups_are_those_of_postgresql() {
        assert_eq!(for_engine("$1"), "$$1");
        let bundle = bundle();
        let catalog = Catalog::owner(&bundle, &shenzhen());
        for (call, expected) in [
            ("regexp_replace('5 apples', '^', '$1')", "$15 apples"),
            ("regexp_replace('price 5', '(\\d)', '$\\1')", "price $5"),
            ("regexp_replace('abc', 'b', '[\\&]')", "a[b]c"),
            ("regexp_replace('abc', '(b)', '\\1\\1')", "abbc"),
            ("regexp_replace('abcb', 'b', 'x', 'g')", "axcx"),
        ] {
            let plan = catalog.plan(&format!("SELECT {call} AS x"), 1 << 20).unwrap().display_indent().to_string();
            assert!(plan.contains(&format!("(\"{expected}\") AS x")), "{call}: {plan}");
        }
    }
}
