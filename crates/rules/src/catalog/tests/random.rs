//! Random expressions over every operator and type: each is written, read, compared, and computed both ways.

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{BinaryExpr, Case, Like, ScalarFunction};
use datafusion::logical_expr::{Expr, LogicalPlan, Operator, cast, col, lit, try_cast};

use super::values::HOSTILE;
use super::{attempt, column_plan, folded, planning_state, read, text_of, values, wrong};

/// Number of expressions that are tried.
const EXPRESSIONS: u64 = 800;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Truth,
    Int,
    Long,
    Float,
    Decimal,
    Text,
    Day,
    Moment,
}

const KINDS: [(Kind, &str); 8] = [
    (Kind::Truth, "flag"),
    (Kind::Int, "i"),
    (Kind::Long, "n"),
    (Kind::Float, "f"),
    (Kind::Decimal, "d"),
    (Kind::Text, "s"),
    (Kind::Day, "day"),
    (Kind::Moment, "moment"),
];

/// Source of expressions: a seed gives one.
struct Seed(u64);

impl Seed {
    /// Returns a number below `end` (splitmix64).
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn kind(&mut self) -> Kind {
        self.pick(&KINDS).0
    }

    fn leaf(&mut self, kind: Kind) -> Expr {
        if self.below(5) < 3 {
            let named = KINDS.iter().find(|(k, _)| *k == kind).map(|(_, name)| *name);
            return col(named.unwrap());
        }
        let small = self.below(9) as i64 - 4;
        let value = match kind {
            Kind::Truth => self.pick(&[Some(true), Some(false), None]).into(),
            Kind::Int => ScalarValue::Int32(Some(small as i32)),
            Kind::Long => ScalarValue::Int64(Some(small)),
            Kind::Float => ScalarValue::Float64(Some(small as f64 * 0.1)),
            Kind::Decimal => ScalarValue::Decimal128(Some(i128::from(small) * 5), 10, 2),
            Kind::Text => ScalarValue::Utf8View(Some(self.pick(&HOSTILE).to_owned())),
            Kind::Day => ScalarValue::Date32(Some(20_000 + small as i32)),
            Kind::Moment => ScalarValue::TimestampMicrosecond(Some(1_700_000_000_000_000 + small), None),
        };
        if self.below(12) == 0 { lit(ScalarValue::try_from(value.data_type()).unwrap()) } else { lit(value) }
    }

    fn call(name: &str, args: Vec<Expr>) -> Expr {
        let func = planning_state().scalar_functions()[name].clone();
        Expr::ScalarFunction(ScalarFunction::new_udf(func, args))
    }

    fn expr(&mut self, kind: Kind, depth: usize) -> Expr {
        if depth == 0 || self.below(8) == 0 {
            return self.leaf(kind);
        }
        match self.below(10) {
            0 => return self.case(kind, depth - 1),
            1 => {
                let args = vec![self.expr(kind, depth - 1), self.expr(kind, depth - 1)];
                let function = self.pick(&["coalesce", "nullif", "greatest", "least", "nvl"]);
                return Self::call(function, args);
            }
            _ => {}
        }
        match kind {
            Kind::Truth => self.truth(depth - 1),
            Kind::Int | Kind::Long | Kind::Float | Kind::Decimal => self.number(kind, depth - 1),
            Kind::Text => self.text(depth - 1),
            Kind::Day | Kind::Moment => self.time(kind, depth - 1),
        }
    }

    fn case(&mut self, kind: Kind, depth: usize) -> Expr {
        let of = self.coin().then(|| self.kind());
        let whens = (0..=self.below(2)).map(|_| {
            let when = self.expr(of.unwrap_or(Kind::Truth), depth);
            (Box::new(when), Box::new(self.expr(kind, depth)))
        });
        let whens = whens.collect();
        let value = of.map(|of| Box::new(self.expr(of, depth)));
        let otherwise = self.coin().then(|| Box::new(self.expr(kind, depth)));
        Expr::Case(Case::new(value, whens, otherwise))
    }

    fn binary(&mut self, kind: Kind, ops: &[Operator], depth: usize) -> Expr {
        let (left, right) = (self.expr(kind, depth), self.expr(kind, depth));
        Expr::BinaryExpr(BinaryExpr::new(Box::new(left), self.pick(ops), Box::new(right)))
    }

    fn truth(&mut self, depth: usize) -> Expr {
        use Operator::{And, Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq, Or};
        let kind = self.kind();
        match self.below(12) {
            0..=2 => self.binary(Kind::Truth, &[And, Or, Eq, NotEq, IsDistinctFrom, IsNotDistinctFrom], depth),
            3..=4 => self.binary(kind, &[Eq, NotEq, Lt, LtEq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom], depth),
            5 => Expr::Not(Box::new(self.expr(Kind::Truth, depth))),
            6 => {
                let inner = Box::new(self.expr(kind, depth));
                if self.coin() { Expr::IsNull(inner) } else { Expr::IsNotNull(inner) }
            }
            7 => {
                let tests = [
                    Expr::IsTrue,
                    Expr::IsNotTrue,
                    Expr::IsFalse,
                    Expr::IsNotFalse,
                    Expr::IsUnknown,
                    Expr::IsNotUnknown,
                ];
                let test = self.pick(&tests);
                test(Box::new(self.expr(Kind::Truth, depth)))
            }
            8 => {
                let (value, low, high) = (self.expr(kind, depth), self.expr(kind, depth), self.expr(kind, depth));
                if self.coin() { value.between(low, high) } else { value.not_between(low, high) }
            }
            9 => {
                let list = (0..=self.below(5)).map(|_| self.expr(kind, 0)).collect();
                self.expr(kind, depth).in_list(list, self.coin())
            }
            10 => {
                let (value, pattern) = (self.expr(Kind::Text, depth), self.expr(Kind::Text, depth));
                // Other escape characters, and SIMILAR TO, are gone when a text has been read.
                Expr::Like(Like::new(self.coin(), Box::new(value), Box::new(pattern), None, self.coin()))
            }
            _ => {
                use Operator::{
                    ILikeMatch, LikeMatch, NotILikeMatch, NotLikeMatch, RegexIMatch, RegexMatch, RegexNotIMatch,
                    RegexNotMatch,
                };
                let ops = [
                    RegexMatch,
                    RegexIMatch,
                    RegexNotMatch,
                    RegexNotIMatch,
                    LikeMatch,
                    ILikeMatch,
                    NotLikeMatch,
                    NotILikeMatch,
                ];
                self.binary(Kind::Text, &ops, depth)
            }
        }
    }

    fn number(&mut self, kind: Kind, depth: usize) -> Expr {
        use Operator::{
            BitwiseAnd, BitwiseOr, BitwiseShiftLeft, BitwiseShiftRight, BitwiseXor, Divide, Minus, Modulo, Multiply,
            Plus,
        };
        let integer = matches!(kind, Kind::Int | Kind::Long);
        match self.below(8) {
            0..=2 => self.binary(kind, &[Plus, Minus, Multiply, Divide, Modulo], depth),
            3 if integer => {
                let ops = [BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseShiftLeft, BitwiseShiftRight];
                self.binary(kind, &ops, depth)
            }
            4 => Expr::Negative(Box::new(self.expr(kind, depth))),
            5 => {
                let arg = self.expr(kind, depth);
                let function = self.pick(&["abs", "signum"]);
                Self::call(function, vec![arg])
            }
            6 if !integer => {
                let args = vec![self.expr(kind, depth), lit(self.below(3) as i64)];
                let function = self.pick(&["round", "trunc"]);
                Self::call(function, args)
            }
            6 => {
                let arg = self.expr(Kind::Text, depth);
                Self::call("character_length", vec![arg])
            }
            _ => {
                let from = self.pick(&[Kind::Int, Kind::Long, Kind::Float, Kind::Decimal, Kind::Text]);
                let inner = self.expr(from, depth);
                let to = match kind {
                    Kind::Int => DataType::Int32,
                    Kind::Long => DataType::Int64,
                    Kind::Float => DataType::Float64,
                    _ => DataType::Decimal128(10, 2),
                };
                if self.coin() { cast(inner, to) } else { try_cast(inner, to) }
            }
        }
    }

    fn text(&mut self, depth: usize) -> Expr {
        let arg = self.expr(Kind::Text, depth);
        match self.below(6) {
            0 => self.binary(Kind::Text, &[Operator::StringConcat], depth),
            1 => {
                let (from, length) = (lit(self.below(3) as i64), lit(self.below(4) as i64));
                Self::call("substr", vec![arg, from, length])
            }
            2 => {
                let function = self.pick(&["upper", "lower", "btrim", "reverse"]);
                Self::call(function, vec![arg])
            }
            3 => {
                let other = self.expr(Kind::Text, depth);
                Self::call("concat", vec![arg, other])
            }
            4 => {
                let count = lit(self.below(4) as i64 - 2);
                let function = self.pick(&["left", "right"]);
                Self::call(function, vec![arg, count])
            }
            _ => {
                let kind = self.kind();
                cast(self.expr(kind, depth), DataType::Utf8View)
            }
        }
    }

    fn time(&mut self, kind: Kind, depth: usize) -> Expr {
        let to = |kind| match kind {
            Kind::Day => DataType::Date32,
            _ => DataType::Timestamp(TimeUnit::Microsecond, None),
        };
        match self.below(3) {
            0 => {
                let unit = self.pick(&["month", "day", "hour"]);
                let arg = self.expr(Kind::Moment, depth);
                let cut = Self::call("date_trunc", vec![lit(unit), arg]);
                cast(cut, to(kind))
            }
            1 => {
                let step = IntervalMonthDayNano::new(self.below(5) as i32 - 2, self.below(5) as i32 - 2, 0);
                let step = lit(ScalarValue::IntervalMonthDayNano(Some(step)));
                let op = self.pick(&[Operator::Plus, Operator::Minus]);
                let moved = BinaryExpr::new(Box::new(self.expr(kind, depth)), op, Box::new(step));
                cast(Expr::BinaryExpr(moved), to(kind))
            }
            _ => {
                let from = self.pick(&[Kind::Day, Kind::Moment]);
                cast(self.expr(from, depth), to(kind))
            }
        }
    }
}

/// The plan of the expression of a seed at a depth; `None` if the engine refuses it.
fn plan_of(seed: u64, depth: usize) -> Option<LogicalPlan> {
    let mut source = Seed(seed);
    let kind = source.kind();
    column_plan(source.expr(kind, depth)).ok()
}

/// Returns the fault of the text of a random expression; `None` if it reads back.
fn wrong_of(seed: u64, depth: usize) -> Option<String> {
    let plan = plan_of(seed, depth)?;
    let plan = folded(plan)?;
    if let Some(wrong) = wrong(&plan) {
        return Some(wrong);
    }
    let text = text_of(&plan).unwrap();
    let (meant, found) = (values(&plan)?, values(&read(&text).unwrap())?);
    (meant != found).then(|| format!("{text}\n  is {found:?}\n  and not {meant:?}"))
}

#[test]
fn random_expressions_read_back_and_have_the_same_values() {
    let (mut tried, mut faults) = (0, vec![]);
    for seed in 0..EXPRESSIONS {
        let found = attempt(|| wrong_of(seed, 4)).unwrap_or_else(|| Some("it panicked".to_owned()));
        if let Some(wrong) = found {
            // A smaller expression of the same seed often has the same fault.
            let smallest = (1..4).find_map(|depth| wrong_of(seed, depth)).unwrap_or(wrong);
            faults.push(format!("seed {seed}: {smallest}"));
        }
        tried += u64::from(plan_of(seed, 4).is_some());
    }
    assert!(faults.is_empty(), "{} expressions\n{}", faults.len(), faults.join("\n"));
    assert!(tried > EXPRESSIONS / 2, "the engine plans only {tried} of them");
}
