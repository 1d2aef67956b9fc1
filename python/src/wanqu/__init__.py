"""Asks a Wanqu federation: one SQL text over several jurisdictions, and what their rules released.

>>> import wanqu
>>> with wanqu.connect(project="capacity", purpose="health-planning") as federation:
...     answer = federation.sql("SELECT jurisdiction, count(*) AS visits FROM gba.health.visits GROUP BY jurisdiction")
...     answer.to_pandas()
"""

from wanqu._account import Account, Outcome
from wanqu._answer import Answer
from wanqu._connection import Connection, connect
from wanqu._progress import show_progress
from wanqu._refusal import (
    FaultError,
    IdentityError,
    LimitError,
    NotPermittedError,
    QueryError,
    Refusal,
    RefusalError,
    UnavailableError,
)

__all__ = [
    "Account",
    "Answer",
    "Connection",
    "FaultError",
    "IdentityError",
    "LimitError",
    "NotPermittedError",
    "Outcome",
    "QueryError",
    "Refusal",
    "RefusalError",
    "UnavailableError",
    "connect",
    "show_progress",
]
