"""Answers: rows, and the account of how they came about."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from wanqu._account import Account

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

#: Column that marks the rows to which an owner may not have contributed.
MARK = "may_lack_a_part"

#: Rows that are shown in a notebook.
_SHOWN = 50


class Answer:
    """Rows of an answer, and its account."""

    def __init__(self, table: pyarrow.Table) -> None:
        """Create the answer of the rows that a gateway gave."""
        #: How the answer came about.
        self.account = Account.of(table.schema.metadata)
        #: The rows.
        self.table = table.replace_schema_metadata(None)

    def to_arrow(self) -> pyarrow.Table:
        """Return the rows as a table of Arrow."""
        return self.table

    def to_pandas(self) -> pandas.DataFrame:
        """Return the rows as a frame of pandas."""
        return self.table.to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """Return the rows as a frame of polars."""
        import polars  # noqa: PLC0415

        frame = polars.from_arrow(self.table)
        return frame if isinstance(frame, polars.DataFrame) else frame.to_frame()

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the rows must know, in words."""
        return self.account.notes if self.account else ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        """Return the size of the answer, and its notes."""
        size = f"<Answer of {len(self)} rows and {self.table.num_columns} columns"
        return "; ".join([size, *self.notes]) + ">"

    def _repr_html_(self) -> str:
        """Return the answer as a notebook shows it, with rows that may lack a part marked, and NULL told from text."""
        names = [name for name in self.table.column_names if name != MARK]
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(_row(row, names) for row in self.table.slice(0, _SHOWN).to_pylist())
        notes = list(self.notes)
        if len(self) > _SHOWN:
            notes.insert(0, f"{_SHOWN} of {len(self)} rows are shown")
        if MARK in self.table.column_names:
            notes.append("† this row may lack a part")
        told = "".join(f"<li>{escape(note)}</li>" for note in notes)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" + (
            f"<ul>{told}</ul>" if told else ""
        )


def _row(row: dict[str, Any], names: list[str]) -> str:
    cells = ["<em>NULL</em>" if row[name] is None else escape(str(row[name])) for name in names]
    if row.get(MARK):
        cells[-1] += " †"
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
