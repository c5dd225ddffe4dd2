"""The doorstep of a WebSocket over HTTP/1.1."""

from typing import Any

from sbc.model.errors import Refusal
from tests.support.raw import upgrade
from tests.support.wait import wait_until
from tests.transports.door import Doorway


async def test_a_client_that_has_gone_meanwhile_is_refused_without_a_word() -> None:
    async with Doorway(None, "http1", "websocket") as door:
        waiting: list[Any] = []
        gone: list[bool] = []

        def greet(doorstep: Any, _hello: Any, _octets: int) -> None:
            doorstep.gone = lambda: gone.append(True)
            waiting.append(doorstep)
        door.script.greet = greet  # type: ignore[method-assign]
        client = await door.client(upgrade("/ws"))
        await wait_until(lambda: waiting, "the client waits")
        client.close()
        await wait_until(lambda: gone, "the client is gone")
        waiting[0].refuse(Refusal(503, "store", "not known now"))
        assert not door.script.refusals
