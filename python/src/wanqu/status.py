"""What gateways and drivers say of a failure, read as refusals.

A gateway writes all that a refusal says into the text of its status, since that is what drivers hand on: the sentence with its
code, then lines for what the rule hit, the rule with its owner, and the remedy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from adbc_driver_manager import AdbcStatusCode, Error
from pyarrow import flight

from . import account
from .refusal import Refused, TooLate, refusal

# What the driver of ADBC puts around the text of a status: `INVALID_ARGUMENT: [FlightSQL] TEXT (InvalidArgument; Prepare)`.
_BEFORE = re.compile(r"\A[A-Z_]+: (\[[^\]]*\] )?")
_BEHIND = re.compile(r" \((?P<status>[A-Z][A-Za-z]+); [^()]*(\([^()]*\)[^()]*)?\)(\. Vendor code: \d+)?\Z")
# Where gateways put the refusal itself, as JSON, for those who read more than the text.
_BESIDE = "wanqu-refusal-bin"
# What pyarrow puts around it.
_FLIGHT = re.compile(r"\AFlight (returned|cancelled).{0,60}?, with message: ", re.DOTALL)
_DEBUG = re.compile(r"\. (Client|gRPC client debug|Detail)\b.*\Z", re.DOTALL)

_SAID = re.compile(
    r"\A(?P<message>.*?) \[(?P<code>[a-z]+(?:-[a-z]+)*)\]"
    r"(?:\n  hit:    (?P<subject>.*?))?"
    r"(?:\n  rule:   (?P<rule>.*?))?"
    r"(?:\n  owner:  (?P<owner>.*?))?"
    r"(?:\n  remedy: (?P<remedy>.*))?\Z",
    re.DOTALL,
)
_OWNER = re.compile(r" \((?P<owner>[A-Z]{2}(-[A-Z0-9]{1,3})?)\)\Z")

_STATUS = {
    AdbcStatusCode.CANCELLED: "Canceled",
    AdbcStatusCode.TIMEOUT: "DeadlineExceeded",
    AdbcStatusCode.IO: "Unavailable",
    AdbcStatusCode.NOT_IMPLEMENTED: "Unimplemented",
    AdbcStatusCode.UNAUTHENTICATED: "Unauthenticated",
}
_FLIGHT_STATUS: dict[type[Exception], str] = {
    flight.FlightCancelledError: "Canceled",
    flight.FlightTimedOutError: "DeadlineExceeded",
    flight.FlightUnavailableError: "Unavailable",
    flight.FlightUnauthenticatedError: "Unauthenticated",
    pa.ArrowNotImplementedError: "Unimplemented",
}

_PROOF = re.compile(r"x509|certificate|tls:|ssl|handshake", re.IGNORECASE)
_CHECK_ADDRESS = "check the address and the port of the gateway, and that it runs"


@contextmanager
def refusals(gateway: str) -> Iterator[None]:
    """Raise errors of the drivers that occur within as refusals, those of this gateway."""
    try:
        yield
    except Error as error:
        meant = of_adbc(error, gateway)
        raise meant from meant.__cause__
    except (flight.FlightError, pa.ArrowException) as error:
        meant = of_flight(error, gateway)
        raise meant from meant.__cause__


def of_adbc(error: Error, gateway: str) -> Refused:
    """Return the refusal that an error of the driver of ADBC stands for. Its cause is the error, if that was no refusal."""
    if (told := _told(error)) is not None:
        return told
    text = str(error)
    behind = _BEHIND.search(text)
    status = behind["status"] if behind else _STATUS.get(error.status_code, "")
    said = _BEFORE.sub("", text[: behind.start()] if behind else text)
    return read(said) or _foreign(status, said, gateway, error)


def _told(error: Error) -> Refused | None:
    """Return the refusal that a gateway sends beside the text of a status; ``None`` for one that does not."""
    written = next((value for name, value in error.details or () if name == _BESIDE), None)
    if written is None:
        return None
    try:
        return account.refused(json.loads(written))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def of_flight(error: Exception, gateway: str) -> Refused:
    """Return the refusal that an error of pyarrow stands for."""
    kinds = (status for kind, status in _FLIGHT_STATUS.items() if isinstance(error, kind))
    status = next(kinds, "")
    said = _FLIGHT.sub("", str(error))
    return read(said) or read(_DEBUG.sub("", said)) or _foreign(status, said, gateway, error)


def read(text: str) -> Refused | None:
    """Return the refusal that a gateway wrote as this text; ``None`` if it is none."""
    said = _SAID.match(text)
    if said is None:
        return None
    rule, owner = said["rule"], said["owner"]
    if rule is not None and (whose := _OWNER.search(rule)):
        rule, owner = rule[: whose.start()], whose["owner"]
    return refusal(
        said["code"], said["message"], rule=rule, subject=said["subject"], owner=owner, remedy=said["remedy"]
    )


def _foreign(status: str, said: str, gateway: str, error: Exception) -> Refused:
    """Return what a status without a refusal means, in words of our own: anybody may have written its text."""
    meant = _meaning(status, said, gateway)
    meant.__cause__ = error
    return meant


def _meaning(status: str, said: str, gateway: str) -> Refused:
    if status == "Canceled":
        return refusal("cancelled", "the question was cancelled", remedy="ask it again")
    if status == "DeadlineExceeded":
        return TooLate(
            f"the gateway at {gateway} did not answer in time",
            code="limit",
            rule="a call has as many seconds as timeout says",
            remedy="give more seconds by timeout, or ask for less",
        )
    if status in ("Unavailable", "") and _PROOF.search(said):
        return refusal(
            "identity",
            f"the gateway at {gateway} did not prove its identity",
            rule=_reason(said),
            remedy="check the CA, and that the gateway's certificate has the name by which it is called",
        )
    if status == "Unavailable":
        message = f"the gateway at {gateway} cannot be reached, or broke off the connection"
        return refusal("owner-unavailable", message, remedy=_CHECK_ADDRESS)
    if status == "Unimplemented":
        return refusal("owner-unavailable", f"what answers at {gateway} is no gateway", remedy=_CHECK_ADDRESS)
    if status in ("ResourceExhausted", "OutOfRange"):
        return refusal("limit", "a message is too large", remedy="ask for less, or with fewer and shorter parameters")
    return refusal(
        "internal", f"asking the gateway at {gateway} failed", remedy="the error that this one comes from says more"
    )


def _reason(said: str) -> str:
    """Return why a certificate was not taken, as the TLS of the driver says it."""
    reason = re.search(r"x509: [^\"]+", said)
    return reason[0] if reason else "its certificate is not one that the CA vouches for"
