//! SQL text to an analysed logical plan over stubs. The same code plans a researcher's query at home and a fragment at
//! its owner; only the catalog differs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{
    DFSchema, DataFusionError, Result as DfResult, SchemaError, TableReference, plan_datafusion_err, plan_err,
};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::prelude::SessionConfig;
use datafusion::sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast::{CastKind, DataType as SqlType, Expr as SqlExpr, Statement, Value};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;
use wanqu_model::refusal::{Code, Refusal};
use wanqu_sql::{Text, Unread};

use super::fold::fold_constants;
use super::stack::{self, with_room};
use super::weight;
use super::{Catalog, StubSource};
use crate::fault::known;
use crate::functions;
use crate::wanted;
use crate::words::planning_words;
use crate::workarounds::{self, NamedCasts};

/// Deeper nesting of expressions and queries than this is refused while the text is read, before it can exhaust a stack.
const RECURSION_LIMIT: usize = 128;

/// Parses a text that must be exactly one statement, and that a read-only query. The work of reading is bounded too.
///
/// # Errors
/// [`Code::Limit`] for a text that is too long, too deep or too much work to read; [`Code::InvalidSql`] and
/// [`Code::NotAQuery`] for what is no query.
pub fn parse_query(sql: &str, max_bytes: usize) -> Result<Statement, Refusal> {
    if sql.len() > max_bytes {
        return Err(Refusal::new(Code::Limit, format!("the SQL text has {} bytes", sql.len()))
            .with_rule(format!("a query's text has at most {max_bytes} bytes"))
            .with_remedy("load long lists as a registered public table and join it"));
    }
    let text = Text::new(sql).map_err(|unread| unread_query(&unread))?;
    let not_a_query = |what: &str| {
        Refusal::new(Code::NotAQuery, what.to_owned())
            .with_rule("a request is one SELECT statement")
            .with_remedy("send one query that begins with SELECT or WITH")
    };
    // Statements of other kinds are not even read.
    if text.first_keyword().is_some_and(|word| !QUERY_WORDS.contains(&word)) {
        return Err(not_a_query("the statement is not a query"));
    }
    let read = text.parse(RECURSION_LIMIT, |parser| {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token_ref().token == Token::EOF {
            return Ok(Err("the text holds no statement"));
        }
        let statement = parser.parse_statement()?;
        let ended = parser.consume_token(&Token::SemiColon);
        while parser.consume_token(&Token::SemiColon) {}
        match (ended, &parser.peek_token_ref().token) {
            (_, Token::EOF) if matches!(statement, Statement::Query(_)) => Ok(Ok(statement)),
            (_, Token::EOF) => Ok(Err("the statement is not a query")),
            (true, _) => Ok(Err("the text holds more than one statement")),
            (false, _) => parser.expected_ref("end of statement", parser.peek_token_ref()),
        }
    });
    read.map_err(|unread| unread_query(&unread))?.map_err(not_a_query)
}

/// Keywords that a query begins with, or a statement that its parser has better words for.
const QUERY_WORDS: [Keyword; 4] = [Keyword::SELECT, Keyword::WITH, Keyword::VALUES, Keyword::FROM];

/// Makes a refusal of a text that was not read.
fn unread_query(unread: &Unread) -> Refusal {
    match unread {
        Unread::Invalid(error) => {
            let error = DataFusionError::SQL(Box::new(error.clone()), None);
            let words = planning_words(&error).unwrap_or_else(|| "it is not a query of this dialect".to_owned());
            Refusal::new(Code::InvalidSql, format!("the SQL cannot be read: {words}"))
                .with_rule(unread.rule())
                .with_remedy(format!("{}; the page on SQL lists what is answered", unread.remedy()))
        }
        Unread::TooLong { .. } | Unread::TooDeep { .. } => {
            Refusal::new(Code::Limit, format!("the SQL cannot be read: {unread}"))
                .with_rule(unread.rule())
                .with_remedy(unread.remedy())
        }
    }
}

/// Returns the functions, planners and options that every plan here is made with. It holds no table.
#[must_use]
pub fn planning_state() -> &'static SessionState {
    static STATE: LazyLock<SessionState> = LazyLock::new(|| {
        let mut config = SessionConfig::new().with_information_schema(false);
        // Scalar subqueries become joins, so that one mechanism places them: the other way keeps a subquery inside an
        // expression, which runs where its operator runs. That it has one row is checked by an aggregate over it.
        config.options_mut().optimizer.enable_physical_uncorrelated_scalar_subquery = false;
        config.options_mut().sql_parser.parse_float_as_decimal = true;
        let types = Arc::new(super::timestamps::Microseconds);
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_default_features()
            .with_type_planner(types)
            .with_optimizer_rules(workarounds::optimiser_rules())
            .build();
        functions::register(&mut state).expect("a session takes functions");
        state.register_expr_planner(Arc::new(super::operators::Operators)).expect("a session takes operators");
        state
    });
    &STATE
}

/// Reads an expression over the columns of `schema`, as a mapping is.
///
/// # Errors
/// The fault of the text.
pub fn parse_expression(text: &str, schema: &DFSchema) -> DfResult<Expr> {
    let read = Text::new(text).and_then(|text| {
        text.parse(RECURSION_LIMIT, |parser| {
            let read = parser.parse_expr_with_alias()?;
            match &parser.peek_token_ref().token {
                Token::EOF => Ok(read),
                _ => parser.expected_ref("end of expression", parser.peek_token_ref()),
            }
        })
    });
    let mut read = read.map_err(|unread| plan_datafusion_err!("{unread}; {}", unread.remedy()))?;
    workarounds::prepare_expression(&mut read.expr).map_err(|r| plan_datafusion_err!("{}", r.message))?;
    let expr = planning_state().create_logical_expr_from_sql_expr(read, schema)?;
    super::analysis::settle_text(expr, schema)
}

/// The planner's options: a number with a point is a decimal. One with an exponent has become a CAST to a float by then.
pub(super) fn parsed_numbers() -> ParserOptions {
    ParserOptions::new().with_parse_float_as_decimal(true)
}

impl Catalog {
    /// Plans one query against this catalog: names resolved, types coerced, constants folded, nothing else optimised.
    pub fn plan(&self, sql: &str, max_bytes: usize) -> Result<LogicalPlan, Refusal> {
        // The engine's rules are many, and some panic on plans that nobody thought of: a text must never stop a node.
        let planned = with_room(|| catch_unwind(AssertUnwindSafe(|| self.plan_with_room(sql, max_bytes))));
        planned.unwrap_or_else(|_| {
            Err(Refusal::new(Code::InvalidSql, "the query cannot be planned")
                .with_rule("a query is answered only if the engine can plan it as it is meant")
                .with_remedy("take the query apart to find the part that it fails on, and write that in another form"))
        })
    }

    /// Returns the columns of a table by the parts of its name; none for a name of something else.
    fn columns_of(&self, name: &[String]) -> Vec<String> {
        let [catalog, domain, table] = name else { return vec![] };
        let table = self.table(catalog, domain, table);
        table.map_or_else(Vec::new, |table| table.schema.fields().iter().map(|field| field.name().clone()).collect())
    }

    fn plan_with_room(&self, sql: &str, max_bytes: usize) -> Result<LogicalPlan, Refusal> {
        wanted::check()?;
        let mut statement = parse_query(sql, max_bytes)?;
        stack::check_statement(&statement)?;
        weight::check_statement(&statement)?;
        workarounds::prepare_statement(&mut statement)?;
        workarounds::tell_tables_from_columns(&mut statement, |name| self.columns_of(name));
        workarounds::name_order_keys(
            &mut statement,
            |name| self.columns_of(name),
            |name| planning_state().aggregate_functions().contains_key(name),
        )?;
        workarounds::part_from_aggregates(&mut statement, |name| {
            planning_state().aggregate_functions().contains_key(name)
        });
        let qualified = workarounds::Qualified::of(&statement);
        workarounds::name_merged_keys(&mut statement);
        let mut names = Names { catalog: self, state: planning_state(), casts: NamedCasts::default() };
        names.casts =
            workarounds::name_casts(&mut statement, |data_type| names.field(data_type)).map_err(planning_error)?;
        let plan = SqlToRel::new_with_options(&names, parsed_numbers())
            .sql_statement_to_plan(statement)
            .map_err(planning_error)?;
        weight::check_plan(&plan)?;
        let plan = workarounds::casts_again(plan).map_err(planning_error)?;
        workarounds::check_reach(&plan)?;
        let plan = workarounds::merge_keys(plan, &qualified)?;
        let plan = plan.and_then(workarounds::number_copies).and_then(workarounds::check_one_row);
        let plan = plan
            .and_then(super::analysis::analyse_text)
            .and_then(|plan| functions::check_intervals(&plan).map(|()| plan))
            .and_then(|plan| functions::kept_right(plan, fold_constants))
            .and_then(workarounds::without_true_having)
            .map_err(planning_error)?;
        functions::check_positions(&plan).map_err(planning_error)?;
        stack::check_plan(&plan)?;
        Ok(plan)
    }
}

/// Returns true for the table that a recursive query reads its last rows from.
#[must_use]
pub fn is_work_table(source: &Arc<dyn TableSource>) -> bool {
    source_as_provider(source).is_ok_and(|provider| provider.downcast_ref::<CteWorkTable>().is_some())
}

/// Makes a refusal of an error of planning, which is about the text and the catalog alone: no data has been read.
#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn planning_error(error: DataFusionError) -> Refusal {
    if let Some(refusal) = known(&error) {
        return refusal;
    }
    let code = match error.find_root() {
        DataFusionError::SchemaError(..) => Code::UnknownName,
        DataFusionError::Plan(text) if text.contains("not found") => Code::UnknownName,
        _ => Code::InvalidSql,
    };
    let Some(words) = planning_words(&error) else {
        tracing::debug!(error = %error.strip_backtrace(), "a query cannot be planned");
        return Refusal::new(code, "the query cannot be planned")
            .with_rule("a query is answered only if the engine can plan it as it is meant")
            .with_remedy("take the query apart to find the part that it fails on, and write that in another form");
    };
    let (rule, remedy) = advice(error.find_root(), &words, code);
    Refusal::new(code, format!("the query cannot be planned: {words}")).with_rule(rule).with_remedy(remedy)
}

/// Returns the rule that a text breaks, and what to write instead.
fn advice(root: &DataFusionError, words: &str, code: Code) -> (&'static str, &'static str) {
    match root {
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::AmbiguousReference { .. } => {
                ("a column's name stands for one column", "write the table's alias before the column, as in a.x")
            }
            SchemaError::DuplicateQualifiedField { .. } | SchemaError::DuplicateUnqualifiedField { .. } => {
                ("every table and column of a query has a name of its own", "give each an alias of its own with AS")
            }
            SchemaError::FieldNotFound { .. } => KNOWN_NAMES,
        },
        _ if code == Code::UnknownName => KNOWN_NAMES,
        DataFusionError::Plan(_) if words.contains("unique expression names") => {
            ("every column of a query has a name of its own", "give each an alias of its own with AS")
        }
        _ if words.contains("no function") || words.contains("Invalid function") => (
            "a function is one of the dialect, and takes values of its own types",
            "CAST an argument whose type does not fit; the page on SQL lists what is answered",
        ),
        DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
            ArrowError::CastError(_) | ArrowError::ParseError(_) => {
                ("a constant has a value of its type", "correct the constant, or use TRY_CAST where it may have none")
            }
            ArrowError::DivideByZero => ("a divisor is not zero", "correct the divisor, or write NULLIF(divisor, 0)"),
            _ => ("an expression of constants has a result", "correct the constants of the part that is named"),
        },
        _ => ("names, types and clauses of a query fit together", "correct the part that is named, or CAST it"),
    }
}

/// The rule about names, and what to do.
const KNOWN_NAMES: (&str, &str) = (
    "a query names tables and columns of the catalog",
    "`wanqu catalog` lists the tables and columns that can be named",
);

/// Resolves the names of one catalog for DataFusion's SQL planner.
pub(super) struct Names<'a> {
    pub catalog: &'a Catalog,
    pub state: &'a SessionState,
    pub casts: NamedCasts,
}

impl Names<'_> {
    /// Returns the field of values that are cast to a type of SQL.
    fn field(&self, data_type: &SqlType) -> DfResult<FieldRef> {
        let null = Box::new(SqlExpr::value(Value::Null));
        let cast = SqlExpr::Cast {
            kind: CastKind::Cast,
            expr: null,
            data_type: data_type.clone(),
            array: false,
            format: None,
        };
        let planned = SqlToRel::new(self).sql_to_expr(cast, &DFSchema::empty(), &mut PlannerContext::new())?;
        let Expr::Cast(cast) = planned else { return plan_err!("{data_type} is no type that values are cast to") };
        Ok(cast.field)
    }
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> DfResult<Arc<dyn TableSource>> {
        let table = match &name {
            TableReference::Full { catalog, schema, table } => self.catalog.table(catalog, schema, table),
            _ => None,
        };
        table.map(|table| Arc::new(StubSource(table)) as Arc<dyn TableSource>).ok_or_else(|| {
            plan_datafusion_err!("table '{name}' not found; a table's name has three parts, such as gba.health.visits")
        })
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> DfResult<Arc<dyn TableSource>> {
        if !self.catalog.recursive {
            return plan_err!("a recursive query runs at the home node, not at an owner");
        }
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(super::timestamps::Microseconds))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned().or_else(|| self.casts.function(name))
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
