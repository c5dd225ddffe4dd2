"""Both engines, driven by both libraries' own clients in memory: requests, their answers, and what ends them."""

import pytest

from sbc.model.http import Fields
from tests.wire.http3.pair import ENGINES, REQUEST, Pair

OK: Fields = [(b":status", b"200"), (b"content-type", b"text/event-stream")]
PAIRS = [(engine, client) for engine in ENGINES for client in ("aioquic", "qh3")]


@pytest.fixture(params=PAIRS, ids="-".join)
def names(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def pair(names: tuple[str, str]) -> Pair:
    return Pair(*names)


def test_the_handshake(pair: Pair) -> None:
    assert pair.notes.names == ["localhost"] and pair.notes.greetings == 1
    assert pair.notes.ids and pair.closed is None and pair.notes.end is None


def test_a_request_and_its_answer(pair: Pair) -> None:
    stream = pair.ask()
    assert pair.notes.heads[stream] == REQUEST and pair.notes.complete[stream] == []
    pair.engine.respond(stream, OK, end=False)
    pair.engine.send(stream, b"data: 1\n\n")
    pair.engine.send(stream, b"data: 2\n\n")
    pair.engine.finish(stream, [])
    pair.exchange()
    assert pair.answer(stream) == ([OK], b"data: 1\n\ndata: 2\n\n", True)
    assert pair.notes.over[stream] == (0, False)
