"""What edges say to each other of a request that they forward."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sbc.wire.hop import ASK, FIELD, Hop, Question, read_hop, read_question

ADDRESSES = some.one_of(some.just(""), some.ip_addresses().map(str))


@given(ADDRESSES, some.booleans(), some.text(max_size=20), some.text(max_size=40))
def test_what_is_told_is_what_is_read(client: str, secure: bool, listener: str, certificate: str) -> None:
    hop = Hop(client, secure, listener, certificate)
    name, value = hop.field()
    assert name == FIELD and value.isascii() and b"\n" not in value
    assert read_hop([(b"x", b"y"), (name, value)]) == hop


@given(some.text(max_size=20), some.text(max_size=20), some.lists(some.tuples(some.text(), some.text()), max_size=4))
def test_what_is_asked_is_what_is_read(agent: str, principal: str, keys: list[tuple[str, str]]) -> None:
    question = Question(agent, principal, keys)
    name, value = question.field()
    assert name == ASK and value.isascii()
    assert read_question(value) == question


@pytest.mark.parametrize("told", [
    [], [b'["",false,"",""]'] * 2, [b"{}"], [b"[1]"], [b"nothing"], [b'["mallory",false,"",""]'],
    [b'["127.0.0.1",0,"",""]'], [b'["127.0.0.1",false,"",null]'], [b'["127.0.0.1",false,"","",1]'], [b"\xff"],
])
def test_who_does_not_say_whose_request_it_is_is_told_so(told: list[bytes]) -> None:
    with pytest.raises(ValueError):
        read_hop([(FIELD, value) for value in told])


@pytest.mark.parametrize("text", [b"", b"[]", b'["a","b",[["c"]]]', b'["a","b",[[1,"c"]]]', b'["a","b","c"]'])
def test_a_question_names_keys(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_question(text)
