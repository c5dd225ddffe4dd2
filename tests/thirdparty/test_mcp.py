"""The official MCP SDK on both sides of the edge, unchanged: whatever its client does with a server works through it.

Both eras: sessions (2025-11-25), and none (2026-07-28). What happens when nodes are lost stands in test_mcp_losses.py.
"""

import asyncio
import contextlib

import httpx2
import pytest
from mcp import types
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ClientMessageMetadata

from tests.support.wait import PATIENCE, wait_until
from tests.thirdparty.mcp_stage import FEW, LEGACY, MODERN, Stage, User, text

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.mark.parametrize(("form", "mode"), [
    ("mcp", LEGACY), ("json", LEGACY), ("single", LEGACY), ("polled", LEGACY),
    ("mcp", MODERN), ("json", MODERN), ("mcp", "auto"),
])  # fmt: skip
async def test_all_that_a_client_does(stage: Stage, form: str, mode: str) -> None:
    async with User(stage.url(form), mode) as user:
        client = user.client
        assert client.protocol_version == ("2025-11-25" if mode == LEGACY else MODERN)
        assert {tool.name for tool in (await client.list_tools()).tools} >= {"who", "count", "pay", "ask"}
        assert [each.name for each in (await client.list_prompts()).prompts] == ["greet"]
        assert (await client.read_resource("note://x")).contents[0].text in ("x of a", "x of b")
        assert (await client.get_prompt("greet", {"whom": "Ann"})).messages[0].content.text == "Greet Ann."
        owners = {await user.who() for _ in range(4)}
        key = f"{form}-{mode}"
        assert (await user.call("count", key, count=3, pause=0.01)).startswith(f"{key} by ")
        if form != "json":
            assert user.progress[key] == [1, 2, 3]
        if mode != LEGACY or form in ("mcp", "polled"):
            assert (await user.ask()).startswith("me by ")
        if mode == LEGACY and form != "single":
            assert len(owners) == 1
            await client.send_ping()
        assert (await client.call_tool("nothing", {})).is_error
        with pytest.raises(MCPError):
            await client.get_prompt("nothing", {})


async def test_a_session_ends_with_the_goodbye_of_its_client(stage: Stage) -> None:
    before = await stage.live()
    async with User(stage.url("mcp")) as user:
        await user.who()
        session, = await stage.live() - before

    async def gone() -> bool:
        return session not in await stage.live()
    await wait_until(gone, "the session has ended")
    async with httpx2.AsyncClient() as http:
        head = {"mcp-session-id": session, "accept": "application/json, text/event-stream"}
        for method in ("POST", "GET", "DELETE"):  # the plain id is no key
            answer = await http.request(method, stage.url("mcp"), headers=head,
                                        json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
            assert answer.status_code == 404


async def test_http2_is_as_good(stage: Stage) -> None:
    async with User(stage.url("mcp"), http2=True) as user:
        await user.client.subscribe_resource("note://x")
        node = await user.who()
        assert await user.ask() == f"me by {node}"
        assert await user.call("count", "over-http2", count=3, pause=0.01) == f"over-http2 by {node}"
        await user.client.call_tool("touch", {"uri": "note://x"})
        await user.told(1)


async def test_what_the_server_says_by_itself(stage: Stage) -> None:
    async with User(stage.url("mcp")) as user, User(stage.url("mcp")) as other:
        await user.client.subscribe_resource("note://x")
        for _ in range(3):
            await user.client.call_tool("touch", {"uri": "note://x"})
        await user.told(3)
        await other.who()
        assert not other.heard


async def test_a_stream_that_its_server_closes_to_be_asked_again(stage: Stage) -> None:
    async with User(stage.url("polled")) as user:
        assert await user.call("leave", "left") == f"left by {await user.who()}"
        assert user.progress["left"] == [1, 2, 3, 4]
        assert len(stage.did("leave", "left")) == 1


class Cable:
    """What lies between a client and the edge, and can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: list[asyncio.StreamWriter] = []

    async def laid(self) -> int:
        """The port at its client's end."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends += [writer, back]
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    def cut(self) -> None:
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    def take_away(self) -> None:
        self._server.close()
        self.cut()


async def test_a_client_whose_network_breaks_asks_for_the_rest(stage: Stage) -> None:
    cable = Cable(stage.edge.port)
    url = f"http://127.0.0.1:{await cable.laid()}/mcp"
    try:
        async with User(url) as user:
            await user.client.subscribe_resource("note://x")
            call = asyncio.create_task(user.call("pay", "cut"))
            await user.reached("cut")
            cable.cut()
            assert (await call).startswith("cut by ")
            assert user.progress["cut"] == [1, 2, 3, 4, 5, 6]
            assert len(stage.did("pay", "cut")) == 1

            async def heard() -> bool:  # the stream of what the server says by itself is asked for again after 1 s
                await user.client.call_tool("touch", {"uri": "note://x"})
                return bool(user.updates())
            await wait_until(heard, "the client has its own stream again")
    finally:
        cable.take_away()


async def test_a_client_that_comes_back_with_a_token(stage: Stage) -> None:
    """As the SDK does it: the id of a session, and of the last event, are given to a new process of the client."""
    url, tokens = stage.url("mcp"), list[str]()

    async def note(token: str) -> None:
        tokens.append(token)
    call = types.CallToolRequest(params=types.CallToolRequestParams(
        name="pay", arguments={"key": "resumed", "count": 8}, _meta={"progressToken": 1}))
    known: dict[str, str] = {}

    async def learn(response: httpx2.Response) -> None:
        known.setdefault("mcp-session-id", response.headers.get("mcp-session-id", ""))
    async with httpx2.AsyncClient(timeout=PATIENCE, event_hooks={"response": [learn]}) as http:
        with contextlib.suppress(asyncio.CancelledError):
            async with streamable_http_client(url, http_client=http, terminate_on_close=False) as streams, \
                    ClientSession(*streams) as session:
                await session.initialize()
                going = asyncio.create_task(session.send_request(
                    call, types.CallToolResult, metadata=ClientMessageMetadata(on_resumption_token_update=note)))
                await wait_until(lambda: len(tokens) >= 2, "two events with ids")
                going.cancel()
    seen: list[float] = []

    async def hear(message: object) -> None:
        if isinstance(message, types.ProgressNotification):
            seen.append(message.params.progress)
    head = {"mcp-session-id": known["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
    async with httpx2.AsyncClient(timeout=PATIENCE, headers=head) as http, \
            streamable_http_client(url, http_client=http) as streams, \
            ClientSession(*streams, message_handler=hear) as session:
        result = await session.send_request(call, types.CallToolResult,
                                            metadata=ClientMessageMetadata(resumption_token=tokens[-1]))
    assert text(result).startswith("resumed by ")
    assert seen == [float(step) for step in range(len(tokens) + 1, 9)]
    assert len(stage.did("pay", "resumed")) == 1


async def test_a_call_that_leaves_nothing_behind_leaves_no_session(stage: Stage) -> None:
    async with User(stage.url("mcp"), MODERN) as user:
        before, admitted = await stage.live(), await stage.edge.metric("sbc_admissions_total", outcome="admitted")
        for number in range(3):  # a client that declares what it can do
            await user.call("count", f"alone-{number}", count=2, pause=0.01)
        assert await stage.live() == before
        assert await stage.edge.metric("sbc_admissions_total", outcome="admitted") == admitted
        asked = await user.client.session.call_tool("ask", {}, allow_input_required=True)
        assert isinstance(asked, types.InputRequiredResult)
        assert len(await stage.live() - before) == 1


async def test_questions_that_nobody_answers_keep_nobody_out(stage: Stage) -> None:
    async with User(stage.url("few"), MODERN) as user:
        for _ in range(FEW + 2):
            asked = await user.client.session.call_tool("ask", {}, allow_input_required=True)
            assert isinstance(asked, types.InputRequiredResult)
        assert await user.ask()
        assert FEW - 5 < len(await stage.live()) <= FEW + 5


async def test_nobody_gets_what_is_meant_for_another(stage: Stage) -> None:
    async def live(number: int) -> None:
        mode, form = (LEGACY, MODERN)[number % 2], ("mcp", "json", "mcp", "polled")[number % 4]
        async with User(stage.url(form), mode, name=f"user-{number}") as user:
            for turn in range(3):
                keys = [f"{number}-{turn}-{part}" for part in range(2)]
                said = await asyncio.gather(*(user.call("count", key, count=4, pause=0.01) for key in keys))
                assert [each.partition(" ")[0] for each in said] == keys
                if mode == MODERN or form != "json":
                    assert (await user.ask()).startswith(f"user-{number} by ")
                if form != "json":
                    assert all(user.progress[key] == [1, 2, 3, 4] for key in keys)
    await asyncio.gather(*(live(number) for number in range(12)))
