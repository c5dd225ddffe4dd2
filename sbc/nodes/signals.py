"""The forms of what a node says over its trunk (docs/DESIGN.md section 5.4): JSON text in, a checked message out.

Only form is judged here: types, ranges, lengths. Whether a word is true (counts, epochs, who owns what) is for the
hall to judge. Fields that the contract does not name are left out, so nothing unchecked passes this door.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from sbc.model.errors import SbcError

STATE_LIMIT = 64 * 1024
"""Bytes of a checkpoint's state in UTF-8."""
MOST_ANSWERS = 1024
"""Answers of a session that are under way at a time."""

# RFC 8259 section 6: integers beyond this are not exact everywhere; and a store's columns hold 63 bits.
_LARGEST = 2**53 - 1
_LONGEST_WAIT = 7 * 24 * 3600.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NODE_URL = re.compile(
    r"(?:https?|wss?|h2c?)://"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9][A-Za-z0-9_-]{0,62})*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?"
)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}")

Check = Callable[[Any], bool]


class Malformed(SbcError):
    """A message that is not of the form it must have. Its text says what would be right."""


def parse(text: str | bytes) -> dict[str, Any]:
    """The message in `text`, with the fields the contract names and no other. Raises Malformed."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise Malformed(f"not JSON: {fault}") from None
    if not isinstance(message, dict):
        raise Malformed("not a JSON object")
    kind = message.get("type")
    form = FORMS.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise Malformed(f"`type` must be one of {', '.join(FORMS)}")
    checked: dict[str, Any] = {"type": kind}
    for name, field in form.items():
        if name in message:
            if not field.check(message[name]):
                raise Malformed(f"{kind}: `{name}` must be {field.right}")
            checked[name] = message[name]
        elif field.required:
            raise Malformed(f"{kind}: `{name}` is missing")
    return checked


class Field:
    """One field of a message: whether its value is right, what would be, and whether it may be left out."""

    __slots__ = ("check", "required", "right")

    def __init__(self, check: Check, right: str, *, required: bool = True) -> None:
        self.check = check
        self.right = right
        self.required = required

    def optional(self) -> "Field":
        """The same field where it may be left out."""
        return Field(self.check, self.right, required=False)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= _LARGEST


def _is_wait(value: Any) -> bool:
    return _is_number(value) and value <= _LONGEST_WAIT


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_session(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 512 and value.isprintable()


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 1024


def _is_state(value: Any) -> bool:
    # The length in characters first: it is free, and bounds the work of encoding.
    return value is None or (
        isinstance(value, str) and len(value) <= STATE_LIMIT and len(value.encode()) <= STATE_LIMIT
    )


def _is_answers(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= MOST_ANSWERS and all(
        number.isdecimal() and number.isascii() and len(number) <= len(str(_LARGEST)) and _is_count(count)
        for number, count in value.items()
    )


def _is_labels(value: Any) -> bool:
    return isinstance(value, dict) and len(value) <= 64 and all(
        _LABEL.fullmatch(name) is not None and isinstance(label, str) and len(label) <= 256
        for name, label in value.items()
    )


def _is_url(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > 2048 or _NODE_URL.fullmatch(value) is None:
        return False
    try:
        url = urlsplit(value)
        return bool(url.hostname) and url.port != 0
    except ValueError:  # a port beyond 65535, an address in brackets that is none
        return False


_COUNT = Field(_is_count, f"an integer from 0 to {_LARGEST}")
_NUMBER = Field(_is_number, "a number, 0 or more")
_WAIT = Field(_is_wait, f"seconds from 0 to {_LONGEST_WAIT:.0f}")
_NODE = Field(_is_name, "a name of up to 64 letters, digits, `.`, `_` and `-`")
_SESSION = Field(_is_session, "a session id: 1 to 512 printable characters")
_TEXT = Field(_is_text, "a string of up to 1024 characters")
_ANSWERS = Field(_is_answers, f"an object of up to {MOST_ANSWERS} counts by the numbers of requests")
_STATE = Field(_is_state, f"null or a string of up to {STATE_LIMIT} bytes in UTF-8")
_URL = Field(_is_url, "http, https, ws, wss, h2 or h2c, a host, and maybe a port and a path")
_LABELS = Field(_is_labels, "an object of up to 64 strings")
_FLAG = Field(lambda value: isinstance(value, bool), "true or false")

FORMS: Mapping[str, Mapping[str, Field]] = {
    "register": {
        "node": _NODE, "pool": _NODE, "url": _URL, "zone": _TEXT.optional(), "labels": _LABELS.optional(),
        "capacity": _COUNT.optional(), "checkpoints": _FLAG.optional(),
    },
    "heartbeat": {"sessions": _COUNT, "load": _NUMBER.optional()},
    "accept": {"session": _SESSION, "epoch": _COUNT},
    "decline": {"session": _SESSION, "epoch": _COUNT, "reason": _TEXT.optional(), "retry_after": _WAIT.optional()},
    "checkpoint": {
        "session": _SESSION, "epoch": _COUNT, "received": _COUNT, "sent": _COUNT, "state": _STATE.optional(),
        "answers": _ANSWERS.optional(),
    },
    "drain": {"deadline": _WAIT.optional()},
    "bye": {"session": _SESSION, "epoch": _COUNT, "result": _TEXT.optional()},
    "journal": {"session": _SESSION, "epoch": _COUNT, "after": _COUNT},
}
"""Every type of message a node may send. A field that may be left out is absent then."""
