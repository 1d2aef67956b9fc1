"""Ask a Wanqu federation from Python.

    with wanqu.connect() as connection:
        result = connection.sql("SELECT jurisdiction, count(*) AS visits FROM gba.health.visits GROUP BY jurisdiction")
        print(result.to_pandas(), result.account.notes)

An answer has rows and an account: who released what under which rule, and what may be lacking. A question that is refused
raises :class:`Refused`, which names the rule and what to do.
"""

from .account import Account, LeftOut, Outcome, Release
from .connection import Connection, connect
from .progress import Progress
from .refusal import (
    Cancelled,
    Failed,
    InvalidQuery,
    LimitReached,
    NotIdentified,
    NotPermitted,
    NotReleasable,
    Refused,
    TooLate,
    Unavailable,
)
from .result import Result
from .rows import Rows
from .settings import SettingsError

__version__ = "0.1.0"

__all__ = [
    "Account",
    "Cancelled",
    "Connection",
    "Failed",
    "InvalidQuery",
    "LeftOut",
    "LimitReached",
    "NotIdentified",
    "NotPermitted",
    "NotReleasable",
    "Outcome",
    "Progress",
    "Refused",
    "Release",
    "Result",
    "Rows",
    "SettingsError",
    "TooLate",
    "Unavailable",
    "connect",
]
