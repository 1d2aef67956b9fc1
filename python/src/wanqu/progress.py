"""Progress of a question, as far as the driver tells of it.

The driver of ADBC hears nothing of a question between asking it and its end. So what is told is the stage and the time; that
an owner has answered, or how many questions go first, is not.
"""

from __future__ import annotations

import contextvars
import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Stage: TypeAlias = Literal["preparing", "asking", "fetching", "done", "failed"]

#: Seconds before a notebook shows anything: what is answered at once needs no progress.
PATIENCE = 0.5
_TICK = 1.0


@dataclass(frozen=True)
class Progress:
    """Where a question is."""

    stage: Stage
    #: Seconds since it began.
    seconds: float
    #: Rows that have come, while they are fetched.
    rows: int | None = None
    #: Rows of the answer, once that is known.
    total: int | None = None

    def __str__(self) -> str:
        after = f"{self.seconds:.1f} s"
        if self.stage == "asking":
            return f"asking the owners, {after}"
        if self.stage == "fetching":
            return f"fetching rows, {self.rows or 0} of {self.total}, {after}"
        if self.stage == "done":
            return f"answered after {after}: {'1 row' if self.total == 1 else f'{self.total} rows'}"
        return f"{self.stage}, {after}"


#: Takes each event, on the thread that asks.
Listener: TypeAlias = Callable[[Progress], None]


class Watch:
    """Tells a listener of the stages of one question."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._began = time.monotonic()

    def tell(self, stage: Stage, rows: int | None = None, total: int | None = None) -> None:
        """Tell of a stage that begins."""
        if self._listener is not None:
            self._listener(Progress(stage, time.monotonic() - self._began, rows, total))


@contextmanager
def watched(listener: Listener | bool | None) -> Iterator[Watch]:
    """Give a watch for one question: for a listener, or in a notebook for a line below the cell, or for nobody."""
    line = None
    if listener is None or listener is True:
        line = Line.here()
        listener = line.tell if line else None
    watch = Watch(listener or None)
    try:
        yield watch
    except GeneratorExit:
        # Whoever reads rows has enough of them.
        raise
    except BaseException:
        watch.tell("failed")
        raise
    finally:
        if line is not None:
            line.end()


class Line:
    """A line in a notebook that tells the time while a question runs."""

    def __init__(self, display: Callable[[str], Any]) -> None:
        self._display = display
        self._handle: Any = None
        self._last: tuple[Progress, float] | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        # What a thread shows belongs to the cell whose context it has.
        context = contextvars.copy_context()
        self._clock = threading.Thread(target=context.run, args=(self._tick,), name="wanqu-progress", daemon=True)

    @classmethod
    def here(cls) -> Line | None:
        """Return a line in the notebook that this runs in; ``None`` elsewhere."""
        ipython = sys.modules.get("IPython")
        shell = ipython.get_ipython() if ipython is not None else None
        if shell is None or not hasattr(shell, "kernel"):
            return None
        shown: Any = importlib.import_module("IPython.display")
        return cls(lambda text: shown.display({"text/plain": text}, raw=True, display_id=True))

    def tell(self, progress: Progress) -> None:
        """Take an event."""
        with self._lock:
            self._last = (progress, time.monotonic())
            if not self._clock.is_alive() and not self._ended.is_set() and self._clock.ident is None:
                self._clock.start()
            if self._handle is not None:
                self._show()

    def end(self) -> None:
        """Stop the clock."""
        self._ended.set()
        if self._clock.ident is not None:
            self._clock.join()

    def _tick(self) -> None:
        pause = PATIENCE
        while not self._ended.wait(pause):
            with self._lock:
                self._show()
            pause = _TICK

    def _show(self) -> None:
        if self._last is None:
            return
        progress, told = self._last
        seconds = (
            progress.seconds if progress.stage in ("done", "failed") else progress.seconds + time.monotonic() - told
        )
        text = str(Progress(progress.stage, seconds, progress.rows, progress.total))
        if self._handle is None:
            self._handle = self._display(text)
        else:
            self._handle.update({"text/plain": text}, raw=True)
