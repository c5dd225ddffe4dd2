"""Heads of requests on their way to nodes: what a policy takes out and puts in."""

from sbc.core.rewriting import rewrite, rewritten
from sbc.model.http import Request
from sbc.model.policy import Rewrite
from sbc.model.route import Hello

BY = Rewrite(frozenset({b"cookie", b"x-tier"}), ((b"x-tier", b"gold"),))


def test_a_request() -> None:
    fields = [(b"cookie", b"1"), (b"x-one", b"1"), (b"x-tier", b"mine"), (b"cookie", b"2")]
    request = Request(b"GET", b"/", b"a", fields)
    rewrite(request, BY)
    assert request.fields == [(b"x-one", b"1"), (b"x-tier", b"gold")]


def test_a_hello() -> None:
    hello = Hello("192.0.2.1", "a", "/", [(b"cookie", b"1"), (b"x-one", b"\xe9"), (b"x-tier", b"mine")], False, "plain")
    assert rewritten(hello, BY).fields == [(b"x-one", b"\xe9"), (b"x-tier", b"gold")]
