"""Rows and accounts as HTML, for notebooks. Every text is escaped: of values, names of columns, rules and refusals."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from .account import Account, Outcome

#: Longest text of a cell, in characters.
_LONGEST = 200

_MARKED = "This row may lack a jurisdiction's part: it was asked, and released no such cell or withheld a value of it."
_WITHHELD = "No value was released, or there is none."

_STYLE = """
.wanqu table { border-collapse: collapse; font-size: 90%; }
.wanqu th, .wanqu td { padding: 0.2em 0.7em; text-align: left; white-space: pre-wrap; }
.wanqu th.wanqu-number, .wanqu td.wanqu-number { text-align: right; font-variant-numeric: tabular-nums; }
.wanqu th { border-bottom: 1px solid currentColor; }
.wanqu th small, .wanqu .wanqu-quiet { opacity: 0.65; font-weight: normal; }
.wanqu .wanqu-null { opacity: 0.65; font-style: italic; }
.wanqu tr.wanqu-lacks td { background: rgba(230, 160, 0, 0.15); }
.wanqu .wanqu-note { border-left: 3px solid rgb(230, 160, 0); padding-left: 0.6em; margin: 0.4em 0; }
"""


def page(table: pa.Table, total: int, *, account: Account | None = None, marks: Sequence[bool] | None = None) -> str:
    """Return rows as HTML, the first of ``total``; with the account of an answer, and marks on the rows that may lack a part."""
    parts = ['<div class="wanqu">', f"<style>{_STYLE}</style>"]
    if account is not None:
        parts += [f'<div class="wanqu-note" role="note">{escaped(note)}</div>' for note in account.notes]
    parts.append(_table(table, marks))
    shown = f"{table.num_rows} of {total} rows" if table.num_rows < total else _counted(total)
    parts.append(f'<div class="wanqu-quiet">{shown}</div>')
    if account is not None:
        parts.append(_account(account))
    parts.append("</div>")
    return "\n".join(parts)


def escaped(text: str) -> str:
    """Return a text as HTML that shows it: what would be unseen, or turn the direction of what follows, is written out."""
    return html.escape("".join(_seen(character) for character in text), quote=True)


def _seen(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    return f"\\u{{{ord(character):x}}}"


def _table(table: pa.Table, marks: Sequence[bool] | None) -> str:
    marked = marks is not None and any(marks)
    numbers = [_is_number(field.type) for field in table.schema]
    head = "".join(_head(field, number=number) for field, number in zip(table.schema, numbers, strict=True))
    if marked:
        head += "<th></th>"
    columns = [column.to_pylist() for column in table.columns]
    lines = []
    for position in range(table.num_rows):
        lacks = marks is not None and bool(marks[position])
        row = zip(columns, numbers, strict=True)
        cells = "".join(_cell(column[position], number=number, lacks=lacks) for column, number in row)
        if marked:
            cells += f'<td title="{escaped(_MARKED)}">{"may lack a part" if lacks else ""}</td>'
        lines.append(f'<tr class="wanqu-lacks">{cells}</tr>' if lacks else f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _head(field: pa.Field[Any], *, number: bool) -> str:
    kind = ' class="wanqu-number"' if number else ""
    return f"<th{kind}>{escaped(field.name)}<br><small>{escaped(str(field.type))}</small></th>"


def _cell(value: Any, *, number: bool, lacks: bool) -> str:
    kind = ' class="wanqu-number"' if number else ""
    if value is None:
        words = "NULL (may be withheld)" if lacks else "NULL"
        return f'<td{kind} title="{escaped(_WITHHELD)}"><span class="wanqu-null">{words}</span></td>'
    text = str(value)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return f"<td{kind}>{escaped(text)}</td>"


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _account(account: Account) -> str:
    if not account.outcomes:
        return ""
    names = ("from", "rows", "withheld", "rule", "audit")
    head = "".join(f"<th>{name}</th>" for name in names)
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _outcome(one))}</tr>" for one in account.outcomes)
    summary = f"Account of query {escaped(str(account.query_id))}"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f"<details><summary>{summary}</summary>{table}</details>"


def _outcome(one: Outcome) -> tuple[str, ...]:
    if one.missing is not None:
        return (escaped(one.jurisdiction), "", "", f"missing: {escaped(str(one.missing))}", "")
    if any(release.may_hide_cells for release in one.releases):
        withheld = "some may be"
    elif any(release.min_units is not None for release in one.releases):
        withheld = "none"
    else:
        withheld = "no gate"
    rules = dict.fromkeys(escaped(release.rule) for release in one.releases)
    entries = dict.fromkeys(
        f"#{release.audit_sequence} {escaped(release.audit_digest[:8])}" for release in one.releases
    )
    return (escaped(one.jurisdiction), str(one.rows), withheld, "<br>".join(rules), "<br>".join(entries))


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"
