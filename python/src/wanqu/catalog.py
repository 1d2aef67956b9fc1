"""The catalog of a gateway as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from .refusal import refusal

_Table = dict[str, Any]


def overview(listing: list[_Table]) -> pa.Table:
    """Return a row for each table: who serves it, what leaves it, what it holds."""
    columns: dict[str, Callable[[_Table], Any]] = {
        "table": lambda one: one["name"],
        "served_by": lambda one: [owner for owner, _ in one["owners"]],
        "unavailable": lambda one: [f"{owner}: {why}" for owner, why in one.get("unavailable", ())],
        "what_leaves": _what_leaves,
        "description": lambda one: one["description"],
    }
    texts, lists = pa.string(), pa.list_(pa.string())
    types = [texts, lists, lists, texts, texts]
    return _made(columns, types, listing)


def columns_of(listing: list[_Table], name: str) -> pa.Table:
    """Return a row for each column of the tables whose names contain this.

    Raises :class:`~wanqu.InvalidQuery` if there is none.
    """
    found = [(table, column) for table in listing if name in table["name"] for column in table["columns"]]
    if not found:
        raise refusal(
            "unknown-name",
            f"no table has a name that contains {name!r}",
            rule="a query names tables and columns of the catalog",
            remedy="catalog() lists all",
        )
    columns: dict[str, Callable[[tuple[_Table, _Table]], Any]] = {
        "table": lambda one: one[0]["name"],
        "column": lambda one: one[1]["name"],
        "type": lambda one: one[1]["type"],
        "class": lambda one: one[1]["class"],
        "unit": lambda one: one[1]["unit"],
        "description": lambda one: one[1]["description"],
    }
    return _made(columns, [pa.string()] * len(columns), found)


def _made(columns: dict[str, Callable[[Any], Any]], types: list[pa.DataType], rows: list[Any]) -> pa.Table:
    try:
        arrays = [
            pa.array([value(row) for row in rows], kind) for value, kind in zip(columns.values(), types, strict=True)
        ]
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise refusal("internal", "the catalog of the gateway cannot be read") from error
    return pa.Table.from_arrays(arrays, names=list(columns))


def _what_leaves(table: _Table) -> str:
    if table["public"]:
        return "rows"
    rules = {owner: _rule(rule) for owner, rule in table["owners"]}
    if len(set(rules.values())) == 1:
        return next(iter(rules.values()))
    return "; ".join(f"{owner}: {rule}" for owner, rule in rules.items())


def _rule(rule: dict[str, Any]) -> str:
    rounded = f", counts to {rule['rounding']}" if rule["rounding"] > 1 else ""
    if rule["minUnits"] <= 1:
        return f"aggregates{rounded}"
    remembered = ", which are remembered" if rule.get("rememberCells") else ""
    return f"aggregates of at least {rule['minUnits']}{rounded}{remembered}"
