import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.runtime.http.docket import MOST_OCTETS, Docket
from sbc.runtime.http.flow import WITH_ID, event_entry
from sbc.runtime.http.journal import exchange_of, message_of, own_id_of

NUMBERS = st.integers(1, 2**40)


@given(st.dictionaries(NUMBERS, st.tuples(st.binary(max_size=300), st.integers(0, 2**40)), max_size=8),
       st.sets(NUMBERS))
def test_what_was_written_is_read_again(opened: dict[int, tuple[bytes, int]], over: set[int]) -> None:
    docket, again = Docket(), Docket()
    for number, (entry, began) in opened.items():
        assert docket.begin(number, entry, began)
        assert not docket.begin(number, entry, began), "once"
    for number in sorted(over):
        assert docket.end(number) is (number in opened)
    text = docket.dump()
    again.load(text)
    left = {number: one for number, one in opened.items() if number not in over}
    assert dict(again) == dict(docket) == left
    assert "\n" not in text and (text == "") is (not left)
    assert again.last == max(left, default=0)


def test_bounded() -> None:
    docket = Docket()
    assert docket.begin(1, bytes(MOST_OCTETS // 2), 0) and docket.begin(2, bytes(MOST_OCTETS // 2), 0)
    assert not docket.begin(3, b"x", 0)
    docket.end(1)
    assert docket.begin(3, b"x", 0) and [number for number, _ in docket] == [2, 3]


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"1": 2}', '{"x": [1, ""]}', '{"1": ["x", ""]}', '{"1": [1, 2]}'])
def test_a_spoilt_record(text: str) -> None:
    with pytest.raises(ValueError):
        Docket().load(text)


@given(NUMBERS, st.binary(max_size=50).filter(lambda own: b"\n" not in own), st.binary(max_size=50))
def test_a_message_with_the_id_that_its_node_gave_it(number: int, own: bytes, message: bytes) -> None:
    plain, with_id = event_entry(number, message), event_entry(number + WITH_ID, own + b"\n" + message)
    for entry in (plain, with_id):
        assert (exchange_of(entry), message_of(entry)) == (number, message)
    assert (own_id_of(plain), own_id_of(with_id)) == (None, own)
