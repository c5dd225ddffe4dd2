"""Who may ask at all."""

from ipaddress import ip_network

import pytest

from sbc.core import access
from sbc.core.access import Doorman
from sbc.model.errors import Refusal
from sbc.model.http import Fields, Request
from sbc.model.policy import Access


def judged(rules: Access, client: str = "10.0.0.1", method: bytes = b"GET", fields: Fields | None = None) -> str:
    request = Request(method, b"/", b"edge.test", fields or [], client=client)
    try:
        Doorman(rules).check(request)
    except Refusal as refusal:
        return refusal.code
    return ""


TEN, SIX, ONE = ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("10.0.0.1/32")


@pytest.mark.parametrize(("allow", "deny", "client", "let_in"), [
    ((), (), "10.0.0.1", True), ((), (), "nobody knows", True),
    ((TEN,), (), "10.0.0.1", True), ((TEN,), (), "11.0.0.1", False), ((TEN,), (), "fd00::1", False),
    ((TEN, SIX), (), "fd00::1", True), ((SIX,), (), "fd00::1%eth0", True),
    ((TEN,), (), "::ffff:10.0.0.1", True), ((TEN,), (), "::ffff:11.0.0.1", False),
    ((), (ONE,), "10.0.0.1", False), ((), (ONE,), "::ffff:10.0.0.1", False), ((), (ONE,), "10.0.0.2", True),
    ((TEN,), (ONE,), "10.0.0.1", False), ((ONE,), (TEN,), "10.0.0.1", False), ((TEN,), (ONE,), "10.0.0.2", True),
    ((TEN,), (), "", False), ((), (TEN,), "unix", False),
])
def test_from_where(allow: tuple[object, ...], deny: tuple[object, ...], client: str, let_in: bool) -> None:
    assert (judged(Access(allow, deny), client) == "") is let_in  # type: ignore[arg-type]


def test_the_answer_for_an_address_is_kept_and_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MOST_KNOWN", 4)
    doorman = Doorman(Access((TEN,)))
    for _ in range(2):
        for number in range(20):
            doorman.check(Request(b"GET", b"/", b"x", [], client=f"10.0.0.{number}"))
            with pytest.raises(Refusal, match="forbidden_address"):
                doorman.check(Request(b"GET", b"/", b"x", [], client=f"11.0.0.{number}"))
            assert len(doorman._known) <= 4


@pytest.mark.parametrize(("method", "code"), [
    (b"GET", ""), (b"POST", ""), (b"get", "method_not_allowed"), (b"HEAD", "method_not_allowed"),
    (b"OPTIONS", "method_not_allowed"),
])
def test_methods(method: bytes, code: str) -> None:
    assert judged(Access(methods=frozenset({b"POST", b"GET"})), method=method) == code


def test_who_asks_wrongly_is_told_what_is_right() -> None:
    with pytest.raises(Refusal) as caught:
        Doorman(Access(methods=frozenset({b"POST", b"GET"}))).check(Request(b"PUT", b"/", b"x", []))
    assert (caught.value.status, caught.value.headers) == (405, (("Allow", "GET, POST"),))


@pytest.mark.parametrize(("origins", "code"), [
    ([], ""), ([b"https://app.example"], ""), ([b"HTTPS://APP.example"], ""),
    ([b"https://evil.example"], "foreign_origin"), ([b"null"], "foreign_origin"), ([b""], "foreign_origin"),
    ([b"https://app.example.evil"], "foreign_origin"), ([b"http://app.example"], "foreign_origin"),
    ([b"https://app.example", b"https://evil.example"], "foreign_origin"),
])
def test_origins(origins: list[bytes], code: str) -> None:
    fields = [(b"origin", origin) for origin in origins]
    assert judged(Access(origins=frozenset({b"https://app.example"})), fields=fields) == code
