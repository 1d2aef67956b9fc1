"""Refusals and failures: each names its rule, whose rule that is, and what to do, and holds no value from the data."""

from __future__ import annotations

#: Rule that ends an answer which is not complete in time, as gateways write it.
DEADLINE = "a query has a deadline (limits.deadlineSeconds)"


class Refused(Exception):
    """A question without an answer: a rule forbids it, somebody cannot answer, or it cannot be asked.

    Catch this class for all of them, or one of its subclasses; :attr:`code` tells more, and stays the same from version to
    version. The texts beside it may change.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        rule: str | None = None,
        subject: str | None = None,
        owner: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        #: The refusal in one sentence.
        self.message = message
        #: Stable code, such as ``column-class``.
        self.code = code
        #: Rule that was broken, in words.
        self.rule = rule
        #: Column, table, object or part of the query that the rule hit.
        self.subject = subject
        #: Jurisdiction whose rule it is; ``None`` if it is nobody's in particular.
        self.owner = owner
        #: What to do; where it can be given, the nearest query that would pass.
        self.remedy = remedy

    @property
    def column(self) -> str | None:
        """Column that the rule hit; ``None`` if the refusal is not about the class of a column."""
        return self.subject if self.code == "column-class" else None

    def __str__(self) -> str:
        lines = [f"{self.message} [{self.code}]"]
        if self.subject is not None:
            lines.append(f"  hit:    {self.subject}")
        if self.rule is not None:
            whose = f" ({self.owner})" if self.owner else ""
            lines.append(f"  rule:   {self.rule}{whose}")
        elif self.owner is not None:
            lines.append(f"  owner:  {self.owner}")
        if self.remedy is not None:
            lines.append(f"  remedy: {self.remedy}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        return (_restored, (type(self), self.message, self._fields()))

    def _fields(self) -> dict[str, str | None]:
        names = ("code", "rule", "subject", "owner", "remedy")
        return {name: getattr(self, name) for name in names}


class InvalidQuery(Refused):
    """The text is not one query that this federation can read: its SQL, a name in it, or the values of its parameters."""


class NotReleasable(Refused):
    """A rule of disclosure forbids the query. Its remedy is the nearest one that passes, where there is one."""


class NotPermitted(Refused):
    """No agreement, project or purpose allows the one who asks to ask this."""


class NotIdentified(Refused):
    """A token or a certificate does not hold: of the one who asks, or of the gateway."""


class LimitReached(Refused):
    """A limit on size, memory, rate or number of questions."""


class TooLate(LimitReached, TimeoutError):
    """The answer was not complete in time. No rule forbids the question."""


class Unavailable(Refused):
    """A gateway, or an owner that was asked, does not answer. The same question may be answered later."""


class Cancelled(Refused):
    """The question was cancelled."""


class Failed(Refused):
    """A fault of a node, a source or a message; the node's log says more."""


#: Class that stands for each code.
CLASSES: dict[str, type[Refused]] = {
    "invalid-sql": InvalidQuery,
    "unknown-name": InvalidQuery,
    "not-a-query": InvalidQuery,
    "function-not-allowed": NotReleasable,
    "column-class": NotReleasable,
    "not-an-aggregate": NotReleasable,
    "aggregate-argument": NotReleasable,
    "aggregate-function": NotReleasable,
    "not-splittable": NotReleasable,
    "no-agreement": NotPermitted,
    "purpose": NotPermitted,
    "requester": NotPermitted,
    "identity": NotIdentified,
    "envelope": Failed,
    "limit": LimitReached,
    "owner-unavailable": Unavailable,
    "draining": Unavailable,
    "release-shape": Failed,
    "source": Failed,
    "cancelled": Cancelled,
    "internal": Failed,
}


def refusal(
    code: str,
    message: str,
    *,
    rule: str | None = None,
    subject: str | None = None,
    owner: str | None = None,
    remedy: str | None = None,
) -> Refused:
    """Return the exception for a code, of the class that stands for it. A code that is not known is :class:`Failed`."""
    kind = CLASSES.get(code, Failed)
    if kind is LimitReached and rule == DEADLINE:
        kind = TooLate
    return kind(message, code=code, rule=rule, subject=subject, owner=owner, remedy=remedy)


def _restored(kind: type[Refused], message: str, fields: dict[str, str | None]) -> Refused:
    """Return a refusal that was sent from another process, as multiprocessing does."""
    code = fields.pop("code") or "internal"
    return kind(message, code=code, **fields)
