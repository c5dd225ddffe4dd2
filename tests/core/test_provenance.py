"""Who a client is behind trusted proxies."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.core.provenance import address_in, trace, traced
from sbc.model.errors import Refusal
from sbc.model.http import Request
from sbc.model.route import Hello

PEER = "10.0.0.9"


def seen(hops: int, *lines: str) -> tuple[str, tuple[str, ...], bool]:
    """What a request with these header lines is taken for, which came from PEER over plain TCP."""
    fields = [(name.lower().encode(), value.strip().encode("latin-1"))
              for name, _, value in (line.partition(":") for line in lines)]
    request = Request(b"GET", b"/", b"h", fields, client=PEER)
    trace(request, hops)
    hello = traced(Hello(PEER, "h", "/", fields), hops)
    assert (hello.client, hello.via, hello.secure) == (request.client, request.via, request.secure)
    return request.client, request.via, request.secure


@pytest.mark.parametrize(("hops", "lines", "client", "via"), [
    (0, ["X-Forwarded-For: 192.0.2.1"], PEER, ()),
    (1, [], PEER, ()),
    (1, ["X-Forwarded-For: 192.0.2.1"], "192.0.2.1", (PEER,)),
    (1, ["X-Forwarded-For: 6.6.6.6, 192.0.2.1"], "192.0.2.1", (PEER,)),
    (1, ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1"], "192.0.2.1", (PEER,)),
    (2, ["X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.1"], "192.0.2.1", ("10.0.0.1", PEER)),
    (2, ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1,10.0.0.1"], "192.0.2.1", ("10.0.0.1", PEER)),
    (3, ["X-Forwarded-For: 192.0.2.1"], "192.0.2.1", (PEER,)),
    (2, ["X-Forwarded-For: unknown, 10.0.0.1"], "10.0.0.1", (PEER,)),
    (2, ["X-Forwarded-For: 192.0.2.1, unknown"], PEER, ()),
    (1, ["X-Forwarded-For: "], PEER, ()),
    (1, ["X-Forwarded-For: 192.0.2.1:4711"], "192.0.2.1", (PEER,)),
    (1, ["X-Forwarded-For: [2001:DB8::0:1]:80"], "2001:db8::1", (PEER,)),
    (1, ["X-Real-IP: 192.0.2.1"], PEER, ()),
    (1, ["Forwarded: for=192.0.2.1"], "192.0.2.1", (PEER,)),
    (1, ['Forwarded: for="192.0.2.1:80";by=_x, For="[2001:db8::2]:80" ; proto=http'], "2001:db8::2", (PEER,)),
    (2, ["Forwarded: for=6.6.6.6, for=192.0.2.1", "Forwarded: for=10.0.0.1"], "192.0.2.1", ("10.0.0.1", PEER)),
    (1, ["Forwarded: for=_secret"], PEER, ()),
    (1, ["Forwarded: proto=http"], PEER, ()),
    (1, ['Forwarded: for="1\\92.0.2.1"'], "192.0.2.1", (PEER,)),
    (1, ["Forwarded: for=192.0.2.1", "X-Forwarded-For: 6.6.6.6, 192.0.2.1"], "192.0.2.1", (PEER,)),
])
def test_the_client_is_whom_the_outermost_trusted_proxy_names(
    hops: int, lines: list[str], client: str, via: tuple[str, ...]
) -> None:
    assert seen(hops, *lines)[:2] == (client, via)


@pytest.mark.parametrize(("hops", "lines", "secure"), [
    (0, ["X-Forwarded-Proto: https"], False),
    (1, ["X-Forwarded-Proto: https"], True),
    (1, ["X-Forwarded-Proto: HTTPS"], True),
    (1, ["X-Forwarded-Proto: wss"], True),
    (1, ["X-Forwarded-Proto: https, http"], False),
    (2, ["X-Forwarded-Proto: https, http"], True),
    (1, ["X-Forwarded-Proto: gopher"], False),
    (1, ["X-Forwarded-Proto: https, gopher"], False),
    (1, ["Forwarded: for=192.0.2.1;proto=https"], True),
    (1, ["Forwarded: for=192.0.2.1;proto=https", "X-Forwarded-Proto: http"], False),
])
def test_the_scheme_is_the_one_that_the_client_used(hops: int, lines: list[str], secure: bool) -> None:
    assert seen(hops, *lines)[2] is secure


@pytest.mark.parametrize("lines", [
    ["Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.2"],
    ["Forwarded: host=a", "X-Forwarded-For: 192.0.2.2"],
    ['Forwarded: for="6.6.6.6, for=192.0.2.1'],
    ['Forwarded: for="6.6.6.6\\", for=192.0.2.1'],
    ["Forwarded: for 192.0.2.1"], ["Forwarded: for=192.0.2.1 for=6.6.6.6"], ["Forwarded: =192.0.2.1"],
])
def test_what_could_be_read_in_two_ways_is_refused(lines: list[str]) -> None:
    with pytest.raises(Refusal) as refused:
        seen(1, *lines)
    assert (refused.value.status, refused.value.code) == (400, "forwarded")
    assert seen(0, *lines) == (PEER, (), False)


def test_much_white_space_takes_no_time() -> None:
    began = time.process_time()
    with pytest.raises(Refusal):
        seen(1, "Forwarded: for=192.0.2.1;" + " \t" * 15_000 + "x")
    assert time.process_time() - began < 0.1


@pytest.mark.parametrize("entry", [
    "", "x", "1.2.3", "01.2.3.4", "256.1.1.1", "fe80::1%eth0", "[1.2.3.4", "1.2.3.4:", "1.2.3.4:x", "::1:", "[::1]x",
    "::g", "1.2.3.4 5.6.7.8", "1.2.3.4\n", "\u0661.2.3.4",
])
def test_what_is_no_address(entry: str) -> None:
    assert address_in(entry) is None


def test_an_address_has_one_form() -> None:
    assert {address_in("::ffff:192.0.2.1"), address_in("[::FFFF:c000:201]:5")} == {"192.0.2.1"}


@given(st.lists(st.text("fFor=\"\\,;[]:1. %unk\x80\t"), max_size=4), st.lists(st.text("1.:,[] a"), max_size=4),
       st.integers(1, 3))
def test_nothing_that_is_written_there_breaks_it(forwarded: list[str], names: list[str], hops: int) -> None:
    fields = [(b"forwarded", value.encode("latin-1")) for value in forwarded]
    fields += [(b"x-forwarded-for", value.encode()) for value in names]
    request = Request(b"GET", b"/", b"h", fields, client=PEER)
    try:
        trace(request, hops)
    except Refusal as refused:
        assert refused.status == 400
    assert len(request.via) <= hops
    assert all(address_in(address) == address for address in (request.client, *request.via))
