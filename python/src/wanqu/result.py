"""Answers: their rows, and the account of how they came about."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import pyarrow as pa
from pyarrow import flight

from .account import Account, of_schema, unreadable
from .gateway import Gateway
from .html import page
from .progress import Listener, watched
from .rows import SHOWN, Rows

#: Column by which gateways mark the rows that may lack a part.
MARK = "may_lack_a_part"

#: Most rows that are held so that they need not be fetched again.
_HELD = 1_000_000

_Rows = TypeVar("_Rows", pa.Table, pa.RecordBatch)


@dataclass(frozen=True)
class Kept:
    """An answer that is kept at a gateway, and how its rows are to be given."""

    gateway: Gateway
    info: flight.FlightInfo
    #: True if the last column marks the rows that may lack a part.
    marked: bool
    #: True if that column is one of the result's. It is in any case where a jurisdiction is missing.
    shown: bool
    listener: Listener | bool | None


class Result(Rows):
    """An answer, which its gateway keeps for some minutes. Its rows are fetched when they are wanted, as often as they are.

    May be read by several threads. A result needs no closing; its connection must be open while rows are fetched.
    """

    def __init__(self, sql: str, kept: Kept) -> None:
        self._sql = sql
        self._kept = kept
        self._whole = kept.info.schema.remove_metadata()
        try:
            told = json.loads(kept.info.app_metadata)
            self._query = UUID(told["wanqu.query_id"])
            self._shown = kept.shown or bool(told["missing"])
            self._expires = datetime.fromisoformat(told["expires"])
        except (KeyError, TypeError, ValueError) as error:
            raise unreadable() from error
        self._count = kept.info.total_records
        if self._count < 0:
            raise unreadable()
        self._lock = threading.RLock()
        self._table: pa.Table | None = None
        self._account = of_schema(kept.info.schema)

    @property
    def sql(self) -> str:
        """The query as it was asked."""
        return self._sql

    @property
    def query_id(self) -> UUID:
        """Id of the query, the same in the log of every node."""
        return self._query

    @property
    def expires(self) -> datetime:
        """Time until which the gateway keeps the answer."""
        return self._expires

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        if self._kept.marked and not self._shown:
            return self._whole.remove(len(self._whole) - 1)
        return self._whole

    def __len__(self) -> int:
        return self._count

    @property
    def account(self) -> Account:
        """Who released what under which rule, who is missing, and what may be lacking.

        A gateway tells it with the answer, or behind the rows: then the first use fetches them.
        """
        with self._lock:
            if self._account is None and len(self) <= _HELD:
                self._load()
            if self._account is None:
                for _ in self._fetch():
                    pass
            if self._account is None:
                raise unreadable()
            return self._account

    @property
    def lacking(self) -> pa.ChunkedArray[pa.BooleanScalar] | None:
        """For each row, whether it may lack an owner's part; ``None`` if the query itself said that rows are not marked."""
        table = self._load()
        return table.column(len(self._whole) - 1) if self._kept.marked else None

    def to_arrow(self) -> pa.Table:
        """Return all rows as a table of Arrow. They are held from then on, and not fetched again."""
        return self._visible(self._load())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Return the rows in batches, as they come. Those that are not held are fetched anew by each call."""
        with self._lock:
            table = self._table
        for batch in table.to_batches() if table is not None else self._fetch():
            yield self._visible(batch)

    def head(self, rows: int = SHOWN) -> pa.Table:
        """Return the first rows. Of an answer that is held, or small enough to be, nothing is fetched twice."""
        if len(self) <= _HELD:
            return self.to_arrow().slice(0, rows)
        return self._visible(self._first(rows))

    def __repr__(self) -> str:
        told = "".join(f"\n  note: {note}" for note in self._account.notes) if self._account else ""
        return f"<wanqu.Result: {len(self)} rows of {', '.join(self.schema.names)}; query {self._query}>{told}"

    def _repr_html_(self) -> str:
        account = self.account
        first = self._first(SHOWN)
        marks = [bool(mark) for mark in first.column(len(self._whole) - 1).to_pylist()] if self._kept.marked else None
        return page(self._visible(first), len(self), account=account, marks=marks)

    def _first(self, rows: int) -> pa.Table:
        """Return the first rows with their marks."""
        if len(self) <= _HELD:
            return self._load().slice(0, rows)
        batches, count = [], 0
        for batch in self._fetch():
            batches.append(batch.slice(0, rows - count))
            count += batches[-1].num_rows
            if count >= rows:
                break
        return pa.Table.from_batches(batches, schema=self._whole)

    def _visible(self, rows: _Rows) -> _Rows:
        """Return rows with the columns that the result has."""
        return rows.select(list(range(len(self.schema))))

    def _load(self) -> pa.Table:
        """Return all rows with their marks, which are held from then on."""
        with self._lock:
            if self._table is None:
                self._table = pa.Table.from_batches(list(self._fetch()), schema=self._whole)
            return self._table

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows under the columns that were told when the query was asked."""
        try:
            return batch.cast(self._whole)
        except (pa.ArrowException, ValueError) as error:
            raise unreadable() from error

    def _fetch(self) -> Iterator[pa.RecordBatch]:
        """Fetch the rows with their marks, of the types that were told when it was asked, and keep the account behind them."""
        count, told = 0, None
        with watched(self._kept.listener) as watch:
            watch.tell("fetching", 0, len(self))
            for each in self._kept.gateway.fetch(str(self._query)):
                if isinstance(each, Account):
                    told = each
                    continue
                count += each.num_rows
                watch.tell("fetching", count, len(self))
                yield self._typed(each)
            if told is None or told.rows != count or count != len(self):
                raise unreadable()
            self._account = told
            watch.tell("done", count, count)
