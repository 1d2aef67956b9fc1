//! The page of constructs, in two languages.

use std::fmt::Write;

use super::{State, States, TABLES, TOPICS};

/// The language of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese.
    Chinese,
}

const ENGLISH: &str = "# SQL: what is answered

English | [简体中文](sql.zh-CN.md)

The dialect is DataFusion's, which follows PostgreSQL. This page is made by asking every example of a federation of three
nodes (`just sql-page`); what is answered is held against DuckDB's answer.

- **answered**: the answer is the one that a single engine over all rows would give.
- **refused**: a rule forbids it; the refusal names the rule and the nearest query that passes. The code is given here.
- **not supported**: the construct is not part of the dialect.
- **a fault**: it fails, or its answer is not DuckDB's. The tests do not pass while there is one.

A cast to a type of fewer digits rounds as PostgreSQL does: decimals half away from zero, floats to whole numbers half to even.
A value that does not fit into the type is refused over public rows, and is NULL over protected ones and with `TRY_CAST`. Text
with a fraction is no whole number: `CAST('2.5' AS INTEGER)` is refused. Inside an aggregate over protected rows no value is left out
because it is large: `count(n + 1)` counts every row that has an `n`, as `count(n)` does, and a sum is NULL where it does not fit.
`x << n` is `x` times 2 to the power of `n`, and refused where that does not fit; `n` is from 0 to below the width of `x`.

Floats go by IEEE 754: what is too large is infinite, such as `exp(1000)`, and so is a float divided by zero. A function is refused over
public rows and released values where PostgreSQL says that it has no value: `ln(0)`, `sqrt(-1)`, `acos(2)`, `power(0, -1)`,
`power(-8, 0.5)`, `sin` of an infinite number, `factorial(21)`; over protected rows, where few functions are allowed, one that has no
value is NULL. Write `CASE WHEN x > 0 THEN ln(x) END`, or `x > 0 AND ln(x) < 1`: what a condition beside it keeps out is not computed.

A number with a point is a decimal of the digits that it is written with, at most 38, and so is an integer beyond 64 bits: `0.1 + 0.2 = 0.3`
is true. With an exponent, as in `1e3`, it is a float (`DOUBLE`), as in DuckDB. Beside a float a decimal becomes a float, in arithmetic and compared; decimals
and integers are compared exactly, whatever their digits. `+ - * %` of decimals and integers are exact; over public rows a
result of more than 38 digits is refused, over protected ones arithmetic that could have one. `/` of a column of decimals has four
digits more than the column, rounded half away from zero. A quotient in which a number with a point is written, as in `100.0 * count(*) / 3` or `sum(m) / 2.0`, is a float,
also where the number is written in a derived table; so is the average of such values. CAST the number to a `DECIMAL` for a decimal quotient.

A day or a time is not compared with a number: `d > 2020` is refused. `extract(second FROM ts)` and `millisecond` are whole
numbers, as in DuckDB; `microsecond` has all digits. A `TIMESTAMP` has no zone, and one that is written in it is refused
unless it is UTC. The median of decimals has one digit more than they have.

In the examples `t` (public) and `p` (protected) are common tables of three jurisdictions with the columns `id`, `n`, `i`
(whole numbers), `f`, `x` (floats), `m`, `w` (decimals), `s`, `g` (texts), `b` (true or false), `d` (a day) and `ts` (a time).
In `p`, `id` is the privacy unit, `n`, `f`, `x`, `m` and `w` are measures, and the others dimensions. `k` (columns `k`, `v`, `s`)
and `o` (`k`, `z`) are public tables of one jurisdiction. The rule is one of one unit, so that every cell is released.
Where a cell needs several units, less is answered over protected rows: [what is not allowed there](architecture.md#admission-and-the-gate).

Over protected rows, a group with enough people has its row. A value with a condition (FILTER, CASE, or an argument that can be
NULL: `avg(x)`, `count(x)`) is NULL there if the condition, with those of the values released before it, leaves some part of the group with
a few people, or if nobody or everybody of the group meets it. A statistic of a measure is NULL where few people add most of it, or where it
has few values: [what is withheld](disclosure.md). Ask for the values that matter most first. Rows that lack such a value of a jurisdiction are marked with
`--mark-incomplete`, like rows of which a jurisdiction released nothing. What is made of it goes by the logic of NULL, counts
included: [values that are withheld](queries.md#values-that-are-withheld).
";

const CHINESE: &str = "# SQL：支持哪些写法

[English](sql.md) | 简体中文

方言是 DataFusion 的，遵循 PostgreSQL。本页由程序生成：把每个例句提交给三个节点组成的联邦（`just sql-page`），有应答的再与 DuckDB 的结果比对。

- **应答**：结果与单个引擎在全部记录上的结果相同。
- **拒绝**：有规则不允许；拒绝信息会写明是哪条规则，以及最接近的可以通过的查询。这里给出代码。
- **不支持**：方言里没有这种写法。
- **有缺陷**：查询失败，或结果与 DuckDB 不同。只要还有一处，测试就不会通过。

转换到位数更少的类型时，舍入方式与 PostgreSQL 相同：定点小数四舍五入（远离零），浮点数转整数时取最近的偶数。值放不进目标类型时，公开记录上的查询被拒绝，受保护的记录上以及用 `TRY_CAST` 时得到 NULL。带小数部分的文本不是整数：`CAST('2.5' AS INTEGER)` 被拒绝。在受保护的记录上，聚合函数的参数不会因为值太大而漏计：`count(n + 1)` 与 `count(n)` 一样，统计 `n` 有值的每条记录；总和放不下时为 NULL。`x << n` 是 `x` 乘以 2 的 `n` 次方，放不下时被拒绝；`n` 从 0 起，小于 `x` 的位数。

浮点数遵循 IEEE 754：太大的结果是无穷大（如 `exp(1000)`），浮点数除以零也是。按 PostgreSQL 没有值的函数调用，如 `ln(0)`、`sqrt(-1)`、`acos(2)`、`power(0, -1)`、`power(-8, 0.5)`、无穷大的 `sin`、`factorial(21)`，在公开记录和已放行的值上被拒绝；受保护的记录上允许的函数很少，没有值时为 NULL。可以写 `CASE WHEN x > 0 THEN ln(x) END` 或 `x > 0 AND ln(x) < 1`：被旁边的条件排除的行不参与计算。

带小数点的数是定点小数，位数与书写一致，最多 38 位；超出 64 位的整数也是：`0.1 + 0.2 = 0.3` 为真。带指数的数（如 `1e3`）是浮点数（`DOUBLE`），与 DuckDB 相同。定点小数与浮点数一起运算或比较时变为浮点数；定点小数与整数之间的比较总是精确的，不论位数。定点小数与整数的 `+ - * %` 是精确的；公开记录上，结果超过 38 位的查询被拒绝；受保护的记录上，结果可能超过 38 位的运算被拒绝。定点小数列的 `/` 比该列多四位小数，四舍五入（远离零）。写有带小数点的数的商（如 `100.0 * count(*) / 3`、`sum(m) / 2.0`）是浮点数，即使这个数写在派生表里；这类值的平均数也是。需要定点小数的商时，请把该数 CAST 为 `DECIMAL`。

日期和时间不能与数比较：`d > 2020` 被拒绝。`extract(second FROM ts)` 和 `millisecond` 是整数，与 DuckDB 相同；`microsecond` 含全部小数位。`TIMESTAMP` 没有时区，写了 UTC 以外的时区会被拒绝。定点小数的中位数比原数多一位小数。

例句中的 `t`（公开）和 `p`（受保护）是三个法域的统一表，列有 `id`、`n`、`i`（整数），`f`、`x`（浮点数），`m`、`w`（定点小数），`s`、`g`（文本），`b`（真值），`d`（日期）和 `ts`（时间）。在 `p` 中，`id` 是隐私单元，`n`、`f`、`x`、`m`、`w` 是度量，其余为维度。`k`（列 `k`、`v`、`s`）和 `o`（列 `k`、`z`）是单个法域的公开表。披露规则的人数下限为一，因此所有单元格都会放行。下限大于一时，受保护行上能得到应答的写法更少，见[不允许的写法](architecture.md#admission-and-the-gate)（英文）。

在受保护的行上，人数足够的组一定有一行。带条件的值（FILTER、CASE，或可为 NULL 的参数，如 `avg(x)`、`count(x)`），如果其条件连同它之前已放行的各值的条件，会使组内某个部分只剩少数人，或者组内无人满足、人人满足该条件，该值就是 NULL。度量的统计量若大部分来自少数人，或取值很少，也是 NULL：见[扣留什么](disclosure.zh-CN.md)。请把最需要的值写在前面。某个法域保留了这种值的行，与某个法域没有放行的行一样，用 `--mark-incomplete` 标出。由它算出的值遵循 NULL 的逻辑，计数也不例外，见[保留的值](queries.md#values-that-are-withheld)（英文）。
";

/// The page for the states of all constructs, in the order of [`TOPICS`].
#[must_use]
pub fn page(states: &[States], language: Language) -> String {
    let english = language == Language::English;
    let mut text = if english { ENGLISH } else { CHINESE }.to_owned();
    let mut states = states.iter();
    for topic in TOPICS {
        let (heading, columns) = if english {
            (topic.name, "| construct | over public rows | over protected rows |")
        } else {
            (topic.zh, "| 写法 | 公开记录 | 受保护的记录 |")
        };
        let _ = writeln!(text, "\n## {heading}\n\n{columns}\n|---|---|---|");
        for construct in topic.constructs {
            let Some([public, protected]) = states.next() else { continue };
            let name = if english { construct.name } else { construct.zh };
            let public = cell(*public, construct.public, language);
            let protected = cell(*protected, construct.protected, language);
            let _ = writeln!(text, "| {name} | {public} | {protected} |");
        }
    }
    text
}

fn cell(state: State, example: &str, language: Language) -> String {
    let example = shown(example);
    match (state, language) {
        (State::Answered, Language::English) => format!("answered: `{example}`"),
        (State::Answered, Language::Chinese) => format!("应答：`{example}`"),
        (State::Refused(code), Language::English) => format!("refused (`{code}`): `{example}`"),
        (State::Refused(code), Language::Chinese) => format!("拒绝（`{code}`）：`{example}`"),
        (State::Unsupported(code), Language::English) => format!("not supported (`{code}`): `{example}`"),
        (State::Unsupported(code), Language::Chinese) => format!("不支持（`{code}`）：`{example}`"),
        (State::Faulty, Language::English) => format!("**a fault**: `{example}`"),
        (State::Faulty, Language::Chinese) => format!("**有缺陷**：`{example}`"),
    }
}

/// An example as the page shows it. A bar would end the cell of the table.
fn shown(example: &str) -> String {
    let short = TABLES.iter().fold(example.to_owned(), |sql, (short, _)| sql.replace(short, &short[1..]));
    short.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_construct_has_a_line_in_both_languages() {
        let constructs = TOPICS.iter().map(|topic| topic.constructs.len()).sum();
        let states = vec![[State::Answered; 2]; constructs];
        for language in [Language::English, Language::Chinese] {
            let lines = page(&states, language).lines().filter(|line| line.starts_with("| ")).count();
            assert_eq!(lines, constructs + TOPICS.len(), "{language:?}");
        }
        assert!(shown("SELECT a || b FROM @t JOIN @one").ends_with("a \\|\\| b FROM t JOIN one"));
    }
}
