use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringViewArray};
use datafusion::logical_expr::{col, lit};
use wanqu_model::refusal::{Code, Refusal};

use super::*;

fn macau() -> JurisdictionId {
    "MO".parse().unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from(values.to_vec()))
}

fn counts(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// A release with these columns, called a, b, and so on.
fn release(columns: &[ArrayRef]) -> RecordBatch {
    let named = columns.iter().zip(["a", "b", "c"]).map(|(column, name)| (name, Arc::clone(column), true));
    RecordBatch::try_from_iter_with_nullable(named).unwrap()
}

fn judged(promise: Promise, batches: &[RecordBatch]) -> Result<(), Refusal> {
    let mut check = Check::new(Arc::new(promise), macau(), &batches[0].schema());
    batches.iter().try_for_each(|batch| check.batch(batch))
}

/// The rule that a release breaks; `None` if it keeps all.
fn broken(promise: Promise, batches: &[RecordBatch]) -> Option<String> {
    let refusal = judged(promise, batches).err()?;
    assert_eq!((refusal.code, refusal.owner), (Code::ReleaseShape, Some(macau())));
    Some(refusal.rule.unwrap())
}

fn with(rule: Rule) -> Promise {
    Promise { rules: vec![rule], ..Promise::default() }
}

#[test]
fn an_owner_speaks_for_itself_alone() {
    let rule = |or_null| with(Rule::Jurisdiction { column: 0, or_null });
    assert_eq!(broken(rule(false), &[release(&[texts(&[Some("MO"), Some("MO")])])]), None);
    for others in [Some("HK"), Some("mo"), Some("MO "), Some(""), Some("МO"), None] {
        let found = broken(rule(false), &[release(&[texts(&[Some("MO"), others])])]);
        assert_eq!(found.as_deref(), Some("an owner releases rows of its own jurisdiction only"), "{others:?}");
    }
    assert_eq!(broken(rule(true), &[release(&[texts(&[Some("MO"), None])])]), None);
    assert!(broken(rule(true), &[release(&[texts(&[Some("HK")])])]).is_some());
}

#[test]
fn a_group_comes_once_over_all_batches() {
    let keys = |keys| Promise { keys: Some(keys), ..Promise::default() };
    let one = release(&[texts(&[Some("a"), None]), counts(&[Some(1), Some(1)])]);
    let two = release(&[texts(&[Some("b")]), counts(&[Some(1)])]);
    assert_eq!(broken(keys(1), &[one.clone(), two.clone()]), None);
    let again = "an owner releases each group once";
    assert_eq!(broken(keys(1), &[one.clone(), two.clone(), one.clone()]).as_deref(), Some(again));
    let twice = release(&[texts(&[None, Some("x"), None]), counts(&[Some(1); 3])]);
    assert_eq!(broken(keys(1), std::slice::from_ref(&twice)).as_deref(), Some(again), "NULL is a group, too");
    assert_eq!(broken(keys(2), &[twice]).as_deref(), Some(again));
    assert_eq!(broken(Promise::default(), &[one.clone(), one.clone()]), None, "rows may repeat");
    let total = Some("an aggregate without GROUP BY has one row".to_owned());
    assert_eq!(broken(keys(0), std::slice::from_ref(&two)), None);
    assert_eq!(broken(keys(0), std::slice::from_ref(&one)), total);
    assert_eq!(broken(keys(0), &[two.clone(), two]), total);
    let mut check = Check::new(Arc::new(keys(1)), macau(), &one.schema());
    check.batch(&one).unwrap();
    assert!(check.bytes() >= 2 * 48, "what is kept in mind is counted");
}

#[test]
fn counts_are_numbers_of_something() {
    let found = |values: &[Option<i64>]| broken(with(Rule::Count(0)), &[release(&[counts(values)])]);
    assert_eq!(found(&[Some(0), Some(i64::MAX)]), None);
    for wrong in [Some(-1), Some(i64::MIN), None] {
        assert_eq!(found(&[Some(1), wrong]).as_deref(), Some("a count is 0 or more, and never NULL"), "{wrong:?}");
    }
    let part = |some, all| {
        broken(with(Rule::Part { some: 0, all: 1 }), &[release(&[counts(&[Some(some)]), counts(&[Some(all)])])])
    };
    assert_eq!((part(3, 3), part(0, 3)), (None, None));
    assert_eq!(part(4, 3).as_deref(), Some("a count of some rows is no larger than the count of all rows"));
}

#[test]
fn a_number_of_all_rows_that_may_be_withheld_bounds_no_part() {
    let part = Rule::Part { some: 0, all: 1 };
    for (owner, found) in [("MO", None), ("HK", Some("a count of some rows is no larger than the count of all rows"))] {
        let withheld = Withheld { together: vec![vec![0], vec![1]], owners: [owner.parse().unwrap()].into() };
        let promise = || Promise { withheld: withheld.clone(), ..with(part.clone()) };
        for all in [None, Some(3)] {
            let release = release(&[counts(&[Some(4)]), counts(&[all])]);
            assert_eq!(broken(promise(), &[release]).as_deref(), found, "{owner}, {all:?}");
        }
    }
}

/// A promise of a count in column 0 and a sum in column 1 that may be withheld together.
fn withholding(owner: &str) -> Promise {
    let withheld = Withheld { together: vec![vec![0]], owners: [owner.parse().unwrap()].into() };
    Promise { rules: vec![Rule::Count(0), Rule::Empty { count: 0, value: 1 }], withheld, ..Promise::default() }
}

#[test]
fn a_count_is_null_only_of_an_owner_that_may_withhold_it() {
    let rows = |count, sum| [release(&[counts(&[Some(7), count]), counts(&[Some(70), sum])])];
    assert_eq!(broken(withholding("MO"), &rows(None, None)), None);
    assert_eq!(broken(withholding("MO"), &rows(Some(0), None)), None);
    let found = broken(withholding("HK"), &rows(None, None));
    assert_eq!(found.as_deref(), Some("a count is 0 or more, and never NULL"));
    let found = broken(withholding("MO"), &rows(Some(-1), None));
    assert_eq!(found.as_deref(), Some("a count is 0 or more, or NULL where it is withheld"));
    // A sum without its count would weigh an average that does not count it.
    let found = broken(withholding("MO"), &rows(None, Some(5)));
    assert_eq!(found.as_deref(), Some("an aggregate over no value is NULL, and so is one whose count is withheld"));
}

#[test]
fn a_row_lacks_a_set_of_which_every_column_is_null() {
    let withheld = Withheld { together: vec![vec![0, 1], vec![2]], ..Withheld::default() };
    let columns = [
        counts(&[Some(1), None, None, Some(1)]),
        counts(&[None, Some(1), None, Some(1)]),
        counts(&[Some(1), Some(1), Some(1), None]),
    ];
    assert_eq!(withheld.lacking(&release(&columns)), [false, false, true, true]);
    assert_eq!(
        withheld.condition(|index| col(["a", "b", "c"][index])).unwrap().to_string(),
        "a IS NULL AND b IS NULL OR c IS NULL"
    );
    assert!(Withheld::default().condition(|_| col("a")).is_none());
}

#[test]
fn aggregates_of_the_same_values_fit_together() {
    let sum = |value: Option<i128>| -> ArrayRef { Arc::new(Decimal128Array::from(vec![value])) };
    let empty = |count, value, rounded: bool| {
        let rounded = if rounded { [macau()].into() } else { BTreeSet::new() };
        let promise = Promise { rounded, ..with(Rule::Empty { count: 0, value: 1 }) };
        broken(promise, &[release(&[counts(&[Some(count)]), sum(value)])])
    };
    assert_eq!((empty(0, None, false), empty(2, Some(0), false), empty(2, None, false)), (None, None, None));
    let rule = "an aggregate over no value is NULL, and so is one whose count is withheld";
    assert_eq!(empty(0, Some(5), false).as_deref(), Some(rule));
    assert_eq!(empty(0, Some(5), true), None, "a rounded 0 can be some");

    let squares = |value: f64| -> Option<String> {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![Some(value), None]));
        broken(with(Rule::NotNegative(0)), &[release(&[column])])
    };
    assert_eq!((squares(0.0), squares(-0.0), squares(f64::NAN), squares(f64::INFINITY)), (None, None, None, None));
    assert_eq!(squares(-1e-300).as_deref(), Some("what is made of squares is not negative"));

    let ordered = |least, greatest| {
        let columns = [counts(&[least]), counts(&[greatest])];
        broken(with(Rule::Ordered { least: 0, greatest: 1 }), &[release(&columns)])
    };
    assert_eq!((ordered(Some(1), Some(1)), ordered(None, None), ordered(Some(-3), Some(2))), (None, None, None));
    assert_eq!(ordered(Some(2), Some(1)).as_deref(), Some("a minimum is not above the maximum of the same values"));
}

#[test]
fn groups_are_among_those_that_were_asked_for() {
    let asked = col("a").in_list(vec![lit("x"), lit("y")], false);
    let found = |value| broken(with(Rule::Asked(asked.clone())), &[release(&[texts(&[Some("x"), value])])]);
    assert_eq!(found(Some("y")), None);
    for other in [Some("z"), Some("x "), None] {
        assert_eq!(
            found(other).as_deref(),
            Some("an owner releases the groups that were asked for, and no others"),
            "{other:?}"
        );
    }
}

#[test]
fn texts_are_bounded() {
    let text = "x".repeat(MAX_CELL_TEXT);
    let long = format!("{text}x");
    let batch = |text: &str| [release(&[texts(&[Some(text)])])];
    assert_eq!(broken(Promise::default(), &batch(&text)), None);
    assert_eq!(broken(Promise::default(), &batch(&long)).as_deref(), Some("a text of a release is of bounded length"));
    assert_eq!(broken(Promise { public: true, ..Promise::default() }, &batch(&long)), None);
}

#[test]
fn a_broken_rule_is_told_without_a_value() {
    let refusal =
        judged(with(Rule::Jurisdiction { column: 0, or_null: false }), &[release(&[texts(&[Some("CANARY")])])]);
    let refusal = refusal.unwrap_err();
    assert!(!refusal.to_string().contains("CANARY"), "{refusal}");
    assert!(refusal.message.contains("MO") && refusal.remedy.is_some() && refusal.subject.is_some(), "{refusal}");
}
