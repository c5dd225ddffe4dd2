"""The kinds of text that a configuration is made of, as pydantic types.

Each says what is wrong with a value and what would be right. units.py has those with a unit.
"""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from sbc.config.faults import NOT_HERE, Wrong
from sbc.config.model import Address
from sbc.config.store_url import is_redis, redis_at

REDIS_URLS: Final = (
    "redis://HOST:PORT/DB, redis+sentinel://HOST:PORT,HOST:PORT/SERVICE or redis+cluster://HOST:PORT,HOST:PORT, with "
    "rediss for TLS")
PORT_MOST: Final = 65535
MOST_WORKERS: Final = 64
NODE_SCHEMES: Final = ("http", "https", "ws", "wss", "h2", "h2c")

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9][A-Za-z0-9-]{0,62}){0,20})"
_HOST_NAME = re.compile(_HOST)
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})")
_STORE = re.compile(r"memory:|sqlite:[^\x00-\x1f\x7f]{1,1024}")
_REDIS = r"rediss?(?:\+sentinel|\+cluster)?://[^/@?#\s]+(?:/[^/?#\s]*)*"
_JWKS_FILE = re.compile(r"file:[^\x00-\x1f\x7f]{1,1024}")
_JWKS_URL = re.compile(r"https?://[!-~]{1,1024}")
_ROUTE_PATH = re.compile(r"/[!-\"$->@-~]{0,1023}")


@dataclass(frozen=True, slots=True, eq=False)
class Reads:
    """A text that `read` makes a value of; `schema` is its JSON Schema."""

    read: Callable[[Any], Any]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)


def text(value: Any) -> str:
    """A text, not a number that looks like one. Raises Wrong."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        written = str(value).lower() if isinstance(value, bool) else str(value)
        raise Wrong("not a text", f'put it in quotes: "{written}"')
    raise Wrong("not a text", "one word or line")


def patterned(pattern: str, right: str, example: str) -> Reads:
    """A text that fits the pattern as a whole; `right` says in words which do."""
    compiled = re.compile(pattern)

    def read(value: Any) -> str:
        if compiled.fullmatch(text(value)) is None:
            raise Wrong("not usable here", right)
        return str(value)

    return Reads(read, {"type": "string", "pattern": f"^(?:{pattern})$", "examples": [example]})


def choice(*words: str, later: tuple[str, ...] = ()) -> Reads:
    """One of a few words; those of `later` have a meaning, but not in this version."""
    usable = "write " + " or ".join(words)

    def read(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return value
        if isinstance(value, str) and value in later:
            raise Wrong(NOT_HERE, usable)
        text(value)
        raise Wrong("not a word that is known here", usable)

    return Reads(read, {"type": "string", "enum": list(words)})


def workers(value: Any) -> int:
    """The number of processes; `auto`: one for each processor that this one may use. Raises Wrong."""
    if value == "auto":
        return min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_WORKERS:
        raise Wrong("not a number of processes", f"auto, or 1 to {MOST_WORKERS}")
    return value


def address(value: Any) -> Address:
    """`127.0.0.1:8080` or `[::1]:8080`. Raises Wrong."""
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is not None and int(match[3]) <= PORT_MOST:
        try:
            host = ip_address(match[1] or match[2])
        except ValueError:
            pass
        else:
            if (host.version == 6) == (match[1] is not None):
                return Address(str(host), int(match[3]))
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= PORT_MOST:
        raise Wrong("a port without an address", f"127.0.0.1:{value}, or 0.0.0.0:{value} to be reached from outside")
    raise Wrong("not an address", 'an IP address and a port, such as 127.0.0.1:8080 or "[::1]:8080"')


def store(value: Any) -> str:
    """Where dialogs are kept: `memory:`, `sqlite:PATH`, or the URL of a Redis store. Raises Wrong."""
    written = text(value)
    if _STORE.fullmatch(written):
        return written
    if is_redis(written):
        try:
            redis_at(written)
        except ValueError as error:
            raise Wrong(f"no Redis store: {error}", REDIS_URLS) from None
        return written
    raise Wrong("not a store", '"memory:" in quotes, sqlite:PATH such as sqlite:var/sbc.db, or redis://HOST:PORT')


def trunk_url(value: Any) -> str:
    """Where nodes dial a trunk. Raises Wrong."""
    right = "ws:// or wss://, HOST:PORT, and /trunk, such as wss://edge-1.example.com:9071/trunk"
    written = text(value)
    if not re.fullmatch(r"wss?://(?:[A-Za-z0-9][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}/trunk", written):
        raise Wrong("not the URL of a trunk", right)
    if int(written.rpartition(":")[2].partition("/")[0]) > 65535:
        raise Wrong("there is no such port", right)
    return written


def node_url(value: Any) -> str:
    """Where a node takes sessions: scheme, host, port, and a path that is put before every client's. Raises Wrong."""
    right = "http://, https://, h2c:// or h2:// and HOST:PORT, such as http://127.0.0.1:9001"
    written = text(value)
    try:
        parts = urlsplit(written)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Wrong("not a URL of a node", right) from None
    prefix = parts.path.rstrip("/")
    usable = host is not None and port != 0 and parts.scheme in NODE_SCHEMES and "@" not in parts.netloc
    named = usable and (_HOST_NAME.fullmatch(host or "") or _ip(host or "") is not None)
    rebuilt = f"{parts.scheme}://{parts.netloc}{prefix}"
    # What urlsplit left out on its way, a query or a line break, shows when it is put together again.
    if not named or (prefix and not _ROUTE_PATH.fullmatch(prefix)) or written.rstrip("/") != rebuilt:
        raise Wrong("not a URL of a node", right)
    return rebuilt


def _ip(host: str) -> object | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def jwks(value: Any) -> str:
    """The path in `file:PATH`, or a URL. Raises Wrong."""
    written = text(value)
    if _JWKS_FILE.fullmatch(written):
        return written.removeprefix("file:")
    right = "file:PATH, or https://HOST/PATH without user, password and fragment"
    if not _JWKS_URL.fullmatch(written):
        raise Wrong("not where an issuer's keys are", right)
    try:
        parts = urlsplit(written)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Wrong("not a URL of an issuer's keys", right) from None
    named = host is not None and (_HOST_NAME.fullmatch(host) or _ip(host) is not None)
    if not named or "@" in parts.netloc or parts.fragment:
        raise Wrong("not a URL of an issuer's keys", right)
    return written


def network(value: Any) -> IPv4Network | IPv6Network:
    """The addresses that begin with the same bits, or a single one. Raises Wrong."""
    written = text(value)
    if "%" in written:  # of one machine's own interfaces, in Python's notation
        raise Wrong("not a network", "an address without an interface")
    try:
        return ip_network(written)
    except ValueError:
        pass
    try:
        meant = ip_network(written, strict=False)
    except ValueError:
        raise Wrong("not a network", "a network such as 10.0.0.0/8 or fd00::/8, or one IP address") from None
    raise Wrong("an address within a network, not the network", f"{meant}, or the address without /{meant.prefixlen}")


def route_host(value: Any) -> str:
    """A host name in lower case. Raises Wrong."""
    written = text(value)
    if _HOST_NAME.fullmatch(written) is None:
        raise Wrong("not a host name", "a name without scheme, port or wildcard, such as mcp.example.com")
    return written.lower()


def route_path(value: Any) -> str:
    """A path that is a prefix on segment borders, without a slash at its end. Raises Wrong."""
    written = text(value)
    if _ROUTE_PATH.fullmatch(written) is None:
        raise Wrong("not a path", "a path that begins with / and has no query, such as /chat")
    return written.rstrip("/") or "/"


def loss(value: Any) -> str | int:
    """How many messages may be lost: `none`, `any` or a number. Raises Wrong."""
    if value in ("none", "any") and isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**6:
        return value
    raise Wrong("not a number of messages", "none, any, or a whole number up to 1000000")


def _whole(least: int, most: int, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Wrong("not a whole number", f"a number from {least} to {most}, without quotes or unit")
    if value < least:
        raise Wrong("too small", f"at least {least}")
    if value > most:
        raise Wrong("too large", f"at most {most}")
    return value


def whole(least: int, most: int) -> Reads:
    """A whole number within bounds."""
    return Reads(partial(_whole, least, most), {"type": "integer", "minimum": least, "maximum": most})


def _share(least: float, most: float, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Wrong("not a share", f"a number from {least:g} to {most:g}, such as 0.2")
    return float(value)


def share(least: float, most: float) -> Reads:
    """A part of a whole, as a number within bounds."""
    return Reads(partial(_share, least, most), {"type": "number", "minimum": least, "maximum": most})


Name = Annotated[str, patterned("[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
                                "up to 64 letters, digits, dots, dashes or underscores", "a")]
# RFC 8941 section 3.3.4: the name travels as a token, which begins with a letter.
AgentKey = Annotated[str, patterned("[A-Za-z][A-Za-z0-9._-]{0,63}",
                                    "a letter, then up to 63 letters, digits, dots, dashes or underscores", "chat")]
Label = Annotated[str, patterned("[!-~]{1,128}", "up to 128 visible ASCII characters", "h100")]
File = Annotated[str, patterned(r"[^\x00-\x1f\x7f]{1,1024}", "the path of a file", "/etc/sbc/FILE")]
Digest = Annotated[str, patterned("[0-9a-f]{64}", "the SHA-256 in 64 lower-case hexadecimal digits",
                                  hashlib.sha256(b"token").hexdigest())]
# RFC 9110 section 5.6.2
Token = Annotated[str, patterned(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", "a name as RFC 9110 allows it", "Session-Id")]
# RFC 9110 section 5.5, without what is obsolete.
FieldText = Annotated[str, patterned(r"[!-~](?:[\t -~]{0,1022}[!-~])?",
                                     "up to 1024 characters of ASCII, no blank at either end", "max-age=31536000")]
# Methods are case-sensitive (RFC 9110 section 9.1), and all that are registered are in upper case.
Method = Annotated[str, patterned("[A-Z][A-Z-]{0,31}", "the name of a method in upper case, such as GET", "GET")]
# RFC 6454 section 6.2: what browsers send.
Origin = Annotated[str, patterned(rf"null|https?://(?:{_HOST}|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?",
                                  "an origin without a path, such as https://app.example.com",
                                  "https://app.example.com")]
FieldPath = Annotated[str, patterned(r"[^.\s]{1,64}(?:\.[^.\s]{1,64}){0,7}", "names of fields with dots between them",
                                     "conversation.id")]
ListenAddress = Annotated[Address, Reads(address, {"type": "string", "pattern": f"^{_ADDRESS.pattern}$",
                                                   "examples": ["127.0.0.1:8080", "[::1]:8080"]})]
Store = Annotated[str, Reads(store, {"type": "string", "pattern": f"^(?:{_STORE.pattern}|{_REDIS})$",
                                     "examples": ["memory:", "sqlite:var/sbc.db", "redis://10.0.0.5:6379"]})]
NodeUrl = Annotated[str, Reads(node_url, {"type": "string", "pattern": "^(?:https?|wss?|h2c?)://[^/?#@]+(?:/[^?#]*)?$",
                                          "examples": ["http://127.0.0.1:9001"]})]
TrunkUrl = Annotated[str, Reads(trunk_url, {
    "type": "string", "pattern": r"^wss?://(?:[A-Za-z0-9][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]):[1-9][0-9]{0,4}/trunk$",
    "examples": ["wss://edge-1.example.com:9071/trunk"]})]
Network = Annotated[IPv4Network | IPv6Network, Reads(network, {
    "type": "string", "pattern": "^[0-9A-Fa-f:.]{2,45}(?:/[0-9]{1,3})?$", "examples": ["10.0.0.0/8"]})]
RouteHost = Annotated[str, Reads(route_host, {"type": "string", "pattern": f"^{_HOST}$",
                                              "examples": ["mcp.example.com"]})]
RoutePath = Annotated[str, Reads(route_path, {"type": "string", "pattern": f"^{_ROUTE_PATH.pattern}$",
                                              "examples": ["/chat"]})]
Jwks = Annotated[str, Reads(jwks, {"type": "string", "pattern": f"^(?:{_JWKS_FILE.pattern}|{_JWKS_URL.pattern})$",
                                   "examples": ["file:/etc/sbc/jwks.json", "https://idp.example/keys"]})]
ClaimText = Annotated[str, patterned(r"[!-~]{1,256}", "up to 256 visible ASCII characters", "https://idp.example")]
Workers = Annotated[int, Reads(workers, {"anyOf": [{"const": "auto"},
                                                   {"type": "integer", "minimum": 1, "maximum": MOST_WORKERS}]})]
Loss = Annotated[str | int, Reads(loss, {"anyOf": [{"enum": ["none", "any"]},
                                                   {"type": "integer", "minimum": 0, "maximum": 10**6}]})]
