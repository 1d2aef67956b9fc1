"""Questions that are answered, at a gateway of a running federation."""

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import Federation

import wanqu

CELLS = """SELECT jurisdiction, specialty, count(*) AS visits, avg(cost_cny) AS cost
FROM gba.health.visits GROUP BY jurisdiction, specialty ORDER BY jurisdiction, specialty"""
BY_SPECIALTY = "SELECT specialty, count(*) AS visits FROM gba.health.visits GROUP BY specialty ORDER BY specialty"
MEMBERS = ("CN-SZ", "HK", "MO")


def test_an_answer_is_the_same_in_every_form(connection: wanqu.Connection) -> None:
    result = connection.sql(CELLS)
    table = result.to_arrow()
    assert len(result) == table.num_rows > 30
    assert result.schema == table.schema
    assert table.schema.names == ["jurisdiction", "specialty", "visits", "cost"]
    assert table.schema.field("specialty").type == pa.string()
    assert table.schema.field("cost").type == pa.decimal128(16, 6)
    rows = table.to_pylist()
    assert result.to_pylist() == rows
    assert result.to_pandas().to_dict("records") == rows
    assert result.to_polars().to_dicts() == rows
    assert isinstance(result.to_pandas(types_mapper=pd.ArrowDtype), pd.DataFrame)
    assert pa.Table.from_batches(connection.sql(CELLS)).to_pylist() == rows
    assert pl.DataFrame(pa.table(connection.sql(CELLS))).equals(result.to_polars())
    assert str(result.query_id) in repr(result)


def test_an_account_has_owners_and_rules(connection: wanqu.Connection) -> None:
    result = connection.sql(CELLS)
    account = result.account
    assert account.query_id == result.query_id
    assert account.owners == MEMBERS
    assert account.rows == len(result)
    assert account.expires is not None
    assert account.expires > dt.datetime.now(dt.UTC)
    for outcome in account.outcomes:
        (release,) = outcome.releases
        assert (release.owner, release.min_units, release.may_hide_cells) == (outcome.jurisdiction, 10, True)
        assert "gba" in release.policies
        assert len(release.audit_digest) == 64
        assert release.rule.startswith("at least 10 units")
    assert sum(outcome.rows for outcome in account.outcomes) == len(result)
    assert account.rows_may_be_absent
    assert any(note.startswith("rows may be absent") for note in account.notes)


def test_owners_are_asked_once_however_often_rows_are_fetched(connection: wanqu.Connection) -> None:
    result = connection.sql(BY_SPECIALTY)
    first = [batch.to_pylist() for batch in result]
    account = result.account
    assert [batch.to_pylist() for batch in result] == first
    assert result.account == account
    later = connection.sql(BY_SPECIALTY).account
    # The log of the home node has an entry for each fetch too, those of the others only releases.
    for one, two in zip(account.outcomes[1:], later.outcomes[1:], strict=True):
        assert two.releases[0].audit_sequence == one.releases[0].audit_sequence + 1


def test_rows_that_may_lack_a_part_are_marked(connection: wanqu.Connection) -> None:
    result = connection.sql(BY_SPECIALTY)
    assert result.lacking is not None
    marks = dict(zip(result.to_arrow().column("specialty").to_pylist(), result.lacking.to_pylist(), strict=True))
    # Macau has too few people there to release the cells.
    assert marks["nuclear_medicine"]
    assert not marks["dentistry"]
    assert result.account.rows_lacking == list(marks.values()).count(True)
    assert "may_lack_a_part" not in result.schema.names
    shown = connection.sql(BY_SPECIALTY, mark_incomplete=True).to_arrow()
    assert shown.schema.names == ["specialty", "visits", "may_lack_a_part"]
    assert shown.column("may_lack_a_part").to_pylist() == list(marks.values())
    unmarked = connection.sql(f"SET wanqu.mark_incomplete = false; {BY_SPECIALTY}")
    assert unmarked.lacking is None
    assert unmarked.to_arrow() == result.to_arrow()
    own = connection.sql("SET wanqu.mark_incomplete = false; SELECT 7 AS may_lack_a_part")
    assert own.to_pylist() == [{"may_lack_a_part": 7}]


def test_a_notebook_shows_the_rows_that_may_lack_a_part(connection: wanqu.Connection) -> None:
    page = connection.sql(BY_SPECIALTY)._repr_html_()
    (row,) = [row for row in page.split("<tr") if "nuclear_medicine" in row]
    assert "wanqu-lacks" in row
    assert "may lack a part" in row
    (whole,) = [row for row in page.split("<tr") if "dentistry" in row]
    assert "wanqu-lacks" not in whole
    assert "at least 10 units (gba, macau-people)" in page
    assert "may lack a jurisdiction&#x27;s part" in page


def test_public_rows_pass_no_gate(connection: wanqu.Connection) -> None:
    result = connection.sql("SELECT * FROM gba.health.facilities ORDER BY beds DESC LIMIT 5")
    assert len(result) == 5
    releases = [release for outcome in result.account.outcomes for release in outcome.releases]
    assert {release.rule for release in releases} <= {"public"}
    assert not result.account.may_lack


def test_an_answer_without_rows_has_its_columns(connection: wanqu.Connection) -> None:
    result = connection.sql("SELECT name, beds FROM gba.health.facilities WHERE beds < 0")
    assert (len(result), list(result), result.to_arrow().schema.names) == (0, [], ["name", "beds"])
    assert "0 rows" in result._repr_html_()


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -7, 2**62, 2.5, float("inf"), "", "it's % ? $1 -- \\ ; 湾 \0", b"\x00\xff",
        Decimal("-12345678901234567890.123456789"), dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 0, 0, 123456),
        dt.time(23, 59, 59), dt.timedelta(days=1, microseconds=1),
    ],
)  # fmt: skip
def test_a_value_comes_back_as_it_was_bound(connection: wanqu.Connection, value: Any) -> None:
    assert connection.sql("SELECT ? AS v", [value]).to_pylist() == [{"v": value}]
    assert connection.sql("SELECT $2 AS v, $1 AS w", (1, value)).to_pylist() == [{"v": value, "w": 1}]


def test_a_large_number_comes_back_as_a_decimal(connection: wanqu.Connection) -> None:
    assert connection.sql("SELECT ? AS v", [2**70]).to_pylist() == [{"v": Decimal(2**70)}]


def test_values_filter(connection: wanqu.Connection) -> None:
    text = "SELECT jurisdiction, count(*) AS n FROM gba.health.visits WHERE specialty = ? AND emergency = ? GROUP BY jurisdiction"
    bound = connection.sql(text, ["cardiology", False]).to_pandas().set_index("jurisdiction")["n"].to_dict()
    literal = connection.sql(text.replace("= ?", "= 'cardiology'", 1).replace("= ?", "= false"))
    assert bound == literal.to_pandas().set_index("jurisdiction")["n"].to_dict()
    assert set(bound) == set(MEMBERS)


def test_percent_signs_and_braces_are_text_like_any_other(connection: wanqu.Connection) -> None:
    text = "SELECT '100%' AS a, 7 % 4 AS b, '%s %d %(x)s {0}' AS c, '100%' LIKE '%0%' AS d"
    assert connection.sql(text).to_pylist() == [{"a": "100%", "b": 3, "c": "%s %d %(x)s {0}", "d": True}]


def test_a_query_is_explained_without_being_run(connection: wanqu.Connection) -> None:
    plan = connection.explain(BY_SPECIALTY)
    text = "\n".join(row["plan"] for row in plan.to_pylist())
    assert "fragment" in text
    assert "merge at home" in text
    assert plan.account.outcomes == ()
    policy = connection.explain_policy(f"{BY_SPECIALTY[: -len('ORDER BY specialty')]}").to_pandas()
    assert set(policy["owner"]) == set(MEMBERS)
    bound = connection.explain("SELECT count(*) AS n FROM gba.health.visits WHERE specialty = ?", ["cardiology"])
    assert "cardiology" in str(bound.to_pylist())


def test_the_catalog_is_a_table(connection: wanqu.Connection) -> None:
    tables = {row["table"]: row for row in connection.catalog().to_pylist()}
    visits = tables["gba.health.visits"]
    assert visits["served_by"] == list(MEMBERS)
    assert visits["what_leaves"] == "aggregates of at least 10"
    assert tables["gba.health.facilities"]["what_leaves"] == "rows"
    columns = connection.catalog("gba.health.visits").to_pandas().set_index("column")
    assert columns.loc["patient_id", "class"] == "identifier"
    assert columns.loc["waiting_minutes", "unit"] == "min"
    assert "patient_id" in connection.catalog("gba.health.visits")._repr_html_()
    with pytest.raises(wanqu.InvalidQuery, match="no table has a name"):
        connection.catalog("gba.health.nothing")


def test_threads_share_a_connection(connection: wanqu.Connection) -> None:
    def asked(number: int) -> list[dict[str, Any]]:
        return connection.sql("SELECT ? AS n, count(*) AS beds FROM gba.health.facilities", [number]).to_pylist()

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(asked, range(12)))
    assert [row["n"] for (row,) in answers] == list(range(12))
    assert len({row["beds"] for (row,) in answers}) == 1


def test_one_result_is_read_by_several_threads(connection: wanqu.Connection) -> None:
    result = connection.sql(CELLS)
    start = threading.Barrier(4)

    def read(_: int) -> tuple[int, int]:
        start.wait(10)
        return sum(batch.num_rows for batch in result), result.to_arrow().num_rows

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(read, range(4))) == {(len(result), len(result))}


def test_a_listener_hears_how_far_a_question_is(federation: Federation) -> None:
    heard: list[wanqu.Progress] = []
    with federation.connect(progress=heard.append) as connection:
        result = connection.sql(CELLS)
        assert [one.stage for one in heard] == ["preparing", "asking", "done"]
        result.to_arrow()
    assert {one.stage for one in heard[3:]} == {"fetching", "done"}
    assert (heard[-1].rows, heard[-1].total) == (len(result), len(result))


def test_many_rows_are_read_as_they_come(connection: wanqu.Connection) -> None:
    text = "SELECT a.station, a.measured_at, b.pm25 FROM gba.air.hourly a CROSS JOIN gba.air.hourly b LIMIT 300000"
    result = connection.sql(text)
    sizes = [batch.num_rows for batch in result]
    assert sum(sizes) == len(result) == 300_000
    assert max(sizes) < 100_000
    rows = iter(result)
    assert next(rows).num_rows > 0
    rows.close()  # type: ignore[attr-defined]
    assert len(result.head(3)) == 3


def test_the_local_federation_is_found(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    with wanqu.connect(state=federation.state, node="CN-SZ") as connection:
        assert (connection.project, connection.purpose) == (federation.project, federation.purpose)
        assert len(connection.sql(CELLS)) > 30
    monkeypatch.setenv("WANQU_HOME", str(federation.state))
    with wanqu.connect(node="HK") as connection:
        assert connection.project == "cross-border-care"
        assert connection.sql("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        assert "token" not in repr(connection)


def test_a_partial_answer_is_asked_for_and_looks_like_one(federation: Federation) -> None:
    with federation.connect(**federation.lacking) as connection:
        with pytest.raises(wanqu.Refused) as refused:
            connection.sql(BY_SPECIALTY)
        assert refused.value.owner == "MO"
        result = connection.sql(BY_SPECIALTY, partial=True)
        assert set(result.account.missing) == {"MO"}
        assert result.account.owners == ("CN-SZ", "HK")
        assert result.account.is_partial
        frame = result.to_pandas()
        assert frame["may_lack_a_part"].all()
        page = result._repr_html_()
        assert "MO is missing" in page
        assert "missing: " in page
        by_text = connection.sql(f"SET wanqu.partial = true; {BY_SPECIALTY}")
        assert by_text.to_pandas()["may_lack_a_part"].all()
        assert by_text.account.is_partial
    with federation.connect(**federation.lacking, partial=True) as connection:
        assert connection.sql(BY_SPECIALTY).account.is_partial
