"""What a client has seen of a task, and what it lacks of a later state of it.

An agent that takes a task over has no cursor: all it gives is the whole task (A2A 1.0 section 3.1.6). Whoever went on
from there would say everything again, or leave a hole. So of every item that passes it is remembered what is needed to
tell known from new: the status, the ids of messages, and of each artifact a digest of its parts and of its text.

    parts     what the agent has begins with the parts that the client has: the rest is appended
    text      agents may join chunks of text: the same, by characters
    neither   the client has something else than the agent: the whole artifact replaces it, marked
    missing   the agent does not keep what it streamed: the client is told that something may be missing

An agent may tell an update that its task as told holds already, if both happen at once: the official SDK's does. What
can be known again (a status) is not said again; a chunk cannot, since two may be alike: if it is like one of the last
in the task it is marked `"sbc/repeat": true`, and the client decides.

A gap's mark is `"sbc/gap": true` in the metadata of the update (docs/DESIGN.md P4), with the artifacts it concerns.
What the client has in any case is never marked, and never said again.
"""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson

from sbc.protocols.a2a.calls import Call, ident
from sbc.protocols.a2a.items import Item, Json, Kind, status_update

GAP = "sbc/gap"
REPEAT = "sbc/repeat"

RESTORED = "sbc/restored"
"""Marks a message that was found in the task's history, not heard when it was said."""

MAX_ARTIFACTS = 256
MAX_MESSAGES = 512

LAST_PARTS = 8
"""Parts of an artifact that are known again one by one."""

_PLAIN = frozenset({"text", "kind"})


class _Artifact:
    """What the client has of an artifact."""

    __slots__ = ("closed", "count", "last", "length", "parts", "text")

    def __init__(self) -> None:
        self.count = 0
        self.last: deque[bytes] = deque(maxlen=LAST_PARTS)
        """Digests of the last parts."""
        self.parts = blake2b(digest_size=16)
        self.length = 0
        """In characters."""
        self.text: Any = blake2b(digest_size=16)
        """None: it is not text alone."""
        self.closed = False

    def add(self, parts: list[Json]) -> None:
        for part in parts:
            written = _written(part)
            self.count += 1
            self.parts.update(written)
            self.last.append(blake2b(written, digest_size=16).digest())
            text = _text(part)
            if self.text is None or text is None:
                self.text = None
            else:
                self.length += len(text)
                self.text.update(text.encode())

    def lacks(self, parts: list[Json]) -> list[Json] | None:
        """Which parts of these the client lacks; None: what it has is not how they begin."""
        if len(parts) >= self.count:
            begun = _Artifact()
            begun.add(parts[: self.count])
            if begun.parts.digest() == self.parts.digest():
                return parts[self.count :]
        texts = [_text(part) for part in parts]
        if self.text is None or not parts or None in texts:
            return None
        whole = "".join(text for text in texts if text is not None)
        begun = _Artifact()
        begun.add([{"text": whole[: self.length]}])
        if begun.length < self.length or begun.text.digest() != self.text.digest():
            return None
        return [{**parts[0], "text": rest}] if (rest := whole[self.length :]) else []


class Seen:
    """What has passed to a client of one task."""

    __slots__ = ("_artifacts", "_messages", "_status", "closed", "context", "full", "items", "task")

    def __init__(self, task: str | None, message: str | None) -> None:
        """task: as far as the request names it. message: the id of the client's own."""
        self.task = task
        self.context: str | None = None
        self.items = 0
        self.closed = False
        """Whether a stream may end now: nothing followed the last status, message or error after which it does."""
        self.full = False
        """Whether it was more than is remembered."""
        self._status: Json = {}
        self._artifacts: dict[str, _Artifact] = {}
        self._messages = {message} if message else set()

    def watch(self, item: Item) -> None:
        """An item goes to the client."""
        try:
            self._watch(item)
        except TypeError:  # nested more deeply than JSON is written here
            self.full = True

    def _watch(self, item: Item) -> None:
        self.items += 1
        if item.kind is not Kind.ARTIFACT:
            self.closed = item.closes
        self.task = item.task or self.task
        self.context = item.context or self.context
        if item.status and self._is_news(item.status):
            self._remember_status(item.status)
        match item.kind:
            case Kind.ARTIFACT:
                self._remember(item.body.get("artifact"), append=item.body.get("append") is True,
                               closed=item.body.get("lastChunk") is True)
            case Kind.TASK:
                for artifact in dicts(item.body.get("artifacts")):
                    self._remember(artifact, append=False, closed=None)
                for message in dicts(item.body.get("history")):
                    self._remember_message(message)
            case _:
                pass

    def open_artifacts(self) -> set[str]:
        """Those that may have gone on while nobody listened."""
        return {name for name, artifact in self._artifacts.items() if not artifact.closed}

    def tells(self, item: Item) -> bool | None:
        """Whether an update is news after the whole task was told. None: it may be, and may have been in that."""
        if item.kind is Kind.STATUS and item.status:
            return self._is_news(item.status)
        artifact = item.body.get("artifact")
        if item.kind is not Kind.ARTIFACT or not isinstance(artifact, dict) or item.body.get("append") is not True:
            return True
        known = self._artifacts.get(ident(artifact, "artifactId") or "")
        try:
            parts = [blake2b(_written(part), digest_size=16).digest() for part in dicts(artifact.get("parts"))]
        except TypeError:
            return True
        return None if known and parts and all(part in known.last for part in parts) else True

    def difference(self, call: Call, task: Json) -> Iterator[Item]:
        """The updates that bring the client from what it has seen to this state of the task.

        Raises TypeError: the task is nested too deeply to be compared.
        """
        for message in self._missed(dicts(task.get("history"))):
            state = "working" if call.form.rpc and call.form.old else "TASK_STATE_WORKING"
            yield status_update(call, task, {"state": state, "message": message}, {RESTORED: True})
        artifacts = {name: artifact for artifact in dicts(task.get("artifacts"))
                     if (name := ident(artifact, "artifactId"))}
        for name, artifact in artifacts.items():
            yield from self._lacked(task, name, artifact)
        status = task.get("status")
        if isinstance(status, dict):
            gone = sorted(self.open_artifacts() - artifacts.keys())
            if gone or self._is_news(status):
                yield status_update(call, task, status, {GAP: True, "sbc/artifacts": gone} if gone else {})

    def _lacked(self, task: Json, name: str, artifact: Json) -> Iterator[Item]:
        parts = dicts(artifact.get("parts"))
        known = self._artifacts.get(name)
        rest = known.lacks(parts) if known else None
        if rest == []:
            return
        update: Json = {"taskId": task.get("id"), "contextId": task.get("contextId"), "artifact": artifact}
        if rest is not None:
            update |= {"artifact": {**artifact, "parts": rest}, "append": True}
        elif known:
            update |= {"metadata": {GAP: True, "sbc/artifacts": [name]}}
        yield Item(Kind.ARTIFACT, update)

    def _missed(self, history: list[Json]) -> list[Json]:
        """What the agent said after the last message that the client knows; nothing if it knows none of them."""
        if len(self._messages) >= MAX_MESSAGES:
            return []
        known = [ident(message, "messageId") in self._messages for message in history]
        if True not in known:
            return []
        after = history[len(known) - known[::-1].index(True) :]
        return [message for message in after if "user" not in str(message.get("role")).lower()]

    def _is_news(self, status: Json) -> bool:
        if _written(_short(status)) == _written(self._status):
            return False
        before, after = _time(self._status), _time(status)
        # An agent may have kept less than it said: what the client knows is newer then.
        return before is None or after is None or after >= before

    def _remember(self, artifact: Any, *, append: bool, closed: bool | None) -> None:
        """closed: whether this was its last chunk; None: it is not said."""
        if not isinstance(artifact, dict) or (name := ident(artifact, "artifactId")) is None:
            return
        if name not in self._artifacts and len(self._artifacts) >= MAX_ARTIFACTS:
            self.full = True
            return
        known = self._artifacts.get(name)
        if closed is None:
            closed = known is not None and known.closed
        if known is None or not append:
            known = self._artifacts[name] = _Artifact()
        known.add(dicts(artifact.get("parts")))
        known.closed = closed

    def _remember_status(self, status: Json) -> None:
        self._status = _short(status)
        if isinstance(message := status.get("message"), dict):
            self._remember_message(message)

    def _remember_message(self, message: Json) -> None:
        if len(self._messages) < MAX_MESSAGES and (name := ident(message, "messageId")):
            self._messages.add(name)


def dicts(value: Any) -> list[Json]:
    """The objects of what should be a list of objects."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _short(status: Json) -> Json:
    """A status with the id of its message in that one's place."""
    message = status.get("message")
    return {**status, "message": ident(message, "messageId")} if isinstance(message, dict) else status


def _text(part: Json) -> str | None:
    """The text of a part that is nothing else."""
    text = part.get("text")
    return text if isinstance(text, str) and part.keys() <= _PLAIN else None


def _time(status: Json) -> datetime | None:
    """When a status was set; None: it does not say so, or only without a time zone."""
    try:
        time = datetime.fromisoformat(status["timestamp"])
    except (KeyError, TypeError, ValueError):
        return None
    return time if time.tzinfo else None


def _written(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
