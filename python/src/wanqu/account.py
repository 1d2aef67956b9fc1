"""The account of an answer: who released what under which rule, who is missing, and what may be lacking."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pyarrow as pa

from .refusal import Refused, refusal


@dataclass(frozen=True)
class LeftOut:
    """Records of a dataset that cannot be read, and that its owner leaves out."""

    table: str
    #: Their number; ``None`` says that there may be some.
    records: int | None


@dataclass(frozen=True)
class Release:
    """What one owner let out for one part of a question, and the rule that it passed."""

    owner: str
    rows: int
    #: Least number of people, households or firms in a cell; ``None`` if the rows are public and passed no gate.
    min_units: int | None
    #: Base that counts were rounded to; 1 is no rounding.
    rounding: int
    #: True if a cell with nobody in it is released as zero.
    publish_zeros: bool
    #: Policies that the rule comes from.
    policies: tuple[str, ...]
    #: Bytes of other members' public tables that came to the owner for this release.
    fetched_bytes: int
    left_out: tuple[LeftOut, ...]
    #: True if values may be those of earlier cells that differ by too few to tell apart, or are withheld for one.
    earlier_values: bool
    #: Number and digest of the entry in the owner's audit log.
    audit_sequence: int
    audit_digest: str

    @property
    def may_hide_cells(self) -> bool:
        """True if a cell that is not in this release may exist at the owner. It follows from the rule alone."""
        return self.min_units is not None and self.min_units > 1

    @property
    def rule(self) -> str:
        """The rule in words: ``at least 10 units, counts to 5 (gba-baseline)``."""
        if self.min_units is None:
            return "public"
        text = "every cell" if self.min_units <= 1 else f"at least {self.min_units} units"
        if self.rounding > 1:
            text += f", counts to {self.rounding}"
        return f"{text} ({', '.join(self.policies)})" if self.policies else text


@dataclass(frozen=True)
class Outcome:
    """What one jurisdiction that was asked contributed to an answer."""

    jurisdiction: str
    releases: tuple[Release, ...]
    #: Number of rows that came from it.
    rows: int
    #: Bytes that crossed its border for them; 0 for the home node's own part.
    bytes: int
    elapsed_ms: int
    #: Why it is missing; ``None`` if it answered.
    missing: Refused | None
    #: True if not all its rows were read, because the answer needed no more.
    cut_short: bool


@dataclass(frozen=True)
class Account:
    """How an answer came about, and what may be lacking from it."""

    query_id: UUID
    #: Number of rows of the answer.
    rows: int
    #: Number of rows that may lack an owner's part; ``None`` if that cannot be told by row.
    rows_lacking: int | None
    #: True if any owner's contribution may be missing, even if that cannot be counted.
    may_lack: bool
    #: True if whole rows may be absent.
    rows_may_be_absent: bool
    outcomes: tuple[Outcome, ...]
    #: Time until which the gateway keeps the answer; ``None`` if it does not say.
    expires: datetime | None

    @property
    def owners(self) -> tuple[str, ...]:
        """Jurisdictions that answered."""
        return tuple(one.jurisdiction for one in self.outcomes if one.missing is None)

    @property
    def missing(self) -> dict[str, Refused]:
        """Jurisdictions that did not answer, each with the reason."""
        return {one.jurisdiction: one.missing for one in self.outcomes if one.missing is not None}

    @property
    def is_partial(self) -> bool:
        """True if a jurisdiction that was asked did not answer."""
        return any(one.missing is not None for one in self.outcomes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the rows must know of them, each in a sentence; empty if the answer is whole."""
        return tuple(_notes(self))


def read(summary: dict[str, Any]) -> Account:
    """Return the account that a gateway sends behind the rows.

    Raises :class:`~wanqu.Failed` if it cannot be understood: an answer without an account is not whole.
    """
    try:
        kept = summary.get("result")
        return Account(
            query_id=UUID(summary["queryId"]),
            rows=int(summary["rows"]),
            rows_lacking=_number(summary.get("rowsLacking")),
            may_lack=bool(summary["mayLack"]),
            rows_may_be_absent=bool(summary.get("rowsMayBeAbsent", False)),
            outcomes=tuple(_outcome(one) for one in summary["outcomes"]),
            expires=datetime.fromisoformat(kept["expires"]) if kept else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable() from error


def of_schema(schema: pa.Schema) -> Account | None:
    """Return the account in the metadata of an answer's columns; ``None`` for a gateway that sends it behind the rows alone."""
    written = (schema.metadata or {}).get(b"wanqu.account")
    if written is None:
        return None
    try:
        summary: dict[str, Any] = json.loads(written)
    except ValueError as error:
        raise unreadable() from error
    return read(summary)


def unreadable() -> Refused:
    """Return the failure for an answer whose account is not there or cannot be understood."""
    return refusal(
        "internal",
        "the account of the answer cannot be read, so the rows may not be whole",
        rule="an answer without its account is not whole",
        remedy="ask again; if it stays so, use the version of this package that belongs to the gateway's",
    )


def _number(value: int | None) -> int | None:
    return None if value is None else int(value)


def _outcome(one: dict[str, Any]) -> Outcome:
    missing = one.get("missing")
    return Outcome(
        jurisdiction=str(one["jurisdiction"]),
        releases=tuple(_release(release) for release in one["releases"]),
        rows=int(one["rows"]),
        bytes=int(one["bytes"]),
        elapsed_ms=int(one["elapsedMs"]),
        missing=None if missing is None else refused(missing),
        cut_short=bool(one.get("cutShort", False)),
    )


def refused(one: dict[str, Any]) -> Refused:
    """Return the refusal that a gateway wrote as JSON."""
    texts = {name: one.get(name) for name in ("rule", "subject", "owner", "remedy")}
    return refusal(str(one["code"]), str(one["message"]), **texts)


def _release(one: dict[str, Any]) -> Release:
    return Release(
        owner=str(one["owner"]),
        rows=int(one["rows"]),
        min_units=_number(one.get("minUnits")),
        rounding=int(one["rounding"]),
        publish_zeros=bool(one["publishZeros"]),
        policies=tuple(str(policy) for policy in one["policies"]),
        fetched_bytes=int(one.get("fetchedBytes", 0)),
        left_out=tuple(LeftOut(str(each["table"]), _number(each.get("records"))) for each in one.get("leftOut", ())),
        earlier_values=bool(one.get("earlierValues", False)),
        audit_sequence=int(one["auditSequence"]),
        audit_digest=str(one["auditDigest"]),
    )


def _notes(account: Account) -> list[str]:
    notes = [f"{owner} is missing: {why.message}" for owner, why in account.missing.items()]
    notes += _left_out(account)
    notes += [
        f"{one.jurisdiction}: not all of its rows were read, because the answer needed no more"
        for one in account.outcomes
        if one.cut_short
    ]
    lost = _lost(account)
    lacking, total = account.rows_lacking, "1 row" if account.rows == 1 else f"{account.rows} rows"
    if lacking:
        because = lost or "it was asked and released no such cell, or withheld a value of it"
        notes.append(f"{lacking} of {total} may lack a jurisdiction's part: {because}")
    elif lacking is None and account.may_lack and account.rows > 0:
        because = lost or "it was asked and may have kept cells or values back"
        notes.append(f"rows may lack a jurisdiction's part: {because}")
    if account.rows_may_be_absent:
        kept_back = (
            "a jurisdiction may have kept whole cells back, or cells or values by which a condition, LIMIT or join went"
        )
        notes.append(f"rows may be absent: {lost or kept_back}")
    elif account.may_lack and not lacking and (lacking == 0 or account.rows == 0):
        notes.append(f"rows may be absent: {lost or 'a jurisdiction may have kept whole cells back'}")
    notes += [
        f"{one.jurisdiction}: values may be those of earlier cells that differ by too few to tell apart, or NULL where what is "
        "asked was not released then"
        for one in account.outcomes
        if any(release.earlier_values for release in one.releases)
    ]
    return notes


def _left_out(account: Account) -> list[str]:
    """Return notes on records that are left out, one for each dataset, with the greatest number that is told."""
    told: dict[tuple[str, str], int | None] = {}
    for outcome in account.outcomes:
        for one in (each for release in outcome.releases for each in release.left_out):
            key = (outcome.jurisdiction, one.table)
            known = told.get(key)
            told[key] = one.records if known is None else max(known, one.records or 0)
    sentences = []
    for (owner, table), records in sorted(told.items()):
        if records is None:
            sentences.append(f"{owner}: records of {table} that cannot be read, if there are any, are left out")
        else:
            what = "1 record" if records == 1 else f"{records} records"
            sentences.append(
                f"{owner}: {what} of {table} could not be read and {'is' if records == 1 else 'are'} left out"
            )
    return sentences


def _lost(account: Account) -> str | None:
    """Say whose parts did not come, and that others may have kept cells back where a rule lets them; ``None`` if all came."""
    if not account.is_partial:
        return None
    hidden = any(release.may_hide_cells for one in account.outcomes for release in one.releases)
    others = ", and others may have kept cells or values back" if hidden else ""
    return f"no part came from {', '.join(account.missing)}{others}"
