"""The two ways to a gateway: ADBC asks questions, and the Flight of pyarrow fetches their answers and the catalog.

ADBC binds parameters and asks; of an answer it gives the rows alone. The gateway keeps the answer, and gives it to whoever asked
again with its account behind the rows, which Flight reads.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from adbc_driver_flightsql import DatabaseOptions, dbapi
from adbc_driver_manager import OperationalError
from pyarrow import flight

from . import account
from .account import Account
from .progress import Watch
from .refusal import Failed, refusal
from .settings import Settings
from .status import refusals

_LOCAL = re.compile(r"(localhost|127(\.[0-9]+){3}|\[::1\]):", re.IGNORECASE)
_TIMEOUTS = (DatabaseOptions.TIMEOUT_QUERY, DatabaseOptions.TIMEOUT_UPDATE, DatabaseOptions.TIMEOUT_FETCH)
_HEADER = DatabaseOptions.RPC_CALL_HEADER_PREFIX.value


class Gateway:
    """A gateway that is asked with a token. May be used by several threads: each question has a connection of its own."""

    def __init__(self, settings: Settings, timeout: float | None) -> None:
        self.settings = settings
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[tuple[str, dbapi.Connection]] = []
        self._asking: set[dbapi.Cursor] = set()
        self._cancelled: set[dbapi.Cursor] = set()
        self._closed = False
        self._flight: flight.FlightClient | None = None

    @property
    def address(self) -> str:
        """``HOST:PORT``."""
        return self.settings.gateway

    def greet(self) -> None:
        """Call the gateway once, so that a wrong address, CA or token is told at once."""
        with refusals(self.address), self._connection() as connection:
            connection.adbc_get_info()

    def ask(
        self, sql: str, values: pa.RecordBatch | None, headers: Mapping[str, str], watch: Watch
    ) -> flight.FlightInfo:
        """Ask a question, and return where its answer is kept."""
        options: dict[str, Any] = {_HEADER + name: value for name, value in headers.items()}
        with refusals(self.address), self._connection() as connection:
            with connection.cursor(adbc_stmt_kwargs=options) as cursor, self._cancellable(cursor):
                watch.tell("preparing")
                cursor.adbc_prepare(sql)
                if cursor in self._cancelled:
                    raise refusal("cancelled", "the question was cancelled before it was asked", remedy="ask it again")
                watch.tell("asking")
                parts, _ = cursor.adbc_execute_partitions(sql, values)
            if len(parts) != 1:
                raise Failed(f"the answer is in {len(parts)} places, and not in one", code="internal")
            return flight.FlightInfo.deserialize(parts[0])

    def fetch(self, query: str) -> Iterator[pa.RecordBatch | Account]:
        """Return the batches of an answer that is kept, and its account behind them.

        Raises :class:`~wanqu.Failed` if the account does not come: then the rows are not whole.
        """
        ticket = flight.Ticket(json.dumps({"result": query}).encode())
        with refusals(self.address):
            reader = self._client().do_get(ticket, self._options())
            told = False
            try:
                while True:
                    try:
                        chunk = reader.read_chunk()
                    except StopIteration:
                        break
                    if chunk.data is not None:
                        yield chunk.data
                    if chunk.app_metadata is not None and (note := _summary(chunk.app_metadata)) is not None:
                        told = True
                        yield account.read(note)
            finally:
                if not told:
                    reader.cancel()
        if not told:
            raise account.unreadable()

    def listing(self) -> list[dict[str, Any]]:
        """Return the tables that a question can name, as the gateway lists them."""
        with refusals(self.address):
            results = list(self._client().do_action(flight.Action("catalog", b""), self._options()))
        try:
            tables: list[dict[str, Any]] = json.loads(results[0].body.to_pybytes())
        except (IndexError, ValueError) as error:
            raise refusal("internal", f"the catalog of the gateway at {self.address} cannot be read") from error
        return tables

    def cancel(self) -> None:
        """Cancel the questions that are being asked, at their owners too."""
        # A cursor is closed only after it was taken out, which waits for the lock.
        with self._lock:
            self._cancelled.update(self._asking)
            for cursor in self._asking:
                cursor.adbc_cancel()

    def close(self) -> None:
        """Close the connections. Questions that run are cancelled."""
        with self._lock:
            self._closed = True
        self.cancel()
        with self._lock:
            idle, self._idle = self._idle, []
            client, self._flight = self._flight, None
        for _, connection in idle:
            connection.close()
        if client is not None:
            client.close()

    @contextmanager
    def _cancellable(self, cursor: dbapi.Cursor) -> Iterator[None]:
        with self._lock:
            self._asking.add(cursor)
        try:
            yield
        except OperationalError as error:
            # The driver cancels on Ctrl-C too, and says no more than that.
            here = threading.current_thread() is threading.main_thread()
            if here and cursor not in self._cancelled and "context canceled" in str(error):
                raise KeyboardInterrupt from error
            raise
        finally:
            with self._lock:
                self._asking.discard(cursor)
                self._cancelled.discard(cursor)

    @contextmanager
    def _connection(self) -> Iterator[dbapi.Connection]:
        """Give a connection of ADBC that nobody else uses meanwhile. One with an older token is not used again."""
        token = self.settings.token()
        with self._lock:
            if self._closed:
                raise _closed()
            usable = [one for one in self._idle if one[0] == token]
            old = [connection for one, connection in self._idle if one != token]
            connection = usable.pop()[1] if usable else None
            self._idle = usable
        for one in old:
            one.close()
        connection = connection or self._open(token)
        try:
            yield connection
        finally:
            with self._lock:
                kept = not self._closed
                if kept:
                    self._idle.append((token, connection))
            if not kept:
                connection.close()

    def _open(self, token: str) -> dbapi.Connection:
        options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}
        if self.settings.ca is not None:
            options[DatabaseOptions.TLS_ROOT_CERTS.value] = self.settings.ca
        if self._timeout is not None:
            options |= {option.value: str(float(self._timeout)) for option in _TIMEOUTS}
        return dbapi.connect(f"grpc+tls://{self.address}", db_kwargs=options, autocommit=True)

    def _client(self) -> flight.FlightClient:
        with self._lock:
            if self._closed:
                raise _closed()
            if self._flight is None:
                location = f"grpc+tls://{self.address}"
                # A proxy for the rest of the world is none for this machine; ADBC does so by itself.
                local = _LOCAL.match(self.address) is not None
                options: list[tuple[str, int | str]] | None = [("grpc.enable_http_proxy", 0)] if local else None
                self._flight = flight.FlightClient(location, tls_root_certs=self.settings.ca, generic_options=options)
            return self._flight

    def _options(self) -> flight.FlightCallOptions:
        headers = [(b"authorization", f"Bearer {self.settings.token()}".encode())]
        # The stubs of pyarrow say that these are texts; what it takes is bytes.
        return flight.FlightCallOptions(timeout=self._timeout, headers=headers)  # type: ignore[arg-type]


def _summary(note: pa.Buffer) -> dict[str, Any] | None:
    """Return the account in a message without rows; ``None`` if it is of progress."""
    try:
        read: dict[str, Any] = json.loads(note.to_pybytes())
        summary: dict[str, Any] | None = read.get("summary")
    except (ValueError, AttributeError) as error:
        raise account.unreadable() from error
    return summary


def _closed() -> ValueError:
    return ValueError("the connection is closed: open another with wanqu.connect()")
