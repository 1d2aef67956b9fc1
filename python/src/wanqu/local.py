"""The local federation that ``wanqu demo`` or ``wanqu up`` runs, as its state folder describes it.

The folder is that of ``WANQU_HOME``, or else ``wanqu`` in the user's state folder, as for the program ``wanqu``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .refusal import Unavailable

_START = 'start one with `wanqu demo` or `wanqu up -f DIR`, or name a gateway: wanqu.connect("HOST:PORT", …)'


@dataclass(frozen=True)
class LocalNode:
    """A node of the local federation, with one of its researchers."""

    gateway: str
    ca: Path
    token: Path
    project: str | None
    purpose: str | None


def state_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the state folder: the given one, that of ``WANQU_HOME``, or the user's own."""
    named = given or os.environ.get("WANQU_HOME")
    if named:
        return Path(named).absolute()
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return base / "wanqu"


def local_node(folder: Path, node: str | None, project: str | None) -> LocalNode:
    """Return a node of the federation that runs from a folder, and the researcher of a project there.

    Without a name it is the node whose researchers can query most jurisdictions. Without a project it is the researcher's first,
    with its first purpose.
    """
    try:
        state = _running(folder)
        return _node(state, node, project)
    except (KeyError, TypeError, ValueError) as error:
        raise _none(f"{folder / 'federation.json'} cannot be understood") from error


def _running(folder: Path) -> dict[str, Any]:
    """Return the record of the federation that runs from a folder."""
    record = folder / "federation.json"
    try:
        state: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    except OSError as error:
        raise _none(f"no local federation runs from {folder}") from error
    if not _is_locked(folder / "lock"):
        raise _none(f"the local federation {state['federation']} (process {state['pid']}) has ended")
    return state


def _is_locked(lock: Path) -> bool:
    """Return true if a process holds the lock of a state folder, as the one that runs a federation does."""
    try:
        import fcntl  # noqa: PLC0415 - of Unix alone
    except ImportError:
        # Elsewhere the record is believed: the first question tells.
        return True
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _node(state: dict[str, Any], wanted: str | None, project: str | None) -> LocalNode:
    wanted = wanted or state["defaultNode"]
    node = next((one for one in state["nodes"] if one["jurisdiction"] == wanted), None)
    if node is None:
        known = ", ".join(one["jurisdiction"] for one in state["nodes"])
        raise Unavailable(
            f"{wanted} is no member of the local federation {state['federation']}",
            code="owner-unavailable",
            remedy=f"name one of its members: {known}",
        )
    researcher = _researcher(node, project)
    projects = researcher["projects"]
    purposes: dict[str, list[str]] = {one["name"]: one["purposes"] for one in projects}
    chosen = project or next(iter(purposes), None)
    return LocalNode(
        gateway=node["gateway"],
        ca=Path(node["ca"]),
        token=Path(researcher["token"]),
        project=chosen,
        purpose=next(iter(purposes.get(chosen or "", ())), None),
    )


def _researcher(node: dict[str, Any], project: str | None) -> dict[str, Any]:
    """Return the first researcher who takes part in a project, or else the node's first."""
    everybody: list[dict[str, Any]] = node["researchers"]
    for researcher in everybody:
        if project is None or any(one["name"] == project for one in researcher["projects"]):
            return researcher
    if not everybody:
        raise Unavailable(
            f"nobody may ask at {node['jurisdiction']}",
            code="owner-unavailable",
            rule="a question is asked by a subject of a project, whom an issuer of the node's jurisdiction vouches for",
            remedy="name another node of the local federation",
        )
    return everybody[0]


def _none(what: str) -> Unavailable:
    return Unavailable(what, code="owner-unavailable", remedy=_START)
