"""What an order to revoke says: `{"principal" | "token" | "session": NAME, "seconds": N}`."""

from typing import Any

import orjson

from sbc.admin.answers import bad_request
from sbc.model.identity import Revoked

LASTS = 86_400
"""Seconds, if the order does not say how many."""
LONGEST = 365 * 86_400
LONGEST_NAME = 1024

_KINDS = [kind.value for kind in Revoked if kind is not Revoked.NODE]
_RIGHT = f'the body must be {{"KIND": "NAME", "seconds": N}}, with one KIND of {", ".join(_KINDS)}'


def kind_of(word: str) -> Revoked:
    """What is named. Raises Refusal 400."""
    if word not in _KINDS:
        raise bad_request(f"{word[:40]!r} cannot be revoked: {', '.join(_KINDS)} can")
    return Revoked(word)


def revocation_of(body: bytes) -> tuple[Revoked, str, float]:
    """What is named, how it is called, and for how many seconds it is not good. Raises Refusal 400."""
    try:
        asked: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"{_RIGHT}, and is no JSON: {error}") from None
    if not isinstance(asked, dict) or len(named := asked.keys() - {"seconds"}) != 1:
        raise bad_request(_RIGHT)
    (word,) = named
    name, lasts = asked[word], asked.get("seconds", LASTS)
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise bad_request(f'{_RIGHT}: "{word[:40]}" is a text of at most {LONGEST_NAME} characters')
    if isinstance(lasts, bool) or not isinstance(lasts, int | float) or not 1 <= lasts <= LONGEST:
        raise bad_request(f'{_RIGHT}: "seconds" is a number from 1 to {LONGEST}')
    return kind_of(word), name, float(lasts)
