"""Connections to a gateway."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from . import parameters, settings
from .catalog import columns_of, overview
from .gateway import Gateway
from .progress import Listener, watched
from .refusal import refusal
from .result import MARK, Kept, Result
from .rows import Rows, TableRows
from .settings import PathLike, Settings


def connect(
    gateway: str | None = None,
    *,
    token: str | None = None,
    token_file: PathLike | None = None,
    ca: PathLike | None = None,
    project: str | None = None,
    purpose: str | None = None,
    partial: bool = False,
    node: str | None = None,
    state: PathLike | None = None,
    timeout: float | None = None,
    progress: Listener | bool | None = None,
) -> Connection:
    """Connect to a gateway, and call it once.

    What is not given comes from the environment, by the variables of the program ``wanqu`` (``WANQU_GATEWAY``, ``WANQU_CA``,
    ``WANQU_TOKEN_FILE`` or ``WANQU_TOKEN``, ``WANQU_PROJECT``, ``WANQU_PURPOSE``). If no gateway is named at all, it is that of
    the local federation which ``wanqu demo`` or ``wanqu up`` runs.

    :param gateway: ``HOST:PORT`` or ``grpc+tls://HOST:PORT``. The connection is always on TLS.
    :param token: the token of the one who asks, or
    :param token_file: the file that holds it, which is read again for every question, because tokens are renewed
    :param ca: certificates of the authorities that may vouch for the gateway: a PEM file, or its text. Without them, those of
        the machine.
    :param project: the research project that questions belong to
    :param purpose: their purpose
    :param partial: answer even if a jurisdiction is missing; the rows are marked, and the account names it
    :param node: the jurisdiction of the local federation that is asked
    :param state: the state folder of the local federation
    :param timeout: the most seconds that asking, and each fetching of rows, may take; without it, the gateway's own limit holds
    :param progress: a function that takes each :class:`Progress`; ``False`` for none. Without it, a notebook shows a line once a
        question takes long.
    :raises SettingsError: if what is given cannot be used; nothing was sent
    :raises NotIdentified: if the token or the gateway's certificate does not hold
    :raises Unavailable: if the gateway cannot be reached, or no local federation runs
    """
    found = settings.find(
        gateway, token=token, token_file=token_file, ca=ca, project=project, purpose=purpose, node=node, state=state
    )
    connection = Connection(found, partial=partial, timeout=timeout, progress=progress)
    try:
        connection._gateway.greet()
    except BaseException:
        connection.close()
        raise
    return connection


class Connection:
    """A gateway with the project and the purpose of the questions that are asked there. :func:`connect` makes it.

    Threads may share a connection: their questions are asked at the same time, each on a connection of ADBC of its own. After
    ``fork`` a process needs one of its own.
    """

    def __init__(
        self,
        found: Settings,
        *,
        partial: bool = False,
        timeout: float | None = None,
        progress: Listener | bool | None = None,
    ) -> None:
        if timeout is not None and not timeout > 0:
            raise settings.SettingsError("timeout is no number of seconds above 0")
        self._settings = found
        self._partial = partial
        self._progress = progress
        self._gateway = Gateway(found, timeout)

    @property
    def gateway(self) -> str:
        """``HOST:PORT`` of the gateway."""
        return self._settings.gateway

    @property
    def project(self) -> str | None:
        """Project of questions that name none."""
        return self._settings.project

    @property
    def purpose(self) -> str | None:
        """Purpose of questions that name none."""
        return self._settings.purpose

    def sql(
        self,
        text: str,
        params: Sequence[object] = (),
        *,
        project: str | None = None,
        purpose: str | None = None,
        partial: bool | None = None,
        mark_incomplete: bool = False,
    ) -> Result:
        """Ask a query, and wait for its answer.

        The owners are asked once, however often the rows of the result are fetched.

        :param text: one query; parameters are written ``?``, or ``$1``, ``$2`` and so on
        :param params: the values of the parameters, in their order
        :param project: another project than the connection's
        :param purpose: another purpose than the connection's
        :param partial: answer even if a jurisdiction is missing; the rows are marked
        :param mark_incomplete: give the result the column ``may_lack_a_part``, which marks the rows that may lack an owner's
            part. Without it, :attr:`Result.lacking` has the marks.
        :raises Refused: one of its subclasses says what refused it
        """
        parameters.check_text(text, "the query")
        if not text.strip():
            raise refusal("invalid-sql", "there is no query", rule="a request is one SELECT statement")
        asked = self._settings.with_purpose(project, purpose)
        partial = self._partial if partial is None else partial
        # A text that itself says whether rows are marked goes before headers.
        marked = "wanqu.mark_incomplete" not in text.lower()
        headers = {"wanqu-project": asked.project, "wanqu-purpose": asked.purpose}
        headers["wanqu-partial"] = "true" if partial else None
        headers["wanqu-mark-incomplete"] = "true" if marked else None
        values = parameters.row(params)
        for name, value in headers.items():
            settings.check_header(name, value)
        with watched(self._progress) as watch:
            sent = {name: value for name, value in headers.items() if value is not None}
            info = self._gateway.ask(text, values, sent, watch)
            watch.tell("done", 0, info.total_records)
        # What explains a query has no rows of anybody's, and no marks.
        marked = marked and info.schema.names[-1:] == [MARK]
        kept = Kept(self._gateway, info, marked=marked, shown=mark_incomplete or partial, listener=self._progress)
        return Result(text, kept)

    def explain(self, text: str, params: Sequence[object] = ()) -> Result:
        """Show which SQL each owner would be asked, and how their answers would be merged. Nothing is run."""
        return self.sql(f"EXPLAIN {text}", params)

    def explain_policy(self, text: str, params: Sequence[object] = ()) -> Result:
        """Show, for each column and operator of a query, the rule of each owner that admits or refuses it. Nothing is run."""
        return self.sql(f"EXPLAIN POLICY {text}", params)

    def catalog(self, name: str | None = None) -> Rows:
        """List the tables that a query can name; or, with a part of a name, the columns of the tables that have it."""
        listing = self._gateway.listing()
        return TableRows(overview(listing) if name is None else columns_of(listing, name))

    def cancel(self) -> None:
        """Cancel the questions that other threads are asking by this connection, at their owners too.

        They end with :class:`Cancelled`. Ctrl-C, or the button that interrupts a notebook, does the same to the one of the main
        thread.
        """
        self._gateway.cancel()

    def close(self) -> None:
        """Close the connection. Questions that run are cancelled; rows that were not fetched cannot be fetched any more."""
        self._gateway.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<wanqu.Connection to {self.gateway}, project {self.project}, purpose {self.purpose}>"
