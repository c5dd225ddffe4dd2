"""Streams of a real agent, cut off and asked for again: the client has all of it, once, in order."""

import asyncio
import contextlib
import json
from typing import Any

import httpx
import pytest
from a2a.server.tasks import InMemoryTaskStore

from sbc.model.http import Response
from sbc.protocols.a2a import A2A
from sbc.protocols.a2a.calls import Form
from sbc.protocols.events import event_data
from sbc.protocols.protocol import Conversation, Reading
from tests.protocols.a2a.agent import STEPS, Asked, Kept, Steps, served
from tests.protocols.a2a.shapes import get, post, rpc
from tests.support.wait import wait_until

TALK = Conversation()
MESSAGES = [f"step {step}" for step in range(STEPS)]
LOG = "".join(f"{step}," for step in range(STEPS))


class Told:
    """What a client was told, whatever the form."""

    def __init__(self, form: Form) -> None:
        self.form, self.log, self.messages, self.states = form, "", [], []
        self.gaps = 0

    def take(self, event: bytes | None) -> None:
        for text in [data for part in (event or b"").split(b"\n\n") if (data := event_data(part + b"\n\n"))]:
            said = json.loads(text)
            self._item(said["result"] if self.form.rpc else said)

    def _item(self, item: dict[str, Any]) -> None:
        update = item if self.form is Form.RPC_03 else next(iter(item.values()))
        marks = update.get("metadata", {})
        self.gaps += "sbc/gap" in marks
        if "artifact" in update:
            if "sbc/repeat" in marks:
                return  # the chunks of this agent are never alike
            text = "".join(part["text"] for part in update["artifact"]["parts"])
            self.log = self.log + text if update.get("append") else text
            return
        status = update["status"]
        self.states.append(status["state"].removeprefix("TASK_STATE_").lower())
        if message := status.get("message"):
            self.messages.append(message.get("parts", message.get("content"))[0]["text"])


def asked(form: Form) -> Reading:
    version = "0.3" if form.old else "1.0"
    part = {"kind": "text", "text": "go"} if form is Form.RPC_03 else {"text": "go"}
    parts = "content" if form is Form.REST_03 else "parts"
    said = {"message": {"messageId": "m-1", "role": "user" if form is Form.RPC_03 else "ROLE_USER", parts: [part]}}
    if form.rpc:
        method = "message/stream" if form.old else "SendStreamingMessage"
        return A2A().read(*post(rpc(method, said), version=version))
    return A2A().read(*post(said, "/agent/v1/message:stream" if form.old else "/agent/message:stream", version))


async def follow(asking: Asked, reading: Reading, told: Told, until: str) -> None:
    """The answer goes to the client until a message was told, or to its end."""
    async for event in asking.events():
        told.take(reading.event(event))
        if told.messages[-1:] == [until] and told.log.endswith(f"{until[-1]},"):
            return


async def rest(url: str, reading: Reading, told: Told, until: str = "") -> None:
    """Ask for the rest until there is no more to ask, as the runtime does."""
    while not reading.complete():
        wanted = reading.resume(None)
        assert wanted is not None
        async with Asked(url, *wanted) as asking:
            assert asking.response is not None
            if "event-stream" in asking.response.headers["content-type"]:
                with contextlib.suppress(httpx.RemoteProtocolError):  # 0.3 agents break a stream that they refuse
                    await follow(asking, reading, told, until)
                if until:
                    return
            else:
                head = Response(asking.response.status_code)
                told.take(reading.resume_answered(head, await asking.response.aread()))


@pytest.mark.parametrize("form", list(Form))
async def test_a_stream_that_is_cut_off(form):
    steps, reading, told = Steps(), asked(form), Told(form)
    async with served(steps, InMemoryTaskStore()) as url:
        steps.allow(2)
        async with Asked(url, reading.request, reading.body or b"") as asking:
            reading.answered(Response(200, [(b"content-type", b"text/event-stream")]), lambda: b"", TALK)
            await follow(asking, reading, told, "step 1")
        steps.allow(2)
        await wait_until(lambda: steps.done == 4, "two steps that nobody listens to")
        await rest(url, reading, told, "step 3")
        following = asyncio.create_task(rest(url, reading, told))
        steps.allow(2)  # while the agent is asked: whatever comes first
        await following
    assert told.log == LOG
    assert told.messages == MESSAGES
    assert told.states[-1] == "completed"
    assert told.gaps == 0
    assert [key.kind for key in reading.learned] == ["task", "context"]


@pytest.mark.parametrize("form", list(Form))
async def test_a_task_that_ends_while_nobody_listens(form):
    steps, reading, told, store = Steps(), asked(form), Told(form), Kept()
    async with served(steps, store) as url:
        steps.allow(2)
        async with Asked(url, reading.request, reading.body or b"") as asking:
            reading.answered(Response(200, [(b"content-type", b"text/event-stream")]), lambda: b"", TALK)
            await follow(asking, reading, told, "step 1")
        steps.allow(STEPS)
        await wait_until(lambda: store.ended, "the end of the task is on record")
        async with served(Steps(), store) as other:
            await rest(other, reading, told)
    assert told.log == LOG
    assert told.messages == MESSAGES
    assert told.states[-1] == "completed"
    assert told.gaps == 0


async def test_the_card_of_a_real_agent():
    async with served(Steps(), InMemoryTaskStore()) as url:
        reading = A2A().read(get("/agent/.well-known/agent-card.json"), None)
        async with Asked(url, reading.outgoing(reading.request, TALK), b"") as asking:
            assert asking.response is not None
            text = reading.whole_answer(await asking.response.aread())
    told = json.loads(text)
    assert {place["url"] for place in told["supportedInterfaces"]} == {"http://edge.example/agent"}
    assert b"node.internal" not in text
