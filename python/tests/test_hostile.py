"""Questions that are not answered: each is an exception of the class that says why, with what to do."""

import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Federation

import wanqu

#: Runs until it is cancelled.
ENDLESS = "SELECT count(*) AS n FROM gba.air.hourly a, gba.air.hourly b, gba.air.hourly c"
VISITS = "SELECT count(*) AS n FROM gba.health.visits"


@contextmanager
def refused(kind: type[wanqu.Refused], *words: str) -> Iterator[list[wanqu.Refused]]:
    """Expect a refusal of this class which says all these words and what to do."""
    caught: list[wanqu.Refused] = []
    with pytest.raises(wanqu.Refused) as error:
        yield caught
    caught.append(error.value)
    assert type(error.value) is kind, repr(error.value)
    assert error.value.remedy, str(error.value)
    for around in ("Vendor code", "FlightSQL", "; Prepare)", "with message"):
        assert around not in str(error.value), "the driver's own words are taken off"
    lacking = [word for word in words if word not in str(error.value)]
    assert not lacking, f"{lacking} not in: {error.value}"


def test_rules_of_disclosure_are_named_with_what_passes(connection: wanqu.Connection) -> None:
    with refused(wanqu.NotReleasable, "count(*)") as rows:
        connection.sql("SELECT * FROM gba.health.visits LIMIT 200")
    assert rows[0].owner in {"CN-SZ", "HK", "MO"}
    assert rows[0].code == "not-an-aggregate"
    assert rows[0].rule
    with refused(wanqu.NotReleasable) as column:
        connection.sql("SELECT patient_id, count(*) AS n FROM gba.health.visits GROUP BY patient_id")
    assert column[0].code == "column-class"
    assert column[0].column
    assert "patient_id" in column[0].column or "_id" in column[0].column
    with refused(wanqu.NotReleasable) as function:
        connection.sql("SELECT max(cost_cny) AS n FROM gba.health.visits")
    assert function[0].code == "aggregate-function"


def test_a_text_that_is_no_query_is_refused(connection: wanqu.Connection) -> None:
    for text, words in [
        ("SELECT nothing FROM gba.health.visits", "nothing"),
        ("SELECT FROM WHERE", "cannot be planned"),
        ("DELETE FROM gba.health.visits", "not a query"),
        ("SELECT 1; SELECT 2", ""),
        ("SET wanqu.other = 1; SELECT 1", "no such setting"),
        ("SELECT '\ud800'", "half a character"),
        ("SELECT ? AS a", "1 parameters, and 0 values"),
    ]:
        with refused(wanqu.InvalidQuery, words):
            connection.sql(text)
    with refused(wanqu.InvalidQuery, "2 values"):
        connection.sql("SELECT ? AS a", [1, 2])
    for text in ["", "  \n"]:
        with pytest.raises(wanqu.InvalidQuery, match="there is no query"):
            connection.sql(text)


def test_whoever_may_not_ask_is_told_why(federation: Federation) -> None:
    for how, words in [
        ({"project": "no-such-project"}, "no-such-project"),
        ({"purpose": "teaching"}, "teaching"),
        ({"project": ""}, "project"),
    ]:
        with federation.connect(**how) as connection, refused(wanqu.NotPermitted, words):
            connection.sql(VISITS)
    with federation.connect() as connection:
        with refused(wanqu.NotPermitted, "teaching"):
            connection.sql(VISITS, purpose="teaching")
        for name in ["湾", "a\nb", "x\r\nauthorization: y"]:
            with pytest.raises(wanqu.SettingsError, match="printable"):
                connection.sql(VISITS, project=name)
        assert connection.sql(VISITS).to_pylist()[0]["n"] > 10_000


def test_a_token_that_does_not_hold_is_refused_when_connecting(federation: Federation) -> None:
    with refused(wanqu.NotIdentified, "expired"):
        federation.connect(**federation.lacking | {"token_file": federation.expired})
    with refused(wanqu.NotIdentified, "token"):
        federation.connect(token="x.y.z")


def test_a_gateway_that_cannot_prove_its_identity_is_not_asked(federation: Federation) -> None:
    for ca in [federation.other_ca, None]:
        with refused(wanqu.NotIdentified, "did not prove its identity", "check the CA"):
            federation.connect(ca=ca)


def test_the_authorities_of_the_machine_are_trusted_where_none_is_named(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(federation.ca))
    with federation.connect(ca=None) as connection:
        assert connection.sql("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_no_proxy_is_asked_for_a_gateway_on_this_machine(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    with federation.connect() as connection:
        assert connection.sql("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        assert len(connection.catalog().to_arrow()) > 20


def test_an_address_where_no_gateway_answers_is_said(federation: Federation) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with refused(wanqu.Unavailable, "cannot be reached", "check the address"):
            federation.connect(gateway=f"127.0.0.1:{unused.getsockname()[1]}")
    for greeting in [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"]:
        with other_server(greeting) as address, pytest.raises(wanqu.Refused) as error:
            federation.connect(gateway=address, timeout=5)
        assert isinstance(error.value, wanqu.Unavailable | wanqu.NotIdentified), repr(error.value)
        assert address in str(error.value)


def test_a_server_that_says_nothing_is_not_waited_for_without_end(federation: Federation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises((wanqu.TooLate, wanqu.Unavailable)):
            federation.connect(gateway=f"127.0.0.1:{silent.getsockname()[1]}", timeout=1)
        assert time.monotonic() - began < 15


@contextmanager
def other_server(greeting: bytes) -> Iterator[str]:
    """Run a server that says one thing to everybody and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    caller.sendall(greeting)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_an_answer_is_given_to_nobody_else(federation: Federation) -> None:
    with federation.connect() as connection, federation.connect(token_file=federation.stranger) as stranger:
        result = connection.sql(VISITS)
        stolen = wanqu.Result(result.sql, replace(result._kept, gateway=stranger._gateway))
        # The account came with the answer, and is fetched by nobody.
        for read in (stolen.to_arrow, lambda: list(stolen)):
            with refused(wanqu.InvalidQuery, "there is no such result"):
                read()
        with refused(wanqu.InvalidQuery, "there is no such result"):
            list(stranger._gateway.fetch(str(uuid.uuid4())))
        assert len(result.to_arrow()) == 1


def test_a_token_is_renewed_in_its_file(federation: Federation, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(federation.token.read_text())
    with federation.connect(token_file=file) as connection:
        result = connection.sql(VISITS)
        file.write_text("x.y.z")
        with refused(wanqu.NotIdentified):
            connection.sql(VISITS)
        with refused(wanqu.NotIdentified):
            result.to_arrow()
        with refused(wanqu.NotIdentified):
            connection.catalog()
        file.write_text(federation.token.read_text())
        assert result.to_pylist() == connection.sql(VISITS).to_pylist()


def soon(call: Callable[[], Any], seconds: float = 1.0) -> threading.Thread:
    def later() -> None:
        time.sleep(seconds)
        call()

    thread = threading.Thread(target=later)
    thread.start()
    return thread


def test_a_question_is_cancelled_by_another_thread(connection: wanqu.Connection) -> None:
    for call in (connection.cancel, connection.close):
        thread = soon(call)
        with refused(wanqu.Cancelled, "cancelled"):
            connection.sql(ENDLESS)
        thread.join()
    with pytest.raises(ValueError, match="the connection is closed"):
        connection.sql(VISITS)
    with pytest.raises(ValueError, match="the connection is closed"):
        connection.catalog()


def test_ctrl_c_cancels_the_question_and_is_no_refusal(connection: wanqu.Connection) -> None:
    thread = soon(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        connection.sql(ENDLESS)
    thread.join()
    assert connection.sql("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_question_has_as_many_seconds_as_it_is_given(federation: Federation) -> None:
    with federation.connect(timeout=1) as connection:
        began = time.monotonic()
        with refused(wanqu.TooLate, "did not answer in time", "timeout"):
            connection.sql(ENDLESS)
        assert time.monotonic() - began < 20
        with pytest.raises(TimeoutError):
            connection.sql(ENDLESS)
        assert connection.sql("SELECT 1 AS one").to_pylist() == [{"one": 1}]
    for timeout in [0, -1, float("nan")]:
        with pytest.raises(wanqu.SettingsError, match="seconds above 0"):
            federation.connect(timeout=timeout)
