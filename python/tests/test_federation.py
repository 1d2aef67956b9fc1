"""Questions to a gateway, whose address, token and authority are in the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow
import pytest

import wanqu

if TYPE_CHECKING:
    from collections.abc import Iterator

VISITS = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits GROUP BY jurisdiction ORDER BY jurisdiction"


@pytest.fixture
def federation() -> Iterator[wanqu.Connection]:
    """Connect as a researcher of the project."""
    with wanqu.connect(project="capacity", purpose="health-planning") as connection:
        yield connection


def test_an_answer_has_rows_and_an_account(federation: wanqu.Connection) -> None:
    answer = federation.sql(VISITS)
    assert answer.to_arrow().schema.names == ["jurisdiction", "n"]
    assert answer.to_pandas()["n"].sum() == answer.to_polars()["n"].sum() == sum(row["n"] for row in answer.rows())
    account = answer.account
    assert account is not None
    assert account.rows == len(answer) == 3
    assert [outcome.jurisdiction for outcome in account.outcomes] == ["CN-SZ", "HK", "MO"]
    assert all(outcome.min_units == 4 and not outcome.missing for outcome in account.outcomes)


def test_progress_is_told_while_a_query_runs(federation: wanqu.Connection) -> None:
    parts: list[float] = []
    sql = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits WHERE emergency = ? GROUP BY jurisdiction"
    answer = federation.sql(sql, [False], progress=parts.append)
    assert parts[-1] == 1
    assert all(0 <= part <= 1 for part in parts)
    assert sorted(map(str, answer.rows())) == sorted(map(str, federation.sql(sql, [False]).rows()))
    with pytest.raises(wanqu.NotPermittedError) as caught:
        federation.sql("SELECT * FROM gba.health.visits LIMIT 200", progress=parts.append)
    assert caught.value.remedy


def test_values_are_bound_as_they_are(federation: wanqu.Connection) -> None:
    sql = "SELECT facility FROM gba.health.facilities WHERE facility = ? AND beds > ?"
    for facility, found in [("HK-01", 1), ("'; DROP TABLE x; --", 0)]:
        assert len(federation.sql(sql, [facility, 0])) == found


def test_rows_that_may_lack_a_part_are_marked() -> None:
    sql = "SELECT specialty, count(*) AS n, avg(cost) AS cost FROM gba.health.visits GROUP BY specialty ORDER BY 1"
    with wanqu.connect(project="capacity", purpose="health-planning", mark_incomplete=True) as federation:
        answer = federation.sql(sql)
    marked = sum(row["may_lack_a_part"] for row in answer.rows())
    assert answer.account is not None
    assert marked == answer.account.rows_lacking
    assert marked > 0
    html = answer._repr_html_()
    assert html.count("<td>") == 3 * len(answer)
    assert html.count(" †</td>") == marked
    assert "may lack a part" in html


@pytest.mark.parametrize(
    ("sql", "kind", "code", "remedy"),
    [
        ("SELECT * FROM gba.health.visits LIMIT 200", wanqu.NotPermittedError, "not-an-aggregate", "count(*)"),
        ("SELECT patient FROM gba.health.visits", wanqu.NotPermittedError, None, None),
        ("SELECT nothing FROM gba.health.visits", wanqu.QueryError, "unknown-name", None),
        ("SELECT FROM WHERE", wanqu.QueryError, None, None),
        ("DELETE FROM gba.health.visits", wanqu.QueryError, "not-a-query", None),
    ],
)
def test_a_refusal_is_an_error_with_its_parts(
    federation: wanqu.Connection,
    sql: str,
    kind: type[wanqu.RefusalError],
    code: str | None,
    remedy: str | None,
) -> None:
    with pytest.raises(kind) as caught:
        federation.sql(sql)
    assert code in (None, caught.value.code)
    assert caught.value.remedy
    assert (remedy or "") in caught.value.remedy
    assert caught.value.rule
    assert str(caught.value).startswith(caught.value.refusal.message)


def test_who_asks_for_what_is_checked() -> None:
    with pytest.raises(wanqu.IdentityError) as caught:
        wanqu.connect(token="x.y.z").sql("SELECT 1 AS one")  # noqa: S106
    assert caught.value.remedy
    with wanqu.connect() as federation, pytest.raises(wanqu.NotPermittedError) as other:
        federation.sql(VISITS)
    assert other.value.code in ("requester", "no-agreement")


def test_what_is_not_given_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANQU_GATEWAY")
    with pytest.raises(ValueError, match="WANQU_GATEWAY"):
        wanqu.connect()


def test_a_question_is_explained_without_being_asked(federation: wanqu.Connection) -> None:
    assert "visits" in federation.explain(VISITS)
    assert len(federation.explain_policy("SELECT patient FROM gba.health.visits")) > 0
    assert federation.columns(VISITS).field("n").type == pyarrow.int64()


def test_the_catalog_is_a_table_of_columns(federation: wanqu.Connection) -> None:
    columns = {(row["catalog"], row["table"], row["column"]): row for row in federation.catalog().rows()}
    assert columns["gba", "visits", "patient"]["class"] == "identifier"
    assert columns["gba", "visits", "cost"]["type"] == "decimal(12,2)"
    assert {("hongkong", "visits"), ("gba", "facilities")} <= {(catalog, table) for catalog, table, _ in columns}
