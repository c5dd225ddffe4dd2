"""Real-time model sessions over WebSocket: OpenAI Realtime, Gemini Live, and what speaks like them.

Their messages say when a turn begins and ends, and when the node will end the session:

                  begins                                   ends                             will end
    OpenAI        response.create, response.created,       response.done, unless it asks    session.created: expires_at;
                  speech_started                           for a function; an error         error session_expired
    Gemini        clientContent, activityStart,            turnComplete; what is not        goAway: timeLeft
                  modelTurn, toolCall                      resumable waits until it is

A planned move waits for the turn's end, and one is made before the cap. Nearly all messages are audio or pieces of
text, which say none of this: of those only the first bytes are looked at, and what is looked for is looked for as
bytes. JSON is parsed at the borders of turns alone. Gemini sends its JSON in binary messages, hence payloads of either
kind are listened to.
"""

import re
from typing import Any

import orjson

from sbc.protocols.protocol import Protocol, Turns

_FIRST = re.compile(rb'\s*\{\s*"(\w+)"\s*:\s*(?:"([\w.]*)")?')
"""The first member of a message, and its value if that is a plain word."""

_TYPE = re.compile(rb'"type"\s*:\s*"([\w.]*)"')

HEAD = 256
"""Bytes in which the type of a message stands when it is not its first member."""

EDGE = 2048
"""Bytes at both ends of a message that are searched: what is long in it is audio, and says nothing."""

_END_SPEECH = frozenset({
    "input_audio_buffer.cleared", "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
})
"""A response ends it too; these do where none is made of what was said."""

_TYPES = frozenset({
    "response.create", "response.created", "response.done", "session.created", "session.updated",
    "input_audio_buffer.speech_started",
}) | _END_SPEECH

_TYPES_IN_BYTES = frozenset(name.encode() for name in _TYPES)

_MEMBERS = {
    b"serverContent": (b'"turnComplete"', b'"modelTurn"'),
    b"realtimeInput": (b'"activityStart"', b'"text"'),
    b"realtime_input": (b'"activity_start"', b'"text"'),
}
"""Of Gemini's frequent messages: what makes one worth reading."""

_WORDS = (
    b'"response.', b'"session.created"', b'"session.updated"', b'"error"', b'"input_audio_buffer.',
    b"input_audio_transcription", b'"clientContent"', b'"client_content"', b'"activityStart"', b'"activity_start"',
    b'"toolResponse"', b'"tool_response"', b'"modelTurn"', b'"turnComplete"', b'"toolCall"', b'"goAway"',
    b'"sessionResumptionUpdate"',
)

_MODEL_TURN = b'"modelTurn"'

_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")
"""A protobuf Duration as JSON."""

MAX_RESPONSES = 1000
"""Responses under way at once; a session has one, or a few beside its conversation."""


class RealtimeTurns(Turns):
    """Listens to one session."""

    __slots__ = ("_asked", "_cap", "_function", "_generating", "_pinned", "_responses", "_speech")

    def __init__(self) -> None:
        self._cap: float | None = None
        self._reset()

    @property
    def under_way(self) -> bool:
        return bool(self._asked or self._responses or self._speech or self._function or self._generating
                    or self._pinned)

    @property
    def cap(self) -> float | None:
        return self._cap

    def moved(self) -> None:
        self._cap = None
        self._reset()

    def said(self, from_client: bool, payload: bytes, now: float) -> None:
        if not self._matters(payload):
            return
        try:
            said = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return
        if not isinstance(said, dict):
            return
        kind = said.get("type")
        if isinstance(kind, str):
            self._openai(from_client, kind, said, now)
        elif from_client:
            self._gemini_client(said)
        else:
            self._gemini_server(said, now)

    def _reset(self) -> None:
        self._asked = False
        """OpenAI: a response was asked for and has not begun."""
        self._responses = 0
        """OpenAI: responses that have begun and have not ended."""
        self._speech = False
        """OpenAI: the user speaks, or what was said has not been taken up."""
        self._function = False
        """OpenAI: the last response asked the client to call a function."""
        self._generating = False
        """Gemini: the model's turn."""
        self._pinned = False
        """Gemini: the node has said that it can not be resumed from where it is."""

    def _matters(self, payload: bytes) -> bool:
        """Whether a message may say something of turns; quick, and in doubt yes."""
        found = _FIRST.match(payload)
        if found is None:
            return False
        member, value = found.groups()
        if member == b"type" and value and b"." in value:
            return value in _TYPES_IN_BYTES
        edges = payload if len(payload) <= 2 * EDGE else payload[:EDGE] + payload[-EDGE:]
        if member in _MEMBERS:
            return any(word in edges for word in _MEMBERS[member] if not (self._generating and word is _MODEL_TURN))
        typed = _TYPE.search(payload, 0, HEAD)
        if typed is not None and b"." in typed[1]:
            return typed[1] in _TYPES_IN_BYTES
        return any(word in edges for word in _WORDS)

    def _openai(self, from_client: bool, kind: str, said: dict[str, Any], now: float) -> None:
        if from_client:
            if kind == "response.create":
                self._asked, self._function = True, False
            return
        if kind in _END_SPEECH:
            self._speech = False
            return
        match kind:
            case "response.created":
                self._asked, self._speech, self._function = False, False, False
                self._responses = min(self._responses + 1, MAX_RESPONSES)
            case "response.done":
                self._responses = max(0, self._responses - 1)
                self._function = _asks_for_function(said.get("response"))
            case "input_audio_buffer.speech_started":
                self._speech = True
            case "session.created" | "session.updated":
                self._expires(said.get("session"))
            case "error":
                # Of what went wrong with a response that has begun its `response.done` tells.
                self._asked = False
                error = said.get("error")
                if isinstance(error, dict) and error.get("code") == "session_expired":
                    self._cap = now
            case _:
                pass

    def _expires(self, session: Any) -> None:
        expires = session.get("expires_at") if isinstance(session, dict) else None
        if isinstance(expires, int | float) and not isinstance(expires, bool) and expires > 0:
            self._cap = float(expires)

    def _gemini_client(self, said: dict[str, Any]) -> None:
        content = said.get("clientContent", said.get("client_content"))
        spoken = said.get("realtimeInput", said.get("realtime_input"))
        if any((
            isinstance(content, dict) and (content.get("turnComplete") or content.get("turn_complete")),
            isinstance(spoken, dict) and spoken.keys() & {"activityStart", "activity_start", "text"},
            said.keys() & {"toolResponse", "tool_response"},
        )):
            self._generating = True

    def _gemini_server(self, said: dict[str, Any], now: float) -> None:
        content = said.get("serverContent")
        if isinstance(content, dict):
            if content.get("turnComplete") is True:
                self._generating = False
            elif "modelTurn" in content:
                self._generating = True
        if "toolCall" in said:
            self._generating = True
        if isinstance(update := said.get("sessionResumptionUpdate"), dict):
            # What is false is left out in protobuf's JSON.
            self._pinned = update.get("resumable") is not True
        if isinstance(leaving := said.get("goAway"), dict):
            found = _SECONDS.fullmatch(str(leaving.get("timeLeft")))
            self._cap = now + (float(found[1]) if found else 0.0)


def _asks_for_function(response: Any) -> bool:
    """Whether a response ends with a call that the client is to answer."""
    output = response.get("output") if isinstance(response, dict) else None
    return isinstance(output, list) and any(
        isinstance(item, dict) and item.get("type") == "function_call" for item in output)


class Realtime(Protocol):
    """The protocol `realtime`: for the WebSocket sessions of a route; its other requests are read as by `opaque`."""

    def listener(self) -> Turns:
        return RealtimeTurns()
