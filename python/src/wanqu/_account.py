"""Accounts: who contributed to an answer, under which rule, and what it may lack."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wanqu._refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Key of the account in the metadata of an answer's columns.
_KEY = b"wanqu.account"


@dataclass(frozen=True)
class Outcome:
    """What one jurisdiction contributed."""

    jurisdiction: str
    #: Rows that it released.
    rows: int
    #: Names of the policies by which it released them.
    policies: tuple[str, ...] = ()
    #: Least number of people in a released cell; ``None`` if no gate applied.
    min_units: int | None = None
    #: Why it is missing; ``None`` if it answered.
    missing: Refusal | None = None

    @classmethod
    def _read(cls, told: Mapping[str, Any]) -> Outcome:
        releases = told.get("releases", [])
        policies = dict.fromkeys(policy for release in releases for policy in release.get("policies", []))
        least = [release["minUnits"] for release in releases if release.get("minUnits") is not None]
        missing = told.get("missing")
        return cls(
            jurisdiction=str(told["jurisdiction"]),
            rows=int(told["rows"]),
            policies=tuple(policies),
            min_units=max(least, default=None),
            missing=Refusal.read(missing) if missing else None,
        )


@dataclass(frozen=True)
class Account:
    """How an answer came about."""

    #: Id of the query, the same in the audit log of every node.
    query_id: str
    rows: int
    #: Rows to which an owner may not have contributed; ``None`` if that cannot be counted.
    rows_lacking: int | None
    #: True if the contribution of any owner may be missing.
    may_lack: bool
    #: True if rows may be absent.
    rows_may_be_absent: bool
    outcomes: tuple[Outcome, ...] = ()
    #: All that the node told, as JSON.
    told: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def missing(self) -> tuple[Outcome, ...]:
        """Jurisdictions that did not answer."""
        return tuple(outcome for outcome in self.outcomes if outcome.missing)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the rows must know, in words."""
        notes = [f"{one.jurisdiction} is missing: {one.missing.message}" for one in self.outcomes if one.missing]
        if self.rows_lacking:
            notes.append(f"{self.rows_lacking} of {self.rows} rows may lack a part that an owner's rules kept back")
        elif self.may_lack:
            notes.append("parts that owners' rules kept back may be lacking")
        if self.rows_may_be_absent:
            notes.append("rows may be absent")
        return tuple(notes)

    @classmethod
    def of(cls, metadata: Mapping[bytes, bytes] | None) -> Account | None:
        """Return the account in the metadata of columns; ``None`` if there is none."""
        written = (metadata or {}).get(_KEY)
        if written is None:
            return None
        told = json.loads(written)
        lacking = told.get("rowsLacking")
        return cls(
            query_id=str(told["queryId"]),
            rows=int(told["rows"]),
            rows_lacking=None if lacking is None else int(lacking),
            may_lack=bool(told["mayLack"]),
            rows_may_be_absent=bool(told.get("rowsMayBeAbsent", False)),
            outcomes=tuple(Outcome._read(outcome) for outcome in told.get("outcomes", [])),  # noqa: SLF001
            told=told,
        )
