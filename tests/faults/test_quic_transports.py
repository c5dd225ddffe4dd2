"""P4 from one transport to another: a dialog goes on over HTTP/3 that was begun on TCP, and the reverse."""

import asyncio
import json

import pytest

from sbc.sdk.client import Ticket, Transport, connect, race
from tests.support.asking import Stream, url, web
from tests.support.caller import Caller
from tests.support.h2_client import H2Client
from tests.support.h3_client import H3Client
from tests.support.oracle import exactly_once
from tests.support.quic import asking_over, ca_file, secure, trusted
from tests.support.relays import Network
from tests.support.scene import Scene
from tests.support.wait import wait_until
from tests.wire.tls import client_context

EVENTS = {"Accept": "text/event-stream", "X-Chat": "c"}


async def test_a_websocket_gets_what_it_is_owed_over_another_transport(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(secure(scene))
    for before, then in ((Transport.HTTP1, Transport.HTTP3), (Transport.HTTP3, Transport.HTTP1),
                         (Transport.HTTP2, Transport.HTTP3)):
        network = Network(scene.edge.port)
        await network.open()
        await change_over(scene, network, before, then)
        await network.close()


async def change_over(scene: Scene, network: Network, before: Transport, then: Transport) -> None:
    """Begin over one transport, lose it in the middle, go on over another; the owner dies on the way."""
    trust = ca_file(scene)
    first = Caller(f"https://localhost:{network.port}/", ca_file=trust, transports=[before], patience=60.0)
    async with first:
        assert first.session.transport is before
        await first.say(80, every=0.01)
        await first.has(5)
        network.dark = True  # it breaks without a word
        network.cut()
        await asyncio.sleep(0.1)  # for some messages that nobody hears
        ticket = Ticket(first.session.ticket.token, len(first.heard))
        second = Caller(f"https://localhost:{scene.edge.port}/", ca_file=trust, transports=[then], session=ticket)
        second.said, second.heard = list(first.said), list(first.heard)
        async with second:
            assert second.session.transport is then
            await second.say(3)
            owner = scene.owner(second)
            owner.kill()
            await second.say(3)
            await second.answered()
            exactly_once(second)
            owner.start()
            await scene.edge.sees(owner)


async def test_a_websocket_goes_on_as_webtransport_and_comes_back(scene: Scene) -> None:
    scene.trunk("a", "b", checkpoint="message")
    await scene.open(secure(scene))
    url = f"https://localhost:{scene.edge.port}/"
    first = Caller(url, ca_file=ca_file(scene), transports=[Transport.HTTP1])
    async with first:
        await first.say(60, every=0.01)
        await first.has(5)
        ticket = await first.session.leave()
    client = await H3Client.connect(scene.edge.port, "aioquic", trust=trusted(), webtransport=True)
    session = client.tunnel(b"/", b"webtransport", [
        (b"session-id", ticket.token.encode()), (b"session-received", b"%d" % ticket.received)])
    answer = client.answers[session]
    await client.until(lambda: answer.fields, "the answer")
    assert answer.status == 200 and answer.fields[b"session-resumed"] == b"%d" % ticket.received
    token = answer.fields[b"session-id"].decode()
    second = Caller(url, ca_file=ca_file(scene), transports=[Transport.HTTP2])
    second.said, second.heard = list(first.said), first.heard[:ticket.received]
    for number in (2, 3):
        second.said.append({"n": number, "say": 2})
        client.open_stream(session, json.dumps(second.said[-1]).encode())
    await client.until(lambda: len(client.ended) > 20, "messages on streams of the edge's")
    scene.nodes[str(json.loads(client.streams[max(client.ended)])["node"])].kill()
    await client.until(lambda: ticket.received + len(client.ended) == second.owed, "all of them")
    second.heard += [json.loads(client.streams[stream]) for stream in sorted(client.ended)]
    exactly_once(second)
    client.drop()  # without a word
    second.session = connect(url, ca_file=ca_file(scene), transports=[Transport.HTTP2],
                             session=Ticket(token, len(second.heard)))
    async with second:
        await second.say(3)
        await second.answered()
        exactly_once(second)


async def test_a_client_goes_over_to_http3_when_it_has_been_told_of_it_and_back_when_that_is_gone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(race, "HEAD_START", 5.0)  # on a busy machine it would lose the race now and then
    scene.trunk("a", checkpoint="message")
    await scene.open(secure(scene))
    network = Network(scene.edge.port)
    await network.open()
    async with Caller(f"https://localhost:{network.port}/", ca_file=ca_file(scene)) as caller:
        assert caller.session.transport is Transport.HTTP2, "nobody has said anything of HTTP/3 yet"
        await caller.say(50, every=0.01)
        await caller.has(5)
        network.cut()
        await caller.has(10)
        await caller.stands(Transport.HTTP3)
        await caller.say(5)
        await caller.answered()
        exactly_once(caller)
    await network.close()


async def test_an_event_stream_begun_on_http2_is_resumed_over_http3_and_the_reverse(scene: Scene) -> None:
    node, = scene.plain("a", module="node_http")
    await scene.open(secure(scene, web(scene)))
    path = "/events?count=90&every=0.02"
    tls = client_context()
    tls.set_alpn_protocols(["h2"])
    h2 = await H2Client.connect(scene.edge.port, tls=tls)
    head = [(name.lower().encode(), value.encode()) for name, value in EVENTS.items()]
    answer = h2.answers[await h2.ask(path.encode(), more=head)]
    await h2.until(lambda: answer.body.count(b"\n\n") > 5, "some events")
    h2.drop()
    heard, last = read(answer.body)
    async with asking_over("aioquic", scene) as http:
        stream = Stream.opened(http, "GET", url(scene, path), headers=EVENTS | {"Last-Event-ID": last})
        await stream.has(20)
        await stream.leave()
    heard += [event.json["i"] for event in stream.events]
    h2 = await H2Client.connect(scene.edge.port, tls=tls)
    back = (b"last-event-id", stream.events[-1].identity.encode())
    rest = await h2.answer(await h2.ask(path.encode(), more=[*head, back]))
    h2.drop()
    assert rest.complete
    assert heard + read(rest.body)[0] == list(range(1, 91))
    assert len(node.history("heard")) == 1, "the node was asked once"


def read(body: bytes) -> tuple[list[int], str]:
    """The numbers in the whole events of a body, and the id of the last one."""
    numbers, last = [], ""
    for event in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in event.split("\n") if ": " in line)
        if "data" in fields:
            numbers.append(json.loads(fields["data"])["i"])
            last = fields["id"]
    return numbers, last


async def test_a_nat_that_gives_a_client_another_address_is_not_noticed(scene: Scene) -> None:
    scene.trunk("a", checkpoint="message")
    await scene.open(secure(scene))
    network = Network(scene.edge.port)
    await network.open()
    caller = Caller(f"https://localhost:{network.port}/", ca_file=ca_file(scene), transports=[Transport.HTTP3],
                    ping=5.0)
    async with caller:
        await caller.say(150, every=0.01)
        for count in (10, 40, 70):
            await caller.has(count)
            network.cut()
            await caller.say()
        await caller.answered()
        exactly_once(caller)
        await wait_until(lambda: network.connections >= 4, "the paths")
    assert await scene.edge.metric("sbc_admissions_total", outcome="reattached") == 0
    await network.close()
