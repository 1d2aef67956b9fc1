import json
import pickle

import pytest
from adbc_driver_manager import AdbcStatusCode, Error
from pyarrow import flight

import wanqu
from wanqu import refusal, status

SEALED = """name is sealed [column-class]
  hit:    macau.health.visits.name
  rule:   no query reads a sealed column (MO)
  remedy: SELECT count(*) AS n
FROM macau.health.visits"""


def test_each_code_has_a_class_that_people_can_catch() -> None:
    assert len(refusal.CLASSES) == 21
    for code in refusal.CLASSES:
        kind = type(refusal.refusal(code, "m"))
        assert issubclass(kind, wanqu.Refused)
        assert kind is not wanqu.Refused, code
    assert isinstance(refusal.refusal("of-a-later-version", "m"), wanqu.Failed)
    late = refusal.refusal("limit", "late", rule=refusal.DEADLINE)
    assert isinstance(late, wanqu.TooLate)
    assert isinstance(late, TimeoutError)
    assert isinstance(late, wanqu.LimitReached)


def test_a_text_of_a_gateway_is_read_and_written_the_same() -> None:
    read = status.read(SEALED)
    assert isinstance(read, wanqu.NotReleasable)
    assert (read.code, read.message, read.owner) == ("column-class", "name is sealed", "MO")
    assert read.column == read.subject == "macau.health.visits.name"
    assert read.rule == "no query reads a sealed column"
    assert read.remedy == "SELECT count(*) AS n\nFROM macau.health.visits"
    assert str(read) == SEALED
    assert str(pickle.loads(pickle.dumps(read))) == SEALED  # noqa: S301 - what was written here


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("busy [limit]", ("limit", "busy", None, None, None)),
        ("busy [limit]\n  owner:  CN-SZ", ("limit", "busy", None, "CN-SZ", None)),
        (
            "late [limit]\n  rule:   a query has a deadline (limits.deadlineSeconds)",
            ("limit", "late", "a query has a deadline (limits.deadlineSeconds)", None, None),
        ),
        ("a [b] c [internal]\n  remedy: wait (a; b)", ("internal", "a [b] c", None, None, "wait (a; b)")),
        ("columns a[1] [invalid-sql]", ("invalid-sql", "columns a[1]", None, None, None)),
    ],
)
def test_fields_that_are_not_there_are_none(text: str, fields: tuple[str | None, ...]) -> None:
    read = status.read(text)
    assert read is not None
    assert (read.code, read.message, read.rule, read.owner, read.remedy) == fields
    assert str(read) == text


def adbc(text: str, code: AdbcStatusCode = AdbcStatusCode.UNKNOWN) -> wanqu.Refused:
    return status.of_adbc(Error(text, status_code=code), "gateway:1")


def test_what_the_driver_puts_around_a_refusal_is_taken_off() -> None:
    for behind in [
        " (PermissionDenied; Prepare)",
        " (PermissionDenied; DoGet: endpoint 0: []). Vendor code: 7",
        " (Unauthenticated; GetInfo(GetSqlInfo)). Vendor code: 16",
    ]:
        read = adbc(f"UNAUTHORIZED: [FlightSQL] {SEALED}{behind}")
        assert str(read) == SEALED
        assert read.__cause__ is None
    flown = status.of_flight(
        flight.FlightServerError(f"Flight returned unauthorized error, with message: {SEALED}"), "g:1"
    )
    assert str(flown) == SEALED


def test_a_refusal_beside_the_text_goes_before_it() -> None:
    told = {"code": "column-class", "message": "name is sealed", "subject": "name", "owner": "MO", "remedy": "SELECT 1"}
    code = AdbcStatusCode.UNAUTHORIZED
    cut = "UNAUTHORIZED: [FlightSQL] name is sea… (PermissionDenied; Prepare)"

    def beside(written: bytes) -> wanqu.Refused:
        return status.of_adbc(
            Error(cut, status_code=code, details=[("date", b"x"), ("wanqu-refusal-bin", written)]), "g:1"
        )

    whole = beside(json.dumps(told).encode())
    assert isinstance(whole, wanqu.NotReleasable)
    assert (whole.message, whole.column, whole.owner, whole.remedy, whole.rule) == (
        "name is sealed",
        "name",
        "MO",
        "SELECT 1",
        None,
    )
    for broken in (b"", b"{}", b"[]", b"\xff"):
        assert type(beside(broken)) is wanqu.Failed


@pytest.mark.parametrize(
    ("text", "code", "kind", "words"),
    [
        (
            'IO: [FlightSQL] connection error: desc = "transport: authentication handshake failed: tls: failed to verify '
            'certificate: x509: certificate signed by unknown authority" (Unavailable; Prepare). Vendor code: 14',
            AdbcStatusCode.IO,
            wanqu.NotIdentified,
            ["gateway:1", "unknown authority", "check the CA"],
        ),
        (
            'IO: [FlightSQL] connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection '
            'refused" (Unavailable; Prepare). Vendor code: 14',
            AdbcStatusCode.IO,
            wanqu.Unavailable,
            ["gateway:1", "check the address"],
        ),
        (
            "TIMEOUT: [FlightSQL] context deadline exceeded (DeadlineExceeded; ExecutePartitions)",
            AdbcStatusCode.TIMEOUT,
            wanqu.TooLate,
            ["did not answer in time", "timeout"],
        ),
        (
            "CANCELLED: [FlightSQL] context canceled (Canceled; ExecutePartitions)",
            AdbcStatusCode.CANCELLED,
            wanqu.Cancelled,
            ["cancelled"],
        ),
        (
            "NOT_IMPLEMENTED: [FlightSQL] CANARY (Unimplemented; Prepare)",
            AdbcStatusCode.NOT_IMPLEMENTED,
            wanqu.Unavailable,
            ["is no gateway"],
        ),
        ("INTERNAL: [FlightSQL] CANARY (Internal; Prepare)", AdbcStatusCode.INTERNAL, wanqu.Failed, ["failed"]),
        (
            "INTERNAL: [FlightSQL] CANARY (ResourceExhausted; Prepare)",
            AdbcStatusCode.INTERNAL,
            wanqu.LimitReached,
            ["too large"],
        ),
    ],
)
def test_what_is_no_refusal_is_told_in_words_of_our_own(
    text: str, code: AdbcStatusCode, kind: type[wanqu.Refused], words: list[str]
) -> None:
    read = adbc(text, code)
    assert type(read) is kind
    assert all(word in str(read) for word in words), str(read)
    assert "CANARY" not in str(read)
    assert isinstance(read.__cause__, Error)


def test_errors_of_pyarrow_are_told_apart() -> None:
    cases: list[tuple[Exception, type[wanqu.Refused]]] = [
        (
            flight.FlightUnavailableError("Flight returned unavailable error, with message: failed to connect"),
            wanqu.Unavailable,
        ),
        (
            flight.FlightUnavailableError("Flight returned unavailable error, with message: Ssl handshake failed"),
            wanqu.NotIdentified,
        ),
        (flight.FlightTimedOutError("Flight returned timeout error, with message: Deadline Exceeded"), wanqu.TooLate),
        (flight.FlightInternalError("Flight returned internal error, with message: CANARY"), wanqu.Failed),
    ]
    for error, kind in cases:
        read = status.of_flight(error, "gateway:1")
        assert type(read) is kind
        assert "CANARY" not in str(read)
