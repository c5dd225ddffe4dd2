"""P4 over HTTP: clients that come back get the rest, and are told of what is lost. P6, P7: reloads, records, keys."""

import asyncio
import contextlib
import json

from tests.support.asking import Heard, Stream, asking, url, web
from tests.support.scene import Scene
from tests.support.wait import wait_until

EVENTS = {"Accept": "text/event-stream"}


async def test_a_client_that_comes_back_gets_the_rest(scene: Scene) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene))
    async with asking() as http:
        first = Stream.opened(http, "GET", url(scene, "/events?count=60&every=0.02"), headers={"X-Chat": "c", **EVENTS})
        await first.has(5)
        await first.leave()
        await asyncio.sleep(0.1)  # for some events that it does not hear
        had = len(first.events)
        back = {"X-Chat": "c", **EVENTS, "Last-Event-ID": first.events[-1].identity}
        again = Stream.opened(http, "GET", url(scene, "/events?count=60&every=0.02"), headers=back)
        assert await again.ended() == "whole"
        assert [event.json["i"] for event in again.events] == list(range(had + 1, 61))
        late = Stream.opened(http, "GET", url(scene, "/events?count=60&every=0.02"), headers=back)
        assert await late.ended() == "whole", "the stream is over, the journal has it still"
        assert [event.json["i"] for event in late.events] == list(range(had + 1, 61))
    assert len(node.history("heard")) == 1, "the node was asked once"
    assert not node.history("left")


async def test_an_event_source_without_any_key_finds_its_stream_by_the_last_id(scene: Scene) -> None:
    """It can send nothing else, and to nobody but the client it was for does it lead anywhere."""
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene, hold="2s") | {"edge": {"store": f"sqlite:{scene.directory / 'sbc.db'}"}})
    path = url(scene, "/events?count=60&every=0.02")
    async with asking() as http, asking("127.0.0.2") as stranger:
        first = Stream.opened(http, "GET", path, headers=EVENTS)
        await first.has(5)
        await first.leave()
        had = len(first.events)
        back = {**EVENTS, "Last-Event-ID": first.events[-1].identity}
        stolen = Stream.opened(stranger, "GET", path, headers=back)
        await stolen.has(2)
        assert stolen.events[0].name == "session-gap" and stolen.events[1].json["i"] == 1, "another stream"
        again = Stream.opened(http, "GET", path, headers=back)
        assert await again.ended() == "whole"
        assert [event.json["i"] for event in again.events] == list(range(had + 1, 61))
        await stolen.ended()
        assert len(node.history("heard")) == 2
        scene.edge.kill()
        scene.edge.start()
        await scene.edge.ready()
        await scene.edge.sees(node)
        late = Stream.opened(http, "GET", path, headers=back)
        await late.ended()
        assert [event.json["i"] for event in late.events] == list(range(had + 1, 61)), "from the store"
        assert len(node.history("heard")) == 2
    await scene.no_sessions()  # nobody comes back any more


async def test_a_client_that_does_not_come_back_is_waited_for_no_longer_than_agreed(scene: Scene) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene, hold="1s"))
    async with asking() as http:
        stream = Stream.opened(http, "GET", url(scene, "/events?count=5000&every=0.02"),
                               headers={"X-Chat": "c", **EVENTS})
        await stream.has(3)
        await stream.leave()
        await wait_until(lambda: node.history("left"), "the node's stream is ended, though it never fell silent")


async def test_what_the_journal_no_longer_holds_is_a_gap_that_is_told(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene, limits={"journal": "16KiB"}))
    path = "/events?count=200&pad=200&every=0.002"
    async with asking() as http:
        first = Stream.opened(http, "GET", url(scene, path), headers={"X-Chat": "c", **EVENTS})
        assert await first.ended() == "whole"
        again = Stream.opened(http, "GET", url(scene, path), headers={
            "X-Chat": "c", **EVENTS, "Last-Event-ID": first.events[4].identity})
        await again.has(2)
        await again.ended()
        gap, *rest = again.events
        assert gap.name == "session-gap"
        assert gap.json["lost"] == rest[0].json["i"] - 6, "so many are missing behind the fifth"
        assert [event.json["i"] for event in rest] == list(range(rest[0].json["i"], 201))
        session = await scene.only_session()
        assert (await scene.edge.session(session))["record"]["lost"] == gap.json["lost"]


async def test_what_follows_in_the_journal_on_a_stream_that_was_cut_is_no_whole_answer(scene: Scene) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene))
    async with asking() as http:
        headers = {"X-Chat": "c", **EVENTS}
        stream = Stream.opened(http, "GET", url(scene, "/events?count=900&every=0.02"), headers=headers)
        await stream.has(8)
        node.kill()
        assert await stream.ended() == "cut", "nobody can say the rest of a stream without ids"
        again = Stream.opened(http, "GET", url(scene, "/events?count=900&every=0.02"), headers=headers | {
            "Last-Event-ID": stream.events[2].identity})
        assert await again.ended() == "cut"
        assert [event.json["i"] for event in again.events] == [event.json["i"] for event in stream.events[3:]]


async def test_two_streams_of_a_session_with_equal_ids_are_not_mixed_up(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene))
    paths = ["/events?ids&count=40&every=0.03&which=1", "/events?ids&count=40&every=0.03&pad=9&which=2"]
    async with asking() as http:
        streams = [Stream.opened(http, "GET", url(scene, path), headers={"X-Chat": "c", **EVENTS}) for path in paths]
        for stream in streams:
            await stream.has(4)
        for stream in streams:
            await stream.leave()
        again = [Stream.opened(http, "GET", url(scene, path), headers={
            "X-Chat": "c", **EVENTS, "Last-Event-ID": stream.events[-1].identity})
            for path, stream in zip(paths, streams, strict=True)]
        for stream, former, pad in zip(again, streams, ("", "x" * 9), strict=True):
            assert await stream.ended() == "whole"
            assert [event.json["i"] for event in stream.events] == list(range(len(former.events) + 1, 41))
            assert {event.json["pad"] for event in stream.events} == {pad}


async def test_an_id_beyond_what_the_edge_knows_repeats_nothing(scene: Scene) -> None:
    """An edge that is killed knows less than its clients: what its store was told is a moment older."""
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene))
    path = url(scene, "/events?count=80&every=0.02")
    async with asking() as http:
        first = Stream.opened(http, "GET", path, headers={"X-Chat": "c", **EVENTS})
        await first.has(5)
        ahead = {"X-Chat": "c", **EVENTS, "Last-Event-ID": "sbc-1-5000"}
        alive = Stream.opened(http, "GET", path, headers=ahead)
        assert await alive.ended() == "whole"
        numbers = [event.json["i"] for event in alive.events]
        assert numbers == list(range(numbers[0], 81)) and numbers[0] > 5, "what comes from here on"
        over = Stream.opened(http, "GET", path, headers=ahead)
        await over.has(2)
        assert over.events[0].name == "session-gap" and over.events[1].json["i"] == 1
        await over.ended()
        assert [event.json["i"] for event in over.events[1:]] == list(range(1, 81)), "asked anew, and once"
    assert ["last-event-id" in fact["told"] for fact in node.history("heard")] == [False, False]


async def test_an_id_of_another_stream_leads_to_nothing_of_it(scene: Scene) -> None:
    scene.plain("a", module="node_http")
    await scene.open(web(scene))
    async with asking() as http:
        one = Stream.opened(http, "GET", url(scene, "/events?count=5&pad=1"), headers={"X-Chat": "c", **EVENTS})
        assert await one.ended() == "whole"
        other = Stream.opened(http, "GET", url(scene, "/events?count=3&pad=2"), headers={
            "X-Chat": "c", **EVENTS, "Last-Event-ID": one.events[1].identity})
        assert await other.ended() == "whole"
        assert other.events[0].name == "session-gap"
        assert [(event.json["i"], event.json["pad"]) for event in other.events[1:]] == [(i, "xx") for i in (1, 2, 3)]


async def test_a_node_sees_no_id_of_the_edges_making(scene: Scene) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene))
    async with asking() as http:
        whole = Stream.opened(http, "GET", url(scene, "/events?count=3"), headers={"X-Chat": "c", **EVENTS})
        assert await whole.ended() == "whole"
        again = Stream.opened(http, "GET", url(scene, "/events?count=3"), headers={
            "X-Chat": "c", **EVENTS, "Last-Event-ID": whole.events[-1].identity})
        assert await again.ended() == "whole"
        assert [event.json["i"] for event in again.events] == [1, 2, 3], "as whoever asks a server that knows no ids"
    assert all("last-event-id" not in fact["told"] for fact in node.history("heard"))


async def test_a_stream_that_nobody_knows_any_more_is_begun_anew_behind_a_gap(scene: Scene) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(web(scene, session={}) | {"routes": [
        {"match": {"path": "/"}, "agent": "tutor", "protocol": "sse", "policy": "default"}]})
    path = "/events?count=60&every=0.02"
    async with asking() as http:
        again = Stream.opened(http, "GET", url(scene, path), headers={
            **EVENTS, "Last-Event-ID": "sbc-0123456789abcdef-1-5"})
        assert await again.ended() == "whole"
        gap, *rest = again.events
        assert gap.name == "session-gap" and gap.json["lost"] >= 1
        assert [event.json["i"] for event in rest] == list(range(1, 61))
    told = [fact["told"] for fact in node.history("heard")]
    assert all("last-event-id" not in fields for fields in told), "an id of the edge's own means nothing to a node"


# P6.


async def test_a_reload_keeps_sessions_and_streams(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    changes = web(scene)
    await scene.open(changes)
    async with asking() as http:
        asked = Stream.opened(http, "GET", url(scene, "/ask"), headers={"X-Chat": "c"})
        await asked.ended()
        stream = Stream.opened(http, "GET", url(scene, "/events?count=60&every=0.02"),
                               headers={"X-Chat": "s", **EVENTS})
        await stream.has(3)
        fewer = {"policies": {"default": {"limits": {"headers": 60}}}}
        scene.edge.configure(list(scene.nodes.values()), changes | fewer)
        status, answer = await scene.edge.post("/api/v1/reload")
        assert status == 200, answer
        scene.edge.write("edge: [nonsense")
        status, _ = await scene.edge.post("/api/v1/reload")
        assert status == 422
        again = Stream.opened(http, "GET", url(scene, "/ask"), headers={"X-Chat": "c"})
        await again.ended()
        assert again.json["node"] == asked.json["node"] and again.json["told"]["session-message"] == "2"
        assert await stream.ended() == "whole"
        assert [event.json["i"] for event in stream.events] == list(range(1, 61))


# P7.


async def test_records_and_rows_are_true(scene: Scene) -> None:
    scene.plain("a", "b", module="node_http")
    records = scene.directory / "records.jsonl"
    await scene.open(web(scene, protocol="opaque") | {"edge": {"records": str(records)}})
    async with asking() as http:
        for number in range(3):
            asked = Stream.opened(http, "GET", url(scene, f"/ask?n={number}"), headers={"X-Chat": "c"})
            await asked.ended()
        owner = scene.nodes[asked.json["node"]]
        lost = [Stream.opened(http, "POST", url(scene, "/ask?after=20&n=p"), headers={"X-Chat": "c"}, data=b"{}")
                for _ in range(2)]
        await wait_until(lambda: sum(fact["n"] == "p" for fact in owner.history("heard")) == 2, "both are sent")
        row, = await scene.edge.sessions()
        assert (row["received"], row["sent"], row["state"], row["handovers"]) == (5, 3, "confirmed", 0)
        owner.kill()
        for stream in lost:
            await stream.ended()
        last = Stream.opened(http, "GET", url(scene, "/ask"), headers={"X-Chat": "c"})
        await last.ended()
        session = row["session"]
        assert (await scene.edge.session(session))["owner"].endswith("/" + last.json["node"])
        await scene.edge.get(f"/api/v1/sessions/{session}", "DELETE")
        await scene.no_sessions()
    await wait_until(lambda: records.exists() and records.read_text().count("\n") >= 1, "the record")
    record = next(one.get("record", one) for one in map(json.loads, records.read_text().splitlines())
                  if session in json.dumps(one))
    assert (record["handovers"], record["unknown"], record["lost"]) == (1, 2, 0), record
    assert record["messages"] == {"client": 6, "node": 4}
    assert await scene.edge.metric("sbc_unknown_messages_total") == 2
    assert await scene.edge.metric("sbc_handovers_total", outcome="moved") == 1


async def test_a_stream_without_its_last_blank_line_is_whole_and_half_an_event_is_not(scene: Scene) -> None:
    chunk = b'data: {"choices": [{"delta": {"content": "hello"}}]}\n\n'
    tails = {"whole": b"data: [DONE]\n", "half": b'data: {"choices": [{"del'}

    async def node(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                body = chunk + tails["half" if b"?half " in head else "whole"]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%s"
                             % (len(body), body))

    async with await asyncio.start_server(node, "127.0.0.1", 0) as server, asking() as http:
        at = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        changes, paths = web(scene), {"/half": "openai", "/whole": "openai", "/line": "sse"}
        await scene.open(changes | {
            "pools": {"lines": {"nodes": [{"name": "a", "url": at}], "probe": None}},
            "agents": {"tutor": {"pool": "lines"}},
            "routes": [changes["routes"][0] | {"match": {"path": path}, "protocol": protocol}
                       for path, protocol in paths.items()],
        })  # fmt: skip
        said = {}
        for path, protocol in paths.items():
            end = path + ("/chat/completions" if protocol == "openai" else "") + f"?{path[1:]}"
            stream = Stream.opened(http, "POST", url(scene, end), headers={"X-Chat": path}, data=b"{}")
            said[path[1:]] = await stream.ended(), stream.events[1:], stream.unfinished
    assert said["whole"] == ("whole", [Heard("[DONE]")], b"")
    assert said["line"] == ("whole", [], tails["whole"])
    end, (last,), rest = said["half"]
    assert (end, rest) == ("cut", b"") and "error" in last.json
