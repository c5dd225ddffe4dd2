"""The running edge, as the command line asks it: the admin API over the standard library's HTTP client."""

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import orjson
import typer

from sbc.model.errors import ConfigError, SbcError

VARIABLE: Final = "SBC_ADMIN"
TOKEN: Final = "SBC_ADMIN_TOKEN"
"""The variable with the token that is shown; never an option, which every user of the machine could read."""
USUAL: Final = "127.0.0.1:9070"
TIMEOUT: Final = 30.0
"""Seconds: a reload builds everything anew before it answers."""
LONGEST: Final = 64 * 1024 * 1024
"""Bytes of an answer that are read."""


class EdgeError(SbcError):
    """The edge refused, or there was no answer. The text is the reason, for a person."""


class _EveryStatus(urllib.request.HTTPErrorProcessor):
    """A refusal is an answer like any other: it is read, not raised."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response

    https_response = http_response


class RunningEdge:
    """One edge's admin API."""

    def __init__(self, base: str, token: str | None = None) -> None:
        """base: `http://HOST:PORT`. token: what to show there."""
        self.base = base
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        # No proxy from the environment: an edge on loopback is asked directly.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _EveryStatus)

    def ask(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None,
            timeout: float = TIMEOUT) -> Any:  # fmt: skip
        """The answer's JSON. timeout: seconds for it. Raises ConfigError for a reload with faults, EdgeError for
        everything else."""
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        url = self.base + path + (f"?{urlencode(asked)}" if asked else "")
        sent = None if body is None else orjson.dumps(body)
        request = urllib.request.Request(url, sent, self._headers, method=method)
        status, answer = self._exchange(request, timeout)
        if not 200 <= status < 300:
            raise self._refusal(status, answer)
        return self._read(answer)

    def _exchange(self, request: urllib.request.Request, timeout: float) -> tuple[int, bytes]:
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return response.status, response.read(LONGEST)
        except urllib.error.URLError as error:
            raise self._silence(error.reason) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._silence(error) from None

    def _read(self, body: bytes) -> Any:
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise EdgeError(f"what answers at {self.base} is not an edge")
        return answer

    def _refusal(self, status: int, body: bytes) -> SbcError:
        match self._read(body):
            case {"error": {"faults": [str(), *_] as faults}}:
                return ConfigError([str(fault) for fault in faults])
            case {"error": {"message": str(message)}}:
                return EdgeError(message)
            case _:
                return EdgeError(f"{self.base} answered with status {status}")

    def _silence(self, reason: object) -> EdgeError:
        why = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
        return EdgeError(f"no edge answers at {self.base}: {why or type(reason).__name__}")


def find(config: Path | None, admin: str | None) -> RunningEdge:
    """The edge at `admin`; else the one that `config` describes; else SBC_ADMIN; else the usual address.

    It is shown the token of SBC_ADMIN_TOKEN.

    Raises typer.BadParameter for an address or a token that is none, ConfigError for a faulty file.
    """
    if admin is not None:
        return RunningEdge(_base(admin, "--admin"), _token())
    if config is not None:
        return RunningEdge(f"http://{_configured(config)}", _token())
    return RunningEdge(_base(os.environ.get(VARIABLE) or USUAL, VARIABLE), _token())


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _configured(config: Path) -> str:
    from sbc.config import load  # noqa: PLC0415  (slow to import, and not needed with --admin)

    address = load(str(config)).admin.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"


def _base(address: str, where: str) -> str:
    parts = urlsplit(address if "://" in address else f"http://{address}")
    try:
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number
        sound = False
    if not sound or parts.path.strip("/") or parts.query or not address.isprintable() or " " in address:
        raise typer.BadParameter(f"{address!r} is no address: HOST:PORT or http://HOST:PORT is right", param_hint=where)
    return f"{parts.scheme}://{parts.netloc}"


def _token() -> str | None:
    token = os.environ.get(TOKEN, "").strip()
    # It goes into a header as it is, and what could not stand there would be told with it in the complaint.
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise typer.BadParameter("a token is visible ASCII characters without a space", param_hint=TOKEN)
    return token or None
