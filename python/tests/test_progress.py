import sys
import time
import types
from typing import Any

import pytest

from wanqu import progress


def test_a_listener_hears_each_stage_and_a_failure() -> None:
    heard: list[progress.Progress] = []
    with progress.watched(heard.append) as watch:
        watch.tell("asking")
        watch.tell("fetching", 3, 7)
    with pytest.raises(KeyboardInterrupt), progress.watched(heard.append) as watch:
        raise KeyboardInterrupt
    assert [one.stage for one in heard] == ["asking", "fetching", "failed"]
    assert str(heard[1]).startswith("fetching rows, 3 of 7, ")
    with progress.watched(False) as watch:
        watch.tell("asking")


class Notebook:
    """What a kernel shows, each line with its updates."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, kernel: bool = True) -> None:
        self.shown: list[list[str]] = []
        shell = types.SimpleNamespace(kernel=self) if kernel else types.SimpleNamespace()
        module: Any = types.ModuleType("IPython")
        module.get_ipython = lambda: shell
        display: Any = types.ModuleType("IPython.display")
        display.display = self.display
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        line = [data["text/plain"]]
        self.shown.append(line)
        return types.SimpleNamespace(update=lambda data, **_: line.append(data["text/plain"]))


def test_a_notebook_shows_a_line_only_while_a_question_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(monkeypatch)
    with progress.watched(None) as watch:
        watch.tell("asking")
        watch.tell("done", 0, 5)
    assert notebook.shown == []
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    monkeypatch.setattr(progress, "_TICK", 0.01)
    with progress.watched(None) as watch:
        watch.tell("asking")
        until = time.monotonic() + 10
        while not (notebook.shown and len(notebook.shown[0]) > 2) and time.monotonic() < until:
            time.sleep(0.01)
        watch.tell("done", 5, 5)
    (line,) = notebook.shown
    assert line[0].startswith("asking the owners, 0.")
    assert len(line) > 2
    assert line[-1].endswith(": 5 rows")


def test_elsewhere_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress.Line.here() is None
    Notebook(monkeypatch, kernel=False)
    assert progress.Line.here() is None
