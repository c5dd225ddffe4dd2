"""Nodes of the official MCP SDK that are told everything again (`replay: all`): in the session that is theirs."""

import pytest

from tests.thirdparty.mcp_stage import Stage, User, configuration

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def test_what_was_asked_of_the_lost_node_is_asked_of_the_next_one(tmp_path) -> None:
    stage = Stage(tmp_path)
    try:
        stage.plain("a", "b", module="node_mcp")
        told = configuration(stage.edge.port)
        told["agents"]["wary"]["migration"]["replay"] = "all"
        await stage.open(told)
        async with User(stage.url("wary")) as user:
            owner = stage.nodes[await user.who()]
            await user.client.subscribe_resource("note://x")
            await user.call("pay", "one", count=1, pause=0)
            heir = stage.beside(owner)
            owner.kill()
            assert await user.who() == heir.name
            assert [fact["key"] for fact in heir.history("pay_done")] == ["one"]
            assert len(heir.history("subscribed")) == 1, "once: in the prelude"
            assert await user.ask() == f"me by {heir.name}"
    finally:
        await stage.close()
