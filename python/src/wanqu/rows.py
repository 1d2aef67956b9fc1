"""Tables in the forms in which people go on working with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .html import page

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

#: Rows that a notebook shows.
SHOWN = 50


class Rows(ABC):
    """Rows of Arrow, with ways into pandas, polars and whatever else reads streams of Arrow."""

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """The columns."""

    @abstractmethod
    def to_arrow(self) -> pa.Table:
        """Return all rows as a table of Arrow."""

    @abstractmethod
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Return the rows in batches, as they come. It can be called again."""

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self.batches()

    def to_pandas(self, **options: Any) -> pd.DataFrame:
        """Return all rows as a DataFrame of pandas. The options are those of :meth:`pyarrow.Table.to_pandas`."""
        _needs("pandas")
        frame: pd.DataFrame = self.to_arrow().to_pandas(**options)
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Return all rows as a DataFrame of polars."""
        _needs("polars")
        import polars as pl  # noqa: PLC0415 - an extra

        frame = pl.from_arrow(self.to_arrow())
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return all rows as dictionaries."""
        return self.to_arrow().to_pylist()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self.schema, self.batches())
        stream: object = reader.__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]
        return stream

    def _repr_html_(self) -> str:
        table = self.to_arrow()
        return page(table.slice(0, SHOWN), table.num_rows)


class TableRows(Rows):
    """Rows that are at hand."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._table.schema

    def to_arrow(self) -> pa.Table:
        """Return the table."""
        return self._table

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Return the rows in batches."""
        return iter(self._table.to_batches())

    def __len__(self) -> int:
        return self._table.num_rows

    def __repr__(self) -> str:
        return f"<wanqu: {self._table.num_rows} rows of {', '.join(self.schema.names)}>"


def _needs(module: str) -> None:
    """Check that an extra of this package is there."""
    try:
        __import__(module)
    except ImportError as error:
        raise ImportError(f"{module} is not installed: pip install 'wanqu[{module}]'") from error
