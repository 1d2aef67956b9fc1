"""Refusals: each names its rule and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Name of the refusal among the details of an error of ADBC.
_DETAIL = "wanqu-refusal-bin"


@dataclass(frozen=True)
class Refusal:
    """What was refused, by which rule, whose rule it is, and what to do."""

    #: Stable code, such as ``column-class``.
    code: str
    #: What happened.
    message: str
    #: Rule that refuses it.
    rule: str | None = None
    #: Object or column that it hit.
    subject: str | None = None
    #: Jurisdiction whose rule it is.
    owner: str | None = None
    #: What to do; where there is one, the nearest query that passes.
    remedy: str | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Refusal:
        """Return the refusal that a node told as JSON."""
        fields = {name: told.get(name) for name in ("rule", "subject", "owner", "remedy")}
        return cls(code=str(told["code"]), message=str(told["message"]), **fields)

    def __str__(self) -> str:
        """Return the refusal in several lines."""
        lines = [f"{self.message} [{self.code}]"]
        named = [("hit", self.subject), ("rule", self.rule), ("owner", self.owner), ("remedy", self.remedy)]
        lines += [f"  {name}: {text}" for name, text in named if text]
        return "\n".join(lines)


class RefusalError(Exception):
    """A question that was refused."""

    def __init__(self, refusal: Refusal) -> None:
        """Create the error of a refusal."""
        super().__init__(str(refusal))
        #: The refusal, in its parts.
        self.refusal = refusal

    @property
    def code(self) -> str:
        """Stable code of the refusal."""
        return self.refusal.code

    @property
    def rule(self) -> str | None:
        """Rule that refuses it."""
        return self.refusal.rule

    @property
    def remedy(self) -> str | None:
        """What to do."""
        return self.refusal.remedy


class QueryError(RefusalError):
    """The text is not a query that this federation can read, or names what there is not."""


class NotPermittedError(RefusalError):
    """A rule of an owner, or the lack of an agreement, forbids what the query does."""


class IdentityError(RefusalError):
    """The token does not hold."""


class LimitError(RefusalError):
    """A limit on size, time, memory or rate."""


class UnavailableError(RefusalError):
    """A node cannot be reached, ends, or did not answer."""


class FaultError(RefusalError):
    """A fault of a node or of its source."""


_KINDS: dict[str, type[RefusalError]] = {
    "invalid-sql": QueryError,
    "unknown-name": QueryError,
    "not-a-query": QueryError,
    "envelope": QueryError,
    "identity": IdentityError,
    "limit": LimitError,
    "owner-unavailable": UnavailableError,
    "draining": UnavailableError,
    "cancelled": UnavailableError,
    "release-shape": FaultError,
    "source": FaultError,
    "internal": FaultError,
}


def of_refusal(refusal: Refusal) -> RefusalError:
    """Return the error of a refusal, of the kind that its code says."""
    return _KINDS.get(refusal.code, NotPermittedError)(refusal)


def of_driver(error: Exception) -> RefusalError | None:
    """Return the refusal that an error of ADBC carries; ``None`` if it carries none."""
    for name, value in getattr(error, "details", None) or []:
        if _text(name) == _DETAIL:
            return of_refusal(Refusal.read(json.loads(value)))
    return None


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
