"""Values of a query's parameters, as the one row of Arrow that is bound to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from .refusal import Refused, refusal

_RULE = "numbers, text, bytes, true and false, dates, and times without a zone are bound to ? or $1, $2 and so on"
_INT64 = range(-(2**63), 2**63)
_DIGITS = 38


def row(values: Sequence[object]) -> pa.RecordBatch | None:
    """Return the row of these values; ``None`` if there are none.

    Raises :class:`~wanqu.InvalidQuery` for a value that cannot be bound, with its place and what to give instead.
    """
    if isinstance(values, Mapping):
        raise _wrong(
            "the parameters have names", "write ? for each parameter, and give the values in a list in their order"
        )
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise _wrong("the values of the parameters are no list", "give a list or a tuple: sql(text, [value])")
    if not values:
        return None
    arrays = [_array(value, place) for place, value in enumerate(values, start=1)]
    return pa.RecordBatch.from_arrays(arrays, names=[str(place) for place in range(1, len(arrays) + 1)])


def check_text(text: str, what: str) -> None:
    """Check that a text can be sent."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        message = f"{what} holds half a character (U+{ord(text[error.start]):04X}, a lone surrogate)"
        raise refusal("invalid-sql", message, rule="a text is written as UTF-8", remedy="leave the half out") from error


def _array(value: Any, place: int) -> pa.Array[Any]:
    if isinstance(value, dt.datetime | dt.time) and value.tzinfo is not None:
        raise _wrong(
            f"value {place} has a time zone",
            "a column's times have no zone: give the time of the column's zone, value.astimezone(zone).replace(tzinfo=None)",
        )
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        value = Decimal(value)
    if isinstance(value, Decimal) and not _fits(value):
        raise _wrong(
            f"value {place} is no number of at most {_DIGITS} digits", "give a number of fewer digits, or a float"
        )
    if isinstance(value, list | tuple | set | dict | pa.Array | pa.ChunkedArray):
        raise _wrong(
            f"value {place} is a {type(value).__name__}", "write a parameter for each of its values: x IN (?, ?, ?)"
        )
    if isinstance(value, str):
        check_text(value, f"value {place}")
    try:
        array: pa.Array[Any] = pa.array([value])
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        remedy = "give it as text, and CAST the parameter in the query"
        raise _wrong(f"value {place}, of the type {type(value).__name__}, cannot be bound", remedy) from error
    if pa.types.is_nested(array.type) or isinstance(array.type, pa.ExtensionType | pa.BaseExtensionType):
        raise _wrong(f"value {place}, of the type {type(value).__name__}, cannot be bound", "give it as text")
    return array


def _fits(value: Decimal) -> bool:
    if not value.is_finite():
        return False
    _, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    return scale <= _DIGITS and len(digits) + max(int(exponent), 0) <= _DIGITS


def _wrong(message: str, remedy: str) -> Refused:
    return refusal("invalid-sql", message, rule=_RULE, subject="the values of the parameters", remedy=remedy)
