"""Who a client is when proxies of the operator's own stand in front: they say it, and as many of them are believed as
were counted.

Each proxy puts behind what it was sent the address that it was sent it from. So, from the right, the first entry was
written by the proxy that we see ourselves, the second by the one before it, and what stands left of the outermost
proxy's own entry was written by whoever came to it: by the client.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv6Address, ip_address

from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.model.route import Hello

_ADDRESS = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)")
_PAIR = re.compile(r"""[ \t]*+(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+|"(?:[^"\\]|\\.)*"))?"""
                   r"[ \t]*+([,;]|$)")  # fmt: skip
"""One `name=value` of a Forwarded field and what ends it (RFC 7239 section 4); values with a port are seen unquoted."""


def trace(request: Request, hops: int) -> None:
    """Make a request say who sent it to the first of so many trusted proxies, and how. Raises Refusal."""
    if hops:
        request.client, request.via, request.secure = _origin(request.client, request.secure, request.fields, hops)
        request.certificate = ""  # it is that of the nearest proxy


def traced(hello: Hello, hops: int) -> Hello:
    """The same hello, from whom the first of so many trusted proxies had it. Raises Refusal."""
    if not hops:
        return hello
    client, via, secure = _origin(hello.client, hello.secure, hello.fields, hops)
    return replace(hello, client=client, via=via, secure=secure, certificate="")


def _origin(peer: str, secure: bool, fields: Fields, hops: int) -> tuple[str, tuple[str, ...], bool]:
    addresses, schemes = _listed(fields, b"x-forwarded-for"), _listed(fields, b"x-forwarded-proto")
    elements = _elements(fields)
    told = _walk(peer, addresses, hops) if addresses else None
    if elements:
        also = _walk(peer, [element.get("for", "") for element in elements], hops)
        # A proxy writes one of the two and lets the other pass: which, is not for us to guess.
        if told is not None and told[0] != also[0]:
            raise Refusal(400, "forwarded", "Forwarded and X-Forwarded-For name different clients")
        told = also
        schemes = schemes or [element.get("proto", "") for element in elements]
    scheme = schemes[-hops:][0].lower() if schemes else ""
    client, via = told if told is not None else (peer, ())
    return client, via, scheme in ("https", "wss") if scheme in ("https", "wss", "http", "ws") else secure


def _walk(peer: str, entries: Sequence[str], hops: int) -> tuple[str, tuple[str, ...]]:
    """Who the client is, and the proxies behind it, the nearest last."""
    client = peer
    via: tuple[str, ...] = ()
    for entry in reversed(entries[-hops:]):
        named = address_in(entry)
        if named is None:
            break  # `unknown`, or a name of its own: nobody can say more than who has written this
        client, via = named, (client, *via)
    return client, via


def address_in(entry: str) -> str | None:
    """The address of an entry, with or without a port, in its usual form; None if there is none in it."""
    match = _ADDRESS.fullmatch(entry)
    try:
        address = ip_address(match[1] or match[2] or match[3]) if match is not None else None
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address) if address is not None else None


def _listed(fields: Fields, name: bytes) -> list[str]:
    """The entries of a list in one or more fields (RFC 9110 section 5.3)."""
    values = [value for key, value in fields if key == name]
    return [entry.strip() for entry in b",".join(values).decode("latin-1").split(",")] if values else []


def _elements(fields: Fields) -> list[dict[str, str]]:
    """The elements of all Forwarded fields. Raises Refusal for one whose end two readers might see in two places."""
    elements: list[dict[str, str]] = []
    for key, value in fields:
        if key == b"forwarded":
            elements += _elements_of(value.decode("latin-1"))
    return elements


def _elements_of(text: str) -> list[dict[str, str]]:
    elements: list[dict[str, str]] = [{}]
    at, end = 0, ";"
    while end:
        pair = _PAIR.match(text, at)
        if pair is None:
            raise Refusal(400, "forwarded", "Forwarded is not as RFC 7239 has it")
        if pair[1]:
            elements[-1][pair[1].lower()] = re.sub(r"\\(.)", r"\1", pair[2][1:-1]) if pair[2][0] == '"' else pair[2]
        at, end = pair.end(), pair[3]
        if end == ",":
            elements.append({})
    return elements
