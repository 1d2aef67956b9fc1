"""Which gateway is asked, and as whom: from arguments, the environment, or the local federation, in this order.

The variables are those of the program ``wanqu``: ``WANQU_GATEWAY``, ``WANQU_CA``, ``WANQU_TOKEN_FILE``, ``WANQU_PROJECT``,
``WANQU_PURPOSE``, ``WANQU_HOME``; and ``WANQU_TOKEN``, a token itself.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from .local import local_node, state_folder

PathLike: TypeAlias = str | os.PathLike[str]

_SCHEMES = ("", "https", "grpc+tls", "flightsql")
_PEM = "-----BEGIN CERTIFICATE-----"


class SettingsError(ValueError):
    """What was given to connect with cannot be used. Nothing was sent."""


@dataclass(frozen=True)
class Settings:
    """A gateway, and the one who asks there."""

    #: ``HOST:PORT``
    gateway: str
    #: Certificates of the authorities that may vouch for the gateway, PEM; ``None`` for those that the drivers trust.
    ca: str | None = field(repr=False)
    project: str | None
    purpose: str | None
    _token: str | None = field(repr=False)
    _token_file: Path | None

    def token(self) -> str:
        """Return the token. One that lies in a file is read anew, because files are renewed."""
        if self._token_file is None:
            return _token_text(self._token or "", "the token")
        return _token_text(_read(self._token_file), f"the token in {self._token_file}")

    def with_purpose(self, project: str | None, purpose: str | None) -> Settings:
        """Return the settings with another project or purpose, where these are given."""
        return replace(self, project=project or self.project, purpose=purpose or self.purpose)


def find(
    gateway: str | None,
    *,
    token: str | None,
    token_file: PathLike | None,
    ca: PathLike | None,
    project: str | None,
    purpose: str | None,
    node: str | None,
    state: PathLike | None,
) -> Settings:
    """Return the settings of a connection."""
    if token is not None and token_file is not None:
        raise SettingsError("token and token_file are both given: give one of them")
    project = project or os.environ.get("WANQU_PROJECT") or None
    purpose = purpose or os.environ.get("WANQU_PURPOSE") or None
    if gateway is None and node is None and state is None:
        gateway = os.environ.get("WANQU_GATEWAY") or None
    elif gateway is not None and (node is not None or state is not None):
        raise SettingsError("a gateway is named, and a node of the local federation: name one of them")
    if token is None and token_file is None:
        token, token_file = _token_of_environment()
    if gateway is not None:
        ca = ca if ca is not None else os.environ.get("WANQU_CA") or None
        if token is None and token_file is None:
            raise SettingsError(
                f"there is no token for {gateway}: give token or token_file, or set WANQU_TOKEN_FILE or WANQU_TOKEN"
            )
        file = Path(token_file) if token_file is not None else None
        return Settings(_address(gateway), _pem(ca), project, purpose, token, file)
    local = local_node(state_folder(state), node, project)
    if token is None and token_file is None:
        token_file = local.token
    return Settings(
        gateway=_address(local.gateway),
        ca=_pem(ca if ca is not None else local.ca),
        project=project or local.project,
        purpose=purpose or local.purpose,
        _token=token,
        _token_file=Path(token_file) if token_file is not None else None,
    )


def check_header(name: str, value: str | None) -> None:
    """Check that a value can be sent as a header."""
    if value is not None and not (value.isascii() and value.isprintable() and value):
        raise SettingsError(f"{name} is {value!r}: names of projects and purposes are printable ASCII")


def _token_of_environment() -> tuple[str | None, PathLike | None]:
    token, file = os.environ.get("WANQU_TOKEN") or None, os.environ.get("WANQU_TOKEN_FILE") or None
    if token is not None and file is not None:
        raise SettingsError("WANQU_TOKEN and WANQU_TOKEN_FILE are both set: unset one of them")
    return token, file


def _address(gateway: str) -> str:
    """Return ``HOST:PORT`` of what names a gateway. A connection is always on TLS."""
    parts = urlsplit(gateway if "://" in gateway else f"//{gateway}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    # A password that somebody wrote before the host is not repeated.
    shown = repr(gateway) if "@" not in gateway else "what stands before and after the @"
    if parts.scheme not in _SCHEMES:
        raise SettingsError(
            f"{shown} is no gateway: a gateway speaks TLS, and is written HOST:PORT or grpc+tls://HOST:PORT"
        )
    if not host or not port or "@" in gateway or parts.path.strip("/") or parts.query or parts.fragment:
        raise SettingsError(f"{shown} is no gateway: write HOST:PORT or grpc+tls://HOST:PORT")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _pem(ca: PathLike | None) -> str | None:
    """Return certificates that are given as text, or as the file that holds them; without either, those of the machine."""
    if ca is None:
        return _of_the_machine()
    text = ca if isinstance(ca, str) and "-----BEGIN" in ca else _read(Path(ca))
    if _PEM not in text:
        raise SettingsError("the CA is no certificate: it is a file of certificates in PEM, or their text")
    return text


def _of_the_machine() -> str | None:
    """Return the authorities that this machine trusts; ``None`` if only the drivers know where these are."""
    trusted = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in trusted) or None


def _token_text(text: str, what: str) -> str:
    text = text.strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError(f"{what} is none: a token is one word of ASCII letters, digits and signs")
    return text


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{file} is no text") from error
