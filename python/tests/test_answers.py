"""Answers and refusals as they are read, without a gateway."""

import json
import threading

import pyarrow
import pytest

from wanqu import Account, Answer, NotPermittedError, show_progress
from wanqu._progress import told
from wanqu._refusal import of_driver

MISSING = {"code": "owner-unavailable", "message": "MO cannot be reached", "rule": None}
ACCOUNT = {
    "queryId": "q",
    "rows": 2,
    "rowsLacking": 1,
    "mayLack": True,
    "rowsMayBeAbsent": True,
    "outcomes": [
        {
            "jurisdiction": "HK",
            "rows": 2,
            "releases": [{"minUnits": 4, "policies": ["a"]}, {"minUnits": 9, "policies": ["a"]}],
        },
        {"jurisdiction": "MO", "rows": 0, "releases": [], "missing": MISSING},
    ],
}


def answer() -> Answer:
    table = pyarrow.table({"<name>": ["a", None], "may_lack_a_part": [False, True]})
    return Answer(table.replace_schema_metadata({"wanqu.account": json.dumps(ACCOUNT)}))


def test_an_account_says_what_is_missing() -> None:
    account = answer().account
    assert account is not None
    assert [outcome.jurisdiction for outcome in account.missing] == ["MO"]
    assert account.outcomes[0].min_units == 9
    assert account.outcomes[0].policies == ("a",)
    assert len(account.notes) == 3
    assert "MO is missing: MO cannot be reached" in repr(answer())
    assert Account.of(None) is None


def test_a_notebook_shows_marks_and_no_tags_of_the_data() -> None:
    html = answer()._repr_html_()
    assert "<th>&lt;name&gt;</th>" in html
    assert "<td><em>NULL</em> †</td>" in html
    assert "may_lack_a_part" not in html
    assert "<li>MO is missing" in html


def test_an_error_of_the_driver_carries_its_refusal() -> None:
    class DriverError(Exception):
        details = (
            (b"date", b"x"),
            ("wanqu-refusal-bin", b'{"code": "column-class", "message": "no", "remedy": "ask"}'),
        )

    refusal = of_driver(DriverError())
    assert isinstance(refusal, NotPermittedError)
    assert (refusal.code, refusal.rule, refusal.remedy) == ("column-class", None, "ask")
    assert str(refusal) == "no [column-class]\n  remedy: ask"
    assert of_driver(ValueError()) is None


def test_progress_is_told_when_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[float] = []
    changed = threading.Event()

    def progress(part: float) -> None:
        seen.append(part)
        changed.set()

    with told(lambda: 0.25, progress):
        assert changed.wait(10)
    assert seen == [0.25, 1.0]
    show_progress(0.5)
    show_progress(1)
    assert capsys.readouterr().err.endswith(
        "\r[###############...............]  50%\r[##############################] 100%\n"
    )
