"""Locations: those that lead to the node lead to the edge; all others stay."""

import pytest

from sbc.core.relocation import relocated
from sbc.model.http import Response


@pytest.mark.parametrize(("location", "seen"), [
    (b"http://10.0.0.9:9001/a?b=1#c", b"/a?b=1#c"),
    (b"https://10.0.0.9:9001", b"/"),
    (b"//10.0.0.9:9001/a", b"/a"),
    (b"http://10.0.0.9:9001/base/a", b"/a"),
    (b"http://10.0.0.9:9001/based", b"/based"),
    (b"/a", b"/a"),
    (b"a?b", b"a?b"),
    (b"http://10.0.0.9/a", b"http://10.0.0.9/a"),
    (b"https://edge.test/a", b"https://edge.test/a"),
    (b"http://[::1", b"http://[::1"),
    (b"http://10.0.0.9:x/", b"http://10.0.0.9:x/"),
    (b"\xff\xfe", b"\xff\xfe"),
])
def test_locations(location: bytes, seen: bytes) -> None:
    for status, changed in ((201, True), (302, True), (308, True), (200, False)):
        response = Response(status, [(b"x", location), (b"location", location)])
        relocated(response, "http://10.0.0.9:9001/base")
        assert response.fields == [(b"x", location), (b"location", seen if changed else location)]


def test_the_usual_port() -> None:
    response = Response(302, [(b"location", b"https://Node.internal/a"), (b"location", b"http://node.internal/a")])
    relocated(response, "h2://node.internal")
    assert [value for _, value in response.fields] == [b"/a", b"http://node.internal/a"]
