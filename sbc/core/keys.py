"""Where a route finds the client's own key of a session in a request, and in an answer whose node makes the keys."""

import base64
import binascii
import re
from typing import Any
from urllib.parse import parse_qsl

import orjson

from sbc.core.octets import index
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request, first
from sbc.model.route import KeySource, SessionKey

_QUERY = ord("?")
LONGEST_KEY = 512
"""Characters, as a client sends it: its own, or one that a node made and the edge sealed."""
LONGEST_MINTED = 256
"""What a node makes is longer once it is sealed."""


def route_key(request: Request, key: SessionKey, body: bytes | None) -> str | None:
    """The key of a session that a request carries; None: none. Raises Refusal for one that is too long."""
    found = _find(request, key, body)
    if found is not None and len(found) > LONGEST_KEY:
        raise Refusal(400, "session_key", f"a session key has at most {LONGEST_KEY} characters")
    return found or None


def session_token(request: Request) -> str | None:
    """What a client shows as the token of its session: `Session-Id`, or `session` in the query (docs/DESIGN.md 5.3).

    Where the route takes its keys from the same place, `Seal.ours` has to tell tokens and keys apart.
    """
    value = first(request.fields, b"session-id")
    if value is not None:
        return value.decode("latin-1")
    target = request.target
    return _parameter(target, "session") if index(target, _QUERY) >= 0 and b"session=" in target else None


def _find(request: Request, key: SessionKey, body: bytes | None) -> str | None:
    header = key.header
    if header is not None:  # the most usual place
        value = first(request.fields, header)
        return value.decode("latin-1") if value is not None else None
    match key.source:
        case KeySource.COOKIE:
            return _cookie(request.fields, key.name)
        case KeySource.QUERY:
            return _parameter(request.target, key.name)
        case KeySource.PATH:
            segments = request.path.decode("latin-1").strip("/").split("/")
            return segments[int(key.name)] if int(key.name) < len(segments) else None
        case KeySource.CLAIM:
            return _claim(request.first(b"authorization"), key.name)
        case KeySource.BODY:
            return field_of(body, key.name)
        case _:
            return None


def _cookie(fields: Fields, name: str) -> str | None:
    for field, value in fields:
        if field == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                found, _, text = pair.strip().partition("=")
                if found == name:
                    return text
    return None


def _parameter(target: bytes, name: str) -> str | None:
    query = target.partition(b"?")[2].decode("latin-1")
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key == name:
            return value
    return None


def _claim(authorization: bytes | None, name: str) -> str | None:
    """A claim of a bearer token (RFC 7519). It only says where the session is: whether it is true, the node judges."""
    scheme, _, token = (authorization or b"").partition(b" ")
    parts = token.strip().split(b".")
    if scheme.lower() != b"bearer" or len(parts) != 3:
        return None
    try:
        text = base64.urlsafe_b64decode(parts[1] + b"=" * (-len(parts[1]) % 4))
    except (binascii.Error, ValueError):
        return None
    return field_of(text, name)


def field_of(body: bytes | None, path: str) -> str | None:
    """The field at a dotted path of a JSON document, if it is text or a number."""
    if not body:
        return None
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, str):
        return found
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None


def may_be_minted(key: SessionKey) -> bool:
    """Whether a node can make the key, and tell it in its answer."""
    return key.source in (KeySource.HEADER, KeySource.COOKIE, KeySource.BODY)


def minted(fields: Fields, key: SessionKey) -> str | None:
    """The key that a node tells in the head of its answer; one that is too long is none."""
    told: bytes | None = None
    header = key.header
    if header is not None:
        told = first(fields, header)
    elif key.source is KeySource.COOKIE:
        name = key.name.encode()
        for field, value in fields:
            if field == b"set-cookie" and value.partition(b"=")[0].strip() == name:
                told = value.partition(b"=")[2].partition(b";")[0]
                break
    return told.decode("latin-1") if told is not None and len(told) <= LONGEST_MINTED else None


def with_key(fields: Fields, key: SessionKey, old: str, new: str) -> Fields:
    """The same fields with another value of the key, in a request or an answer."""
    name, before, after = key.name.encode(), old.encode("latin-1"), new.encode("latin-1")
    if key.source is KeySource.HEADER:
        return [(field, after if field == name and value == before else value) for field, value in fields]
    if key.source is KeySource.COOKIE:
        pair = re.compile(rb"(?:^|(?<=;)) *" + re.escape(name) + rb" *= *(" + re.escape(before) + rb") *(?=;|$)")
        return [
            (field, _put(pair, after, value) if field in (b"cookie", b"set-cookie") else value)
            for field, value in fields
        ]  # fmt: skip
    return fields


def _put(pair: re.Pattern[bytes], after: bytes, value: bytes) -> bytes:
    found = pair.search(value)
    return value if found is None else value[: found.start(1)] + after + value[found.end(1) :]
