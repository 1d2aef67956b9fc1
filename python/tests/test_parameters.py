import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import wanqu
from wanqu import parameters


def test_values_of_each_type_become_one_row() -> None:
    moment = dt.datetime(2024, 2, 29, 12, 0, 0, 123456)
    values: list[Any] = [
        None,
        True,
        -7,
        2.5,
        "it's %",
        b"\x00",
        Decimal("1.50"),
        dt.date(2024, 2, 29),
        moment,
        dt.time(1),
    ]
    row = parameters.row(values)
    assert row is not None
    assert row.num_rows == 1
    assert [column[0].as_py() for column in row.columns] == values
    kinds = [
        pa.null(),
        pa.bool_(),
        pa.int64(),
        pa.float64(),
        pa.string(),
        pa.binary(),
        pa.decimal128(3, 2),
        pa.date32(),
    ]
    assert row.schema.types == [*kinds, pa.timestamp("us"), pa.time64("us")]
    assert parameters.row([]) is None
    assert parameters.row(()) is None


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**38 - 1, Decimal("1E+5"), Decimal("-0.0001")])
def test_large_and_exact_numbers_stay_what_they_are(value: Any) -> None:
    row = parameters.row([value])
    assert row is not None
    assert row.column(0)[0].as_py() == value
    assert pa.types.is_decimal128(row.schema.field(0).type)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), ["value 2 has a time zone", "astimezone"]),
        (dt.time(1, tzinfo=dt.UTC), ["value 2 has a time zone"]),
        (10**38, ["38 digits"]),
        (Decimal("NaN"), ["38 digits"]),
        (Decimal("-Infinity"), ["38 digits"]),
        (Decimal("1E-39"), ["38 digits"]),
        ([1, 2], ["value 2 is a list", "x IN (?, ?, ?)"]),
        ({1}, ["value 2 is a set"]),
        ({"a": 1}, ["value 2 is a dict"]),
        (pa.array([1]), ["x IN (?, ?, ?)"]),
        (uuid.UUID(int=1), ["UUID, cannot be bound", "as text"]),
        (1j, ["complex, cannot be bound"]),
        (object(), ["object, cannot be bound", "CAST"]),
        ("CANARY\ud800", ["value 2 holds half a character", "U+D800"]),
    ],
)
def test_values_that_cannot_be_bound_are_named_by_their_place(value: object, words: list[str]) -> None:
    with pytest.raises(wanqu.InvalidQuery) as error:
        parameters.row([1, value])
    assert error.value.code == "invalid-sql"
    assert error.value.remedy
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "CANARY" not in str(error.value)


@pytest.mark.parametrize("values", [{"a": 1}, "text", b"bytes", 5, None, {1, 2}])
def test_values_that_are_no_list_are_refused(values: Any) -> None:
    with pytest.raises(wanqu.InvalidQuery, match=r"names|no list"):
        parameters.row(values)
