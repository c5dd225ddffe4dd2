"""The JSON Schema for editors, and the page that explains every key."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from sbc.config import json_schema
from sbc.core.screening import LONGEST_TARGET
from sbc.transports import http1_intake, listener, patience, watch
from sbc.transports.quic import admittance, keeper
from sbc.transports.quic import budget as quic_budget
from sbc.wire.http2 import budget
from sbc.wire.http2.engine import Terms
from sbc.wire.http3.engine import QuicTerms
from sbc.wire.http3.qh3_engine import RustEngine
from tests.config.test_build import FULL
from tests.config.test_load import SAMPLE
from tests.config.written import LEAST

PAGE = Path(__file__).parents[2] / "docs" / "CONFIGURATION.md"
SCHEMA = json_schema()
Schema = dict[str, Any]


def valid(text: str) -> bool:
    # PyYAML reads YAML 1.1; editors read 1.2, where `off` is text.
    tree = yaml.safe_load(text.replace(": off", ': "off"').replace("127.0.0.1:1}", '"127.0.0.1:1"}'))
    return bool(Draft202012Validator(SCHEMA).is_valid(tree))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("text", [SAMPLE.read_text(), FULL, LEAST])
def test_it_takes_what_the_edge_takes(text: str) -> None:
    assert valid(text)


@pytest.mark.parametrize(("old", "new"), [
    ("hold: 0", "hodl: 0"), ("hold: 0", "hold: 5"), ("idle: 1m", "idle: 1"), ("message: 64KiB", "message: 64k"),
    ("standby: warm", "standby: hot"), ("protocol: opaque", "protocol: mcpx"), ("auth: null", "auth: {jwt: {}}"),
    ("transports: [websocket]", "transports: [smtp]"), ("workers: 1", "workers: 400"), ("capacity: 5", "capacity: 0"),
    ("sqlite:x.db", "postgres://h"), ("    pool: p\n", ""), ("name: e\n", "name: a b\n"),
])
def test_it_refuses_what_the_edge_refuses(old: str, new: str) -> None:
    assert FULL.count(old) == 1
    assert not valid(FULL.replace(old, new))


def _flat(schema: Schema) -> Schema:
    """Without references, and without the null beside what may be null."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        schema = {**options[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
    if "$ref" in schema:
        found = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _keys(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Every key with its schema and whether it must be written."""
    for key, value in schema.get("properties", {}).items():
        here, inner = (f"{path}.{key}" if path else key), _flat(value)
        yield here, inner, key in schema.get("required", ())
        for below in inner.get("patternProperties", {}).values():
            yield from _keys(_flat(below), here + ".<name>")
        if "items" in inner:
            yield from _keys(_flat(inner["items"]), here + "[]")
        yield from _keys(inner, here)


def _default(schema: Schema, required: bool) -> str:
    match schema:
        case _ if required:
            return "required"
        case {"default": str(word)}:
            return f"`{word}`"
        case {"default": [*words]}:
            return f"`[{', '.join(words)}]`"
        case {"default": None}:
            return "`null`"
        case {"default": bool(truth)}:
            return f"`{str(truth).lower()}`"
        case {"default": other}:
            return f"`{other}`"
        case _:
            return "its defaults"


def _rows() -> dict[str, list[str]]:
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {cell[0].strip().strip("`"): [part.strip() for part in cell[1:]] for cell in cells}


def test_every_key_says_what_it_means() -> None:
    assert [path for path, schema, _ in _keys(SCHEMA) if not schema.get("description")] == []


def test_the_page_has_a_row_for_every_key_and_no_other() -> None:
    assert sorted(_rows()) == sorted(path for path, _, _ in _keys(SCHEMA))


def test_the_page_tells_the_defaults_ranges_and_words_in_force() -> None:
    rows = _rows()
    for path, schema, required in _keys(SCHEMA):
        kind, default, meaning = rows[path]
        assert default == _default(schema, required), path
        assert meaning, path
        if "$comment" in schema:
            assert kind.endswith(schema["$comment"]), path
        if "minimum" in schema:
            assert f"{schema['minimum']} to {schema['maximum']}" in kind, path
        for word in schema.get("enum", ()):
            assert f"`{word}`" in kind, path


def _size(octets: int) -> str:
    return f"{octets // 2**20}MiB" if octets % 2**20 == 0 else f"{octets // 1024}KiB"


def _told(page: str) -> dict[str, str]:
    return dict(re.findall(r"^\| ([^|`]+?) \|(.*)\|$", page, re.MULTILINE)[1:])


def test_the_page_tells_the_bounds_of_quic_as_they_are() -> None:
    told = _told(PAGE.read_text().partition("HTTP/3 is bounded")[2].partition("A source is")[0])
    bounds, terms = admittance.Bounds(), QuicTerms()
    assert [cell.strip() for cell in told.values()] == [
        f"{bounds.unproven}, {bounds.unproven_of_source} of one source",
        f"{bounds.half_open}, {bounds.half_open_of_source} of one source",
        f"{bounds.connections}, {bounds.of_source} of one source",
        f"{quic_budget.IDLE_DATAGRAMS}, then {quic_budget.IDLE_DATAGRAMS_PER_SECOND} a second, and one for each piece "
        "or KiB that is sent",
        f"{_size(terms.stream_window)} with `aioquic`; with `qh3`, which opens its windows by itself, it is reset at "
        f"{_size(terms.stream_cap)}",
        f"{RustEngine.most_moves} with `qh3`",
    ]


def test_the_page_tells_the_fixed_bounds_as_they_are() -> None:
    page = PAGE.read_text().partition("**Fixed bounds.**")[2].partition("## routes")[0]
    told = _told(page.partition("HTTP/3 is bounded")[0])
    times, terms = watch.Times(), Terms()
    bounds = {
        "requests at a time": ("1", terms.max_streams),
        "requests in its life, then it is closed in good order": (http1_intake.MOST_REQUESTS, budget.STREAMS),
        "kept without a request": (f"{patience.IDLE:g}s", f"{times.idle:g}s"),
        "request target": (_size(LONGEST_TARGET), _size(LONGEST_TARGET)),
        "pause in the body of a request": (f"{patience.BODY_IDLE:g}s", f"{times.stall:g}s"),
        "body of a request that is not answered yet": (
            f"{patience.BODY_BYTES_PER_SECOND:g}B a second, after {patience.BODY_GRACE:g}s",
            f"{watch.SLOWEST:g}B a second over {times.stall:g}s; calls of gRPC may take their time"),
        "taking nothing of what is sent": (f"{patience.STALL:g}s", f"{times.stall:g}s"),
        "sent ahead and not yet taken by the node": (
            _size(http1_intake.EARLY_BYTES),
            f"{_size(terms.stream_window)} a stream, {_size(terms.connection_window)} in all"),
        "streams given up before their answer, unless most are not": ("", budget.PREMATURE_RESETS),
        "streams given up": ("", f"{budget.RESETS_PER_SECOND} a second, {budget.RESETS} in its life"),
        "streams that had to be reset for what came on them": ("", budget.PROVOKED_RESETS),
        "PING, SETTINGS": ("", f"{budget.PINGS_PER_SECOND}, {budget.SETTINGS_PER_SECOND} a second"),
        "frames that carry nothing; frames of unknown types": (
            "", f"{budget.EMPTY_PER_SECOND}; {budget.UNKNOWN_PER_SECOND} a second"),
        "CONTINUATION frames of a head": ("", budget.CONTINUATIONS),
    }
    assert {name: tuple(cell.strip() for cell in cells.split("|")) for name, cells in told.items()} == {
        name: (str(one), str(two)) for name, (one, two) in bounds.items()}
    assert f"TLS, and QUIC, has {keeper.HANDSHAKE_TIMEOUT:g}s" in page
    assert keeper.HANDSHAKE_TIMEOUT == listener.HANDSHAKE_TIMEOUT
