"""The federation that the tests ask: a file of JSON, which WANQU_TEST_FEDERATION names, says how it is reached.

`cargo test -p wanqu-tests --test python_package` starts one and runs all tests. Without one, those that need it are skipped.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import wanqu


@dataclass(frozen=True)
class Federation:
    gateway: str
    ca: Path
    token: Path
    project: str
    purpose: str
    #: Token of somebody else whom the gateway knows.
    stranger: Path
    #: Token of `lacking` that has expired.
    expired: Path
    #: Certificate of an authority that does not vouch for the gateway.
    other_ca: Path
    #: State folder of the federation, as `wanqu up` keeps one.
    state: Path
    #: How another federation is reached, in which a node has ended.
    lacking: dict[str, str]

    def connect(self, **how: Any) -> wanqu.Connection:
        given = {"ca": self.ca, "project": self.project, "purpose": self.purpose, **how}
        if "token" not in given:
            given.setdefault("token_file", self.token)
        return wanqu.connect(given.pop("gateway", self.gateway), **given)


@pytest.fixture(scope="session")
def federation() -> Federation:
    described = os.environ.get("WANQU_TEST_FEDERATION")
    if not described:
        pytest.skip("no federation runs: WANQU_TEST_FEDERATION names none")
    told: dict[str, Any] = json.loads(Path(described).read_text(encoding="utf-8"))
    paths = ("ca", "token", "stranger", "expired", "other_ca", "state")
    told |= {name: Path(told[name]) for name in paths}
    return Federation(**told)


@pytest.fixture
def connection(federation: Federation) -> Iterator[wanqu.Connection]:
    with federation.connect() as connection:
        yield connection


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WANQU_") and name != "WANQU_TEST_FEDERATION"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state-of-nobody"))
