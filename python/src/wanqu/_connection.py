"""Connections to the gateway of one jurisdiction, which is home to its researchers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow
from adbc_driver_flightsql import DatabaseOptions, dbapi

from wanqu._answer import Answer
from wanqu._progress import told
from wanqu._refusal import of_driver

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

T = TypeVar("T")

_HEADER = DatabaseOptions.RPC_CALL_HEADER_PREFIX.value
_INCREMENTAL = "adbc.statement.exec.incremental"
_PROGRESS = "adbc.statement.exec.progress"


def connect(  # noqa: PLR0913
    gateway: str | None = None,
    *,
    token: str | None = None,
    ca: str | os.PathLike[str] | None = None,
    project: str | None = None,
    purpose: str | None = None,
    partial: bool = False,
    mark_incomplete: bool = False,
) -> Connection:
    """Connect to a gateway.

    ``gateway`` is ``HOST:PORT``, ``token`` a token of an issuer that its jurisdiction accepts, and ``ca`` the
    certificate of the gateway's authority: PEM, or the path of a file with it. Where they are left out, they come from
    the environment: ``WANQU_GATEWAY``, ``WANQU_TOKEN`` and ``WANQU_CA``.

    Questions belong to ``project`` and have ``purpose``. With ``partial`` they are answered also if a jurisdiction is
    missing, which the account names; with ``mark_incomplete`` rows to which an owner may not have contributed are
    marked. A partial answer is given with its rows marked alone.
    """
    gateway = gateway or _environment("WANQU_GATEWAY", "gateway")
    token = token or _environment("WANQU_TOKEN", "token")
    authority = os.fspath(ca) if ca is not None else _environment("WANQU_CA", "ca")
    options = {
        DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}",
        DatabaseOptions.TLS_ROOT_CERTS.value: authority if "-----BEGIN" in authority else Path(authority).read_text(),
        f"{_HEADER}wanqu-partial": str(partial).lower(),
        f"{_HEADER}wanqu-mark-incomplete": str(partial or mark_incomplete).lower(),
    }
    belongs = {"wanqu-project": project, "wanqu-purpose": purpose}
    options |= {_HEADER + name: value for name, value in belongs.items() if value is not None}
    uri = gateway if "://" in gateway else f"grpc+tls://{gateway}"
    # There are no transactions.
    return Connection(_refusing(lambda: dbapi.connect(uri, db_kwargs=options, autocommit=True)))


def _environment(variable: str, argument: str) -> str:
    value = os.environ.get(variable)
    if not value:
        message = f"there is no {argument}: give {argument}=…, or set {variable}"
        raise ValueError(message)
    return value


def _refusing(call: Callable[[], T]) -> T:
    """Return what a call returns; its refusal as an error of its own kind."""
    try:
        return call()
    except dbapi.Error as error:
        refusal = of_driver(error)
        if refusal is None:
            raise
        raise refusal from error


class Connection:
    """A connection to a gateway. Not for several threads at once."""

    def __init__(self, driver: dbapi.Connection) -> None:
        """Create the connection of one of ADBC."""
        #: The connection of ADBC, for what this one does not offer.
        self.driver = driver

    def sql(
        self,
        text: str,
        parameters: Sequence[Any] | None = None,
        *,
        progress: Callable[[float], object] | None = None,
    ) -> Answer:
        """Ask a query, with values for its parameters (``?`` or ``$1``), and return the whole answer.

        ``progress`` is called with the part of the query that the owners have released, from 0 to 1, when it changes:
        :func:`wanqu.show_progress` prints it. Raises the refusal as a :class:`wanqu.RefusalError`. An interrupt
        cancels the query at the owners; with ``progress``, within a minute.
        """

        def ask() -> pyarrow.Table:
            with self.driver.cursor() as cursor:
                if progress is None:
                    cursor.execute(text, parameters)
                    return cursor.fetch_arrow_table()
                return _polled(cursor, text, parameters, progress)

        return Answer(_refusing(ask))

    def explain(self, text: str, parameters: Sequence[Any] | None = None) -> str:
        """Return which SQL would go to which owner, and how the answers would be merged. Nobody is asked."""
        rows = self.sql(f"EXPLAIN {text}", parameters).rows()
        return "\n".join(str(value) for row in rows for value in row.values())

    def explain_policy(self, text: str, parameters: Sequence[Any] | None = None) -> Answer:
        """Return every rule that a query meets, and what each decides. Nobody is asked."""
        return self.sql(f"EXPLAIN POLICY {text}", parameters)

    def columns(self, text: str) -> pyarrow.Schema:
        """Return the columns of a query's answer. Nobody is asked."""

        def describe() -> pyarrow.Schema:
            with self.driver.cursor() as cursor:
                return cursor.adbc_execute_schema(text)

        return _refusing(describe)

    def catalog(self) -> Answer:
        """Return every column that a query can name, with its type, class, unit and comment."""
        return Answer(_refusing(self._catalog))

    def _catalog(self) -> pyarrow.Table:
        listed: list[dict[str, str | None]] = []
        for catalog in self.driver.adbc_get_objects(depth="tables").read_all().to_pylist():
            for schema in catalog["catalog_db_schemas"] or []:
                for table in schema["db_schema_tables"] or []:
                    place = {
                        "catalog": catalog["catalog_name"],
                        "schema": schema["db_schema_name"],
                        "table": table["table_name"],
                    }
                    listed += [place | _column(field) for field in self._fields(**place)]
        names = ["catalog", "schema", "table", "column", "type", "class", "unit", "comment"]
        return pyarrow.Table.from_pylist(listed, schema=pyarrow.schema([(name, pyarrow.string()) for name in names]))

    def _fields(self, catalog: str, schema: str, table: str) -> pyarrow.Schema:
        return self.driver.adbc_get_table_schema(table, catalog_filter=catalog, db_schema_filter=schema)

    def close(self) -> None:
        """Close the connection."""
        self.driver.close()

    def __enter__(self) -> Self:
        """Return the connection, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()


def _polled(
    cursor: dbapi.Cursor,
    text: str,
    parameters: Sequence[Any] | None,
    progress: Callable[[float], object],
) -> pyarrow.Table:
    """Run a statement by polls, and tell how far it is meanwhile."""
    cursor.adbc_statement.set_options(**{_INCREMENTAL: "true"})
    with told(lambda: float(cursor.adbc_statement.get_option_float(_PROGRESS)), progress):
        partitions, _ = cursor.adbc_execute_partitions(text, parameters)
    cursor.adbc_read_partition(partitions[0])
    return cursor.fetch_arrow_table()


def _column(field: pyarrow.Field) -> dict[str, str | None]:
    metadata = field.metadata or {}
    told = {name: metadata.get(name.encode(), b"").decode() or None for name in ("class", "unit", "comment")}
    return {
        "column": field.name,
        "type": metadata.get(b"ARROW:FLIGHT:SQL:TYPE_NAME", b"").decode() or str(field.type),
    } | told
