//! The engine's expressions over the columns as a file stores them, and which of them may prune row groups and pages.
//!
//! DataFusion prunes by more than its statistics can bear: minima and maxima leave NaN out (apache/datafusion#24804), and
//! it takes every cast between types that are not text for one that keeps the order, such as that of a timestamp to a time
//! of day or of a number to a boolean. Here a condition prunes if it compares a plain column with a literal, and the type of
//! the column has an order that its statistics keep. Everything else is [`Opaque`].

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result as DfResult, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal,
    TryCastExpr,
};
use datafusion::physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory};

use super::micros::{InMicros, has_nanoseconds};
use super::opaque::Opaque;

/// Reads stored columns as their declared types.
#[derive(Debug)]
pub struct AsDeclared;

impl PhysicalExprAdapterFactory for AsDeclared {
    fn create(&self, declared: SchemaRef, stored: SchemaRef) -> DfResult<Arc<dyn PhysicalExprAdapter>> {
        Ok(Arc::new(Adapter { declared, stored }))
    }
}

#[derive(Debug)]
struct Adapter {
    declared: SchemaRef,
    stored: SchemaRef,
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> DfResult<Arc<dyn PhysicalExpr>> {
        if let Some(binary) = expr.downcast_ref::<BinaryExpr>()
            && matches!(binary.op(), Operator::And | Operator::Or)
        {
            let sides = vec![self.rewrite(Arc::clone(binary.left()))?, self.rewrite(Arc::clone(binary.right()))?];
            return expr.with_new_children(sides);
        }
        let plain = self.is_plain(&expr);
        let read = self.read(expr)?;
        Ok(if plain { read } else { Opaque::hide(read) })
    }
}

impl Adapter {
    /// Returns true if an expression may be looked into by what prunes.
    fn is_plain(&self, expr: &Arc<dyn PhysicalExpr>) -> bool {
        if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
            use Operator as O;
            let compares = matches!(binary.op(), O::Eq | O::NotEq | O::Lt | O::LtEq | O::Gt | O::GtEq);
            let (left, right) = (binary.left(), binary.right());
            return compares
                && ((self.is_ordered(left) && is_literal(right)) || (is_literal(left) && self.is_ordered(right)));
        }
        if let Some(list) = expr.downcast_ref::<InListExpr>() {
            return self.is_ordered(list.expr()) && list.list().iter().all(is_literal);
        }
        if let Some(like) = expr.downcast_ref::<LikeExpr>() {
            return !like.negated() && self.is_ordered(like.expr()) && is_literal(like.pattern());
        }
        if let Some(null) = expr.downcast_ref::<IsNullExpr>() {
            return self.is_stored(null.arg());
        }
        if let Some(null) = expr.downcast_ref::<IsNotNullExpr>() {
            return self.is_stored(null.arg());
        }
        if expr.is::<DynamicFilterPhysicalExpr>() {
            // What it will compare is not known yet, but only these children are in it. A cast of one would be a child.
            return expr.children().into_iter().all(|child| self.is_ordered(child));
        }
        is_column(expr) || is_literal(expr)
    }

    /// Returns true for a column that the file has. One that it lacks is NULL everywhere, and has no statistics.
    fn is_stored(&self, expr: &Arc<dyn PhysicalExpr>) -> bool {
        expr.downcast_ref::<Column>().is_some_and(|column| self.stored.column_with_name(column.name()).is_some())
    }

    /// Returns true for a column whose minima and maxima bound all its values.
    fn is_ordered(&self, expr: &Arc<dyn PhysicalExpr>) -> bool {
        let Some(column) = expr.downcast_ref::<Column>() else { return false };
        let declared = self.declared.field_with_name(column.name());
        let stored = self.stored.field_with_name(column.name());
        match (declared, stored) {
            (Ok(declared), Ok(stored)) => keeps_order(declared.data_type(), stored.data_type()),
            _ => false,
        }
    }

    /// Returns the expression over the stored columns, each read as its declared type.
    fn read(&self, expr: Arc<dyn PhysicalExpr>) -> DfResult<Arc<dyn PhysicalExpr>> {
        let read = expr.transform_down(|part| {
            let Some(column) = part.downcast_ref::<Column>() else { return Ok(Transformed::no(part)) };
            let as_declared = self.column(column.name())?;
            Ok(Transformed::new(as_declared, true, TreeNodeRecursion::Jump))
        });
        read.data()
    }

    fn column(&self, name: &str) -> DfResult<Arc<dyn PhysicalExpr>> {
        let declared = self.declared.field_with_name(name)?.data_type();
        let Some((index, field)) = self.stored.column_with_name(name) else {
            return Ok(Arc::new(Literal::new(ScalarValue::try_from(declared)?)));
        };
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, index));
        let stored = field.data_type();
        Ok(if stored == declared {
            column
        } else if has_nanoseconds(stored) {
            Opaque::hide(InMicros::read(column, declared.clone()))
        } else if keeps_order(declared, stored) {
            Arc::new(CastExpr::new(column, declared.clone(), None))
        } else {
            // Values that do not fit are in no record that is read: see the footer. Hidden, because the engine would move
            // the cast to what the column is compared with, and a cast to a coarser unit is not undone by that.
            Opaque::hide(Arc::new(TryCastExpr::new(column, declared.clone())))
        })
    }
}

/// Returns true if what is stored has the order of the declared type, and minima and maxima that bound every value.
fn keeps_order(declared: &DataType, stored: &DataType) -> bool {
    use DataType as T;
    match (declared, stored) {
        (T::Float16 | T::Float32 | T::Float64 | T::List(_), _) => false,
        (T::Utf8View, T::Dictionary(_, value)) => matches!(**value, T::Utf8 | T::LargeUtf8 | T::Utf8View),
        (T::Int32 | T::Int64, T::Int8 | T::Int16 | T::UInt8 | T::UInt16) | (T::Int64, T::Int32 | T::UInt32) => true,
        _ => declared == stored,
    }
}

fn is_column(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.is::<Column>()
}

fn is_literal(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.is::<Literal>()
}
