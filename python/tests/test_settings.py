import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

import wanqu
from wanqu import settings

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def find(gateway: str | None = None, **given: Any) -> settings.Settings:
    names = ("token", "token_file", "ca", "project", "purpose", "node", "state")
    return settings.find(gateway, **{name: given.get(name) for name in names})


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("gateway.example:32010", "gateway.example:32010"),
        ("grpc+tls://gateway.example:1", "gateway.example:1"),
        ("https://127.0.0.1:2/", "127.0.0.1:2"),
        ("flightsql://[::1]:3", "[::1]:3"),
    ],
)
def test_a_gateway_is_written_in_any_of_these_ways(written: str, address: str) -> None:
    assert find(written, token="t").gateway == address


@pytest.mark.parametrize(
    "gateway",
    [
        "",
        "gateway",
        "gateway:x",
        "gateway:99999999",
        "grpc://gateway:1",
        "http://gateway:1",
        "grpc+tcp://g:1",
        "me:secret@gateway:1",
        "gateway:1/path",
        "gateway:1?transport=tcp",
        "grpc+tls://",
        "unix:///socket",
    ],
)
def test_what_is_no_gateway_on_tls_is_refused(gateway: str) -> None:
    with pytest.raises(wanqu.SettingsError, match="is no gateway") as error:
        find(gateway, token="t")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("token", ["", " ", "two words", "line\nbreak", "湾", "a\0b"])
def test_what_is_no_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(wanqu.SettingsError, match="one word") as error:
        find("g:1", token=token).token()
    assert not token.strip() or token not in str(error.value)


def test_a_token_in_a_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    found = find("g:1", token_file=file)
    assert found.token() == "one"
    file.write_text("two")
    assert found.token() == "two"
    file.unlink()
    with pytest.raises(wanqu.SettingsError, match="cannot be read"):
        found.token()


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(find("g:1", token="secret"))


def test_the_environment_says_what_arguments_do_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(PEM)
    for name, value in {"GATEWAY": "g:1", "TOKEN": "t", "CA": str(ca), "PROJECT": "p", "PURPOSE": "why"}.items():
        monkeypatch.setenv(f"WANQU_{name}", value)
    found = find()
    assert (found.gateway, found.token(), found.ca, found.project, found.purpose) == ("g:1", "t", PEM, "p", "why")
    given = find("h:2", token="u", ca=PEM, project="q", purpose="because")
    assert (given.gateway, given.token(), given.ca, given.project, given.purpose) == ("h:2", "u", PEM, "q", "because")
    monkeypatch.setenv("WANQU_TOKEN_FILE", "f")
    with pytest.raises(wanqu.SettingsError, match="both set"):
        find()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"token": "t", "token_file": "f"}, "token and token_file are both given"),
        ({}, "there is no token for g:1"),
        ({"token": "t", "ca": "/no/such/file"}, "/no/such/file cannot be read"),
        ({"token": "t", "ca": "-----BEGIN PRIVATE KEY-----"}, "the CA is no certificate"),
        ({"token": "t", "node": "HK"}, "name one of them"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(given: dict[str, str], words: str) -> None:
    with pytest.raises(wanqu.SettingsError, match=words):
        find("g:1", **given)
    with pytest.raises(ValueError, match=words):
        wanqu.connect("g:1", **given)  # type: ignore[arg-type]


def state(folder: Path, **changed: Any) -> Path:
    (folder / "ca").write_text(PEM)
    (folder / "token").write_text("TOKEN")
    projects = [{"name": "care", "purposes": ["planning", "teaching"]}, {"name": "air", "purposes": []}]
    researcher = {"subject": {}, "token": str(folder / "token"), "projects": projects}
    node = {
        "jurisdiction": "HK",
        "gateway": "https://127.0.0.1:1",
        "ca": str(folder / "ca"),
        "researchers": [researcher],
    }
    empty = {**node, "jurisdiction": "MO", "researchers": []}
    record = {"federation": "gba", "pid": 4711, "defaultNode": "HK", "nodes": [node, empty], **changed}
    (folder / "federation.json").write_text(json.dumps(record))
    (folder / "lock").touch()
    return folder


def test_the_local_federation_is_found_by_its_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = state(tmp_path)
    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = find(state=folder)
        assert (found.gateway, found.ca, found.token()) == ("127.0.0.1:1", PEM, "TOKEN")
        assert (found.project, found.purpose) == ("care", "planning")
        monkeypatch.setenv("WANQU_HOME", str(folder))
        assert find() == found
        air = find(project="air")
        assert (air.project, air.purpose) == ("air", None)
        other = find(project="other", purpose="x")
        assert (other.project, other.purpose) == ("other", "x")
        with pytest.raises(wanqu.Unavailable, match="CN-SZ is no member") as unknown:
            find(node="CN-SZ")
        assert "HK, MO" in str(unknown.value)
        with pytest.raises(wanqu.Unavailable, match="nobody may ask at MO"):
            find(node="MO")
    with pytest.raises(wanqu.Unavailable, match=r"process 4711\) has ended"):
        find()


@pytest.mark.parametrize(
    "changed", [{"nodes": None}, {"nodes": [1]}, {"defaultNode": 7}, {"nodes": [{"jurisdiction": "HK"}]}]
)
def test_a_record_that_cannot_be_read_is_said(tmp_path: Path, changed: dict[str, Any]) -> None:
    folder = state(tmp_path, **changed)
    with (folder / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(wanqu.Unavailable, match=r"cannot be understood|no member") as error:
            find(state=folder)
    assert "wanqu demo" in str(error.value) or "name one of its members" in str(error.value)


def test_without_a_federation_it_is_said_how_to_start_one() -> None:
    with pytest.raises(wanqu.Unavailable, match="no local federation runs from") as error:
        wanqu.connect()
    assert "wanqu demo" in (error.value.remedy or "")
