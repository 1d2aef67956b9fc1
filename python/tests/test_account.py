import json
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
from pyarrow import flight

import wanqu
from wanqu import account, settings
from wanqu.gateway import Gateway
from wanqu.result import Kept, Result

ID = "344721c6-e7a8-4eaa-9b21-fc7b6046ea5c"


def release(owner: str, least: int | None = 10, **more: Any) -> dict[str, Any]:
    known = {
        "owner": owner,
        "rows": 12,
        "minUnits": least,
        "rounding": 5,
        "publishZeros": False,
        "policies": ["gba", "people"],
    }
    return {**known, "fetchedBytes": 0, "auditSequence": 7, "auditDigest": "3fa2b1c0ffee", **more}


def outcome(owner: str, *releases: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {
        "jurisdiction": owner,
        "releases": list(releases),
        "rows": 12,
        "bytes": 900,
        "elapsedMs": 84,
        "missing": None,
    }
    return {**known, **more}


def summary(*outcomes: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"queryId": ID, "rows": 24, "rowsLacking": 0, "mayLack": False, "outcomes": list(outcomes)}
    return {**known, **more}


def read(*outcomes: dict[str, Any], **more: Any) -> wanqu.Account:
    return account.read(summary(*outcomes, **more))


def test_an_account_says_who_released_what_under_which_rule() -> None:
    kept = {"id": ID, "rows": 24, "bytes": 1, "expires": "2026-11-29T03:01:22.872903715Z"}
    read_account = read(outcome("CN-SZ", release("CN-SZ")), outcome("HK", release("HK", None)), result=kept)
    assert read_account.query_id == UUID(ID)
    assert read_account.owners == ("CN-SZ", "HK")
    assert read_account.expires is not None
    assert read_account.expires.isoformat() == "2026-11-29T03:01:22.872903+00:00"
    shenzhen, hongkong = (one.releases[0] for one in read_account.outcomes)
    assert (shenzhen.min_units, shenzhen.rounding, shenzhen.policies) == (10, 5, ("gba", "people"))
    assert (shenzhen.rule, hongkong.rule) == ("at least 10 units, counts to 5 (gba, people)", "public")
    assert (shenzhen.may_hide_cells, hongkong.may_hide_cells) == (True, False)
    assert read_account.notes == ()
    assert not read_account.is_partial


# The same cases as those of `wanqu query`, in crates/cli/src/render/account.rs.
KEPT_BACK = "rows may be absent: a jurisdiction may have kept whole cells back"
ABSENT = f"{KEPT_BACK}, or cells or values by which a condition, LIMIT or join went"


@pytest.mark.parametrize(
    ("told", "notes"),
    [
        ({}, ()),
        ({"rowsLacking": None}, ()),
        (
            {"mayLack": True, "rowsLacking": None},
            ("rows may lack a jurisdiction's part: it was asked and may have kept cells or values back",),
        ),
        ({"mayLack": True}, (KEPT_BACK,)),
        ({"mayLack": True, "rows": 0}, (KEPT_BACK,)),
        ({"mayLack": True, "rows": 0, "rowsLacking": None}, (KEPT_BACK,)),
        ({"mayLack": True, "rowsMayBeAbsent": True}, (ABSENT,)),
        ({"mayLack": True, "rowsMayBeAbsent": True, "rows": 0, "rowsLacking": None}, (ABSENT,)),
        (
            {"mayLack": True, "rowsMayBeAbsent": True, "rowsLacking": 1},
            (
                "1 of 24 rows may lack a jurisdiction's part: it was asked and released no such cell, or withheld a value of it",
                ABSENT,
            ),
        ),
    ],
)
def test_notes_say_what_may_be_lacking(told: dict[str, Any], notes: tuple[str, ...]) -> None:
    assert read(**told).notes == notes


def test_a_missing_jurisdiction_is_named_with_its_reason() -> None:
    missing = {"code": "owner-unavailable", "message": "Macau's node does not answer", "owner": "MO"}
    partial = read(outcome("MO", missing=missing), outcome("HK", release("HK")), rowsLacking=3, mayLack=True)
    assert partial.is_partial
    assert partial.owners == ("HK",)
    assert isinstance(partial.missing["MO"], wanqu.Unavailable)
    assert partial.notes == (
        "MO is missing: Macau's node does not answer",
        "3 of 24 rows may lack a jurisdiction's part: no part came from MO, and others may have kept cells or values back",
    )


def test_records_that_are_left_out_are_said_once_for_each_dataset() -> None:
    one = release("HK", leftOut=[{"table": "hongkong.x.t"}, {"table": "hongkong.x.u"}], earlierValues=True)
    two = release("HK", leftOut=[{"table": "hongkong.x.t", "records": 1}])
    notes = read(outcome("HK", one, two, cutShort=True)).notes
    assert notes[0] == "HK: 1 record of hongkong.x.t could not be read and is left out"
    assert notes[1].startswith("HK: records of hongkong.x.u that cannot be read, if there are any")
    assert notes[2].startswith("HK: not all of its rows were read")
    assert notes[3].startswith("HK: values may be those of earlier cells")
    assert len(notes) == 4


def test_an_account_that_comes_with_the_columns_is_read_there() -> None:
    columns = pa.schema([("n", pa.int64())])
    assert account.of_schema(columns) is None
    told = summary(outcome("HK", release("HK")))
    with_account = columns.with_metadata({"wanqu.account": json.dumps(told)})
    assert account.of_schema(with_account) == account.read(told)
    with pytest.raises(wanqu.Failed, match="may not be whole"):
        account.of_schema(columns.with_metadata({"wanqu.account": "{"}))
    info = flight.FlightInfo(
        with_account,
        flight.FlightDescriptor.for_command(b""),
        [],
        24,
        0,
        app_metadata=json.dumps({"wanqu.query_id": ID, "expires": "2026-11-29T03:01:22Z", "missing": []}),
    )
    closed = Gateway(settings.Settings("g:1", None, None, None, "t", None), None)
    result = Result("SELECT 1", Kept(closed, info, marked=False, shown=False, listener=False))
    assert result.account.owners == ("HK",)
    assert result.schema.metadata is None


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"queryId": "x"},
        {**summary(), "rows": None},
        {**summary(), "outcomes": 3},
        {**summary(), "outcomes": ["x"]},
        {**summary(), "outcomes": [{}]},
        {**summary(), "rowsLacking": "many"},
        {**summary(), "result": 7},
        {**summary(), "result": {"expires": "soon"}},
        {**summary(), "mayLack": None, "outcomes": None},
        {**summary(), "outcomes": [outcome("HK", release("HK", "few"))]},  # type: ignore[arg-type]
        {**summary(), "outcomes": [outcome("HK", missing="gone")]},
    ],
)
def test_an_account_that_cannot_be_read_is_a_failure(broken: dict[str, Any]) -> None:
    with pytest.raises(wanqu.Failed, match="may not be whole"):
        account.read(json.loads(json.dumps(broken)))
