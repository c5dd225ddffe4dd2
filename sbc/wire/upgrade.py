"""The WebSocket opening handshake (RFC 6455 section 4) as bytes: what is written and what is asked for."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from sbc.model.errors import Refusal
from sbc.model.http import Fields, first

Headers = Sequence[tuple[str, str]]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

DEFLATE = "permessage-deflate"


def accept_key(key: str) -> str:
    """What `Sec-WebSocket-Accept` has to be for this `Sec-WebSocket-Key` (section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


def values(fields: Fields, name: bytes) -> list[str]:
    """All values of a (lower-case) field, comma-separated lists taken apart."""
    if first(fields, name) is None:
        return []
    said = b",".join([value for key, value in fields if key == name]).decode("latin-1")
    return [part for value in said.split(",") if (part := value.strip())]


def check_upgrade(method: bytes, fields: Fields) -> str:
    """The key of a request that is a proper WebSocket handshake (section 4.2.1). Raises Refusal."""
    if method != b"GET":
        raise Refusal(405, "method", "a WebSocket handshake is a GET", headers=[("Allow", "GET")])
    if not _names(fields, b"upgrade", b"websocket"):
        raise Refusal(426, "not_websocket", "this address speaks WebSocket", headers=[("Upgrade", "websocket")])
    if not _names(fields, b"connection", b"upgrade"):
        raise Refusal(400, "bad_handshake", "Connection: Upgrade is missing")
    if [value for name, value in fields if name == b"sec-websocket-version"] != [b"13"]:
        raise Refusal(426, "websocket_version", "version 13 is spoken here", headers=[("Sec-WebSocket-Version", "13")])
    keys = [value.decode("latin-1") for name, value in fields if name == b"sec-websocket-key"]
    if len(keys) != 1 or not _is_key(keys[0]):
        raise Refusal(400, "bad_handshake", "Sec-WebSocket-Key has to be there once, 16 bytes in base64")
    return keys[0]


def upgraded(fields: Fields) -> bool:
    """Whether an answer says that from here on WebSocket is spoken (section 4.1)."""
    return _names(fields, b"upgrade", b"websocket") and _names(fields, b"connection", b"upgrade")


def _names(fields: Fields, name: bytes, token: bytes) -> bool:
    """Whether a list of tokens, of which the case is of no matter, has this one."""
    value = first(fields, name)
    if value is None or value.lower() == token:
        return value is not None
    return token.decode() in [part.lower() for part in values(fields, name)]


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def deflate_offer(fields: Fields) -> str | None:
    """What to offer a node so that a handover cannot break the compression; None if the client offers none.

    Without context takeover each message stands for itself (RFC 7692 section 7.1.1), whoever sends the next one.
    A client that asks for a smaller window of the server's is asked about nothing else, so it goes without.
    """
    for extension in values(fields, b"sec-websocket-extensions"):
        name, _, parameters = extension.partition(";")
        if name.strip().lower() == DEFLATE and "server_max_window_bits" not in parameters.lower():
            return f"{DEFLATE}; server_no_context_takeover; client_no_context_takeover"
    return None


def deflate_agreed(answer: str | None, offered: str | None) -> bool | None:
    """Whether a node agreed to the offer. None: it answered something that was not offered."""
    if not answer:
        return False
    name, *parameters = (part.strip().lower() for part in answer.split(";"))
    # A smaller window of the server's (section 7.1.2.1) binds nobody else: whoever can inflate, can inflate that.
    parameters = [parameter for parameter in parameters if not parameter.startswith("server_max_window_bits=")]
    allowed = {"server_no_context_takeover", "client_no_context_takeover"}
    if offered is None or name != DEFLATE or not set(parameters) <= allowed:
        return None
    return True if "server_no_context_takeover" in parameters else None


AGREED = f"{DEFLATE}; server_no_context_takeover; client_no_context_takeover"
"""What the client is answered when its node agreed."""


def header_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Header fields as they stand in a head. Values come from parsers that refuse control characters, or from us."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")


def head(first_line: str, headers: Iterable[tuple[str, str]], lines: bytes = b"") -> bytes:
    """An HTTP/1.1 head; `lines` are further fields that were put in form before."""
    return first_line.encode("latin-1") + b"\r\n" + lines + header_lines(headers) + b"\r\n"


def refusal(refused: Refusal) -> bytes:
    """A whole HTTP answer for a hello that is refused; the connection is closed after it."""
    body = f'{{"error": {{"code": "{refused.code}", "message": "{_plain(refused.detail)}"}}}}\n'.encode()
    headers = [*refused.headers, ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if refused.retry_after is not None:
        headers.append(("Retry-After", str(max(1, round(refused.retry_after)))))
    headers += [("Session-Outcome", refused.outcome.value), ("Connection", "close")]
    try:
        phrase = HTTPStatus(refused.status).phrase
    except ValueError:
        phrase = "Refused"
    return head(f"HTTP/1.1 {refused.status} {phrase}", headers) + body


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() and char not in '"\\' and char < "\x7f" else "?" for char in text)
