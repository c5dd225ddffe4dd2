"""The official OpenAI client, unchanged, through the edge to inference servers that are killed under it."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.node_openai import pieces
from tests.support.wait import PATIENCE, wait_until
from tests.thirdparty.http_stage import WebScene

openai = pytest.importorskip("openai")
httpx2 = pytest.importorskip("httpx2")

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = [{"role": "user", "content": "hello"}]


class Inference(WebScene):
    async def whole(self) -> None:
        """Both servers are up."""
        for node in self.nodes.values():
            if not node.running:
                node.start()
            await node.serving()
        await self.edge.sees(*self.nodes.values())

    def others(self, name: str) -> set[str]:
        return set(self.nodes) - {name}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inference]:
    scene = Inference(tmp_path_factory.mktemp("openai"))
    for name in ("a", "b", "c"):
        scene.module(name, "node_openai")
    await scene.open(scene.tree({
        "routes": [{"match": {"path": "/v1"}, "agent": "tutor", "protocol": "openai"}]}), hold="10s")
    yield scene
    await scene.close()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(opened: Inference) -> Inference:
    await opened.whole()
    return opened


@pytest_asyncio.fixture(loop_scope="module", params=[False, True], ids=["http1", "http2"])
async def client(scene: Inference, request: pytest.FixtureRequest) -> "AsyncIterator[openai.AsyncOpenAI]":
    tls = request.param
    http = httpx2.AsyncClient(http2=tls, verify=ssl.create_default_context(cafile=scene.ca), timeout=PATIENCE)
    async with openai.AsyncOpenAI(base_url=scene.url("/v1", tls=tls), api_key="k", http_client=http) as client:
        yield client


async def test_a_chat_stays_with_one_server(client: "openai.AsyncOpenAI") -> None:
    owners, said = set(), []
    for number in range(4):
        chat = [{"role": "user", "content": f"conversation {number}"}]
        nodes = set()
        for _ in range(3):
            answer = await client.chat.completions.create(model="m", messages=chat)
            nodes.add(answer.choices[0].message.content)
            chat += [{"role": "assistant", "content": "yes"}, {"role": "user", "content": "and then?"}]
        assert len(nodes) == 1
        owners |= nodes
        stream = await client.chat.completions.create(model="m", messages=chat, stream=True)
        said.append("".join([chunk.choices[0].delta.content async for chunk in stream]))
        assert said[-1] == "".join(pieces(nodes.pop()))
    assert len(owners) > 1


async def test_a_response_is_followed_up_where_it_was_made(client: "openai.AsyncOpenAI") -> None:
    first = [await client.responses.create(model="m", input=f"hello {number}") for number in range(3)]
    for answer in first:
        before = answer
        for _ in range(3):
            after = await client.responses.create(model="m", input="more", previous_response_id=before.id)
            assert after.output_text == answer.output_text
            before = after
        stream = await client.responses.create(model="m", input="more", previous_response_id=before.id, stream=True)
        last = [event async for event in stream][-1]
        assert last.response.output_text == "".join(pieces(answer.output_text))


async def test_a_chat_whose_server_dies_in_the_middle_is_not_taken_for_whole(
        scene: Inference, client: "openai.AsyncOpenAI") -> None:
    stream = await client.chat.completions.create(model="m", messages=CHAT, stream=True)
    said = []
    with pytest.raises(openai.APIError, match="incomplete"):
        async for chunk in stream:
            said.append(chunk.choices[0].delta.content)
            if len(said) == 3:
                scene.nodes[said[0].strip()].kill()
    assert said[:3] == pieces(said[0].strip())[:3]
    assert len(said) < len(pieces("a"))
    answer = await client.chat.completions.create(model="m", messages=CHAT)
    assert answer.choices[0].message.content in scene.others(said[0].strip())


async def test_a_background_response_goes_on_at_another_server(
        scene: Inference, client: "openai.AsyncOpenAI") -> None:
    stream = await client.responses.create(model="m", input="long", background=True, stream=True)
    text, numbers, identity = "", [], ""
    async for event in stream:
        numbers.append(event.sequence_number)
        match event.type:
            case "response.created":
                identity = event.response.id
            case "response.output_text.delta":
                text += event.delta
        if event.sequence_number == 4:
            scene.nodes[identity[len("resp_")]].kill()
    assert text == "".join(pieces("any"))
    assert numbers == list(range(len(pieces("any")) + 2))
    assert [fact["after"] for node in scene.nodes.values() for fact in node.history("resumed")][-1] >= 4


async def test_a_call_whose_outcome_nobody_knows_is_made_once(
        scene: Inference, client: "openai.AsyncOpenAI") -> None:
    before = {name: len(node.history("chat")) for name, node in scene.nodes.items()}
    call = asyncio.ensure_future(client.chat.completions.create(model="slow", messages=CHAT))

    def owner() -> str | None:
        return next((name for name, node in scene.nodes.items() if len(node.history("chat")) > before[name]), None)
    scene.nodes[await wait_until(owner, "the call is under way") or ""].kill()
    with pytest.raises(openai.InternalServerError, match="may have acted"):
        await call
    assert sum(len(node.history("chat")) for node in scene.nodes.values()) == sum(before.values()) + 1


async def test_a_call_that_leaves_nothing_behind_is_made_again(
        scene: Inference, client: "openai.AsyncOpenAI") -> None:
    answer = await client.chat.completions.create(model="m", messages=CHAT, store=False)
    scene.nodes[answer.choices[0].message.content].kill()
    again = await client.chat.completions.create(model="m", messages=CHAT, store=False)
    assert again.choices[0].message.content in scene.others(answer.choices[0].message.content)
