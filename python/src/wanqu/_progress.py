"""Progress of a query that runs."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds between two looks.
_PAUSE = 0.1

#: Width of the bar.
_WIDTH = 30


@contextmanager
def told(look: Callable[[], float], progress: Callable[[float], object]) -> Iterator[None]:
    """Tell a change of what ``look`` returns while the block runs, and 1 at its end unless it fails."""
    done = threading.Event()

    def watch() -> None:
        last = -1.0
        while not done.wait(_PAUSE):
            part = look()
            if part != last:
                progress(part)
                last = part

    watcher = threading.Thread(target=watch, name="wanqu-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
    progress(1.0)


def show_progress(part: float) -> None:
    """Print a bar on standard error, for terminals and notebooks."""
    filled = round(part * _WIDTH)
    bar = "#" * filled + "." * (_WIDTH - filled)
    sys.stderr.write(f"\r[{bar}] {part:4.0%}" + ("\n" if part >= 1 else ""))
    sys.stderr.flush()
