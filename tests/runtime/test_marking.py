"""The packets of both legs bear the mark of their session's class: captured on their way."""

from typing import Any

import pytest

from tests.support.asking import asking, url, web
from tests.support.capture import Capture, capture  # noqa: F401  a fixture is used by its name
from tests.support.raw import TEXT, RawClient, frame
from tests.support.scene import Scene


@pytest.mark.parametrize(("class_", "marking", "mark"), [
    ("synchronous", {}, 46), ("autonomous", {"autonomous": "CS1"}, 8), ("interactive", {"interactive": None}, 0),
])  # fmt: skip
async def test_of_a_websocket_session(scene: Scene, capture: Capture, class_: str,  # noqa: F811
                                      marking: dict[str, Any], mark: int) -> None:
    (node,) = scene.plain("a")
    await scene.open({"agents": {"tutor": {"continuity": class_}}, "marking": marking})
    client = await RawClient.opened(scene.edge.port)
    said = frame(TEXT, b"a word for the node")  # it goes to the node as it came
    await client.send(said)
    got = await client.frame()
    assert got is not None
    client.abort()
    assert capture.marks(said, to=node.port) == {mark}
    assert capture.marks(got.payload, source=scene.edge.port) == {mark}
    assert capture.marks(b"HTTP/1.1 101", source=scene.edge.port) == {mark}


async def test_of_requests(scene: Scene, capture: Capture) -> None:  # noqa: F811
    (node,) = scene.plain("a", module="node_http")
    changes = web(scene)
    changes["agents"] = {"tutor": {"continuity": "synchronous"}}
    await scene.open(changes)
    async with asking() as http:
        for word in ("first", "second"):
            async with http.post(url(scene, "/ask"), headers={"X-Chat": "c", "X-Word": word}) as answer:
                assert answer.status == 200
                await answer.read()
    for word in (b"first", b"second"):
        assert capture.marks(b"X-Word: " + word, to=node.port) | capture.marks(b"x-word: " + word, to=node.port) == {46}
    assert capture.marks(b"HTTP/1.1 200", source=scene.edge.port) == {46}
