"""What a client reads out of answers and ends."""

import pytest

from sbc.sdk.client.contract import (
    Refused,
    Ticket,
    Welcome,
    after_close,
    after_refusal,
    hello_fields,
    read_welcome,
    refusal,
)


@pytest.mark.parametrize(("code", "reason", "span"), [
    (1006, "", (0, 0)),
    (1005, "", (0, 0)),
    (1001, "away", (0, 0)),
    (1012, "retry_after=1", (0, 1)),
    (1012, "", (0, 0)),
    (1013, "shed; retry_after=2", (2, 3)),
    (1013, "", (1, 1.5)),
    (1014, "retry_after=0.5", (0.5, 0.75)),
    (1014, "gap=12", None),
    (1000, "", None),
    (1008, "idle", None),
    (4409, "resumed elsewhere", None),
    (3000, "an agent's own", None),
])
def test_when_to_come_back(code: int, reason: str, span: tuple[float, float] | None) -> None:
    assert after_close(code, reason) == span


@pytest.mark.parametrize(("status", "retry_after", "new", "returning"), [
    (503, 2.0, (2, 3), (2, 3)),
    (429, 5.0, (5, 7.5), (5, 7.5)),
    (409, 1.0, (1, 1.5), (1, 1.5)),
    (409, None, None, None),
    (503, None, None, (0, 0)),
    (502, None, None, (0, 0)),
    (401, None, None, None),
    (403, None, None, None),
    (404, None, None, None),
])
def test_when_to_ask_again(status: int, retry_after: float | None, new: object, returning: object) -> None:
    refused = Refused(status, "", retry_after)
    assert after_refusal(refused, returning=False) == new
    assert after_refusal(refused, returning=True) == returning


def test_hellos() -> None:
    assert hello_fields(None) == {}
    assert hello_fields(Ticket("t", 7)) == {"session-id": "t", "session-received": "7"}


def test_welcomes() -> None:
    assert read_welcome({"session-id": "t"}) == Welcome("t", None, 0, None)
    assert read_welcome({"session-id": "t", "session-received": "3", "session-gap": "2"}) == Welcome("t", 3, 2, None)
    assert read_welcome({"session-id": "t", "session-expires": "60"}) == Welcome("t", None, 0, 60.0)
    for fields in ({}, {"session-id": "t", "session-received": "x"}):
        with pytest.raises(Refused):
            read_welcome(fields)


def test_refusals() -> None:
    refused = refusal(503, {"retry-after": "4"}, b"no node can take the session now\n")
    assert (refused.status, refused.reason, refused.retry_after) == (503, "no node can take the session now", 4)
    told = refusal(404, {}, b'{"error": {"code": "no_route", "message": "nothing is served here"}}')
    assert told.reason == "nothing is served here"
    assert refusal(404, {"retry-after": "Fri, 01 Jan 2027 00:00:00 GMT"}, b"").retry_after is None
