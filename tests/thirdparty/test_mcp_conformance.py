"""The MCP conformance suite, both eras: a server behind the edge is judged as the server alone, except where explained.

Run by `make conformance`; needs what tests/thirdparty/conformance.sh installs.
"""

import asyncio
import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support.scene import Scene
from tests.thirdparty.mcp_stage import configuration

PLACE = os.environ.get("SBC_CONFORMANCE")
SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
GOOD = {"SUCCESS", "SKIPPED"}

EXPLAINED = {
    "server-sse-disconnect-resume": "a stream that its server closes is asked for again by the edge: the client keeps "
                                    "its own, gets the answer there, and has nothing to resume",
    "sep-2243-server-accepts-whitespace-header-value": "uvicorn leaves the blanks after a field's value in, which the "
                                                       "server then refuses; the edge takes them off",
}
"""check -> why the edge is judged differently from the server behind it."""

Verdicts = dict[str, Counter[tuple[str, str]]]


async def verdicts(url: str, era: str, into: Path) -> Verdicts:
    """Scenario -> its checks, and what became of each; without what is said for information."""
    suite = await asyncio.create_subprocess_exec(
        "node", Path(PLACE or "") / SUITE, "server", "--url", url, "--suite", "all", "--spec-version", era, "-o", into,
        stdout=asyncio.subprocess.DEVNULL)
    try:
        await asyncio.wait_for(suite.wait(), 120)  # it ends with 1 if the server fails any check
    finally:
        if suite.returncode is None:
            suite.kill()
    found: Verdicts = {}
    for file in into.glob("server-*/checks.json"):  # noqa: ASYNC240  nobody else runs here
        checks = [(each["id"], each["status"]) for each in json.loads(file.read_text())]
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", file.parent.name.removeprefix("server-"))
        found[scenario] = Counter(check for check in checks if check[1] != "INFO")
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(PLACE is None, reason="run by `make conformance`")
@pytest.mark.parametrize(("era", "least"), [("2025-11-25", 33), ("2026-07-28", 40)])
async def test_the_edge_is_judged_as_the_server_behind_it(scene: Scene, era: str, least: int) -> None:
    node, = scene.plain("a", module="node_conformance")
    await scene.open(configuration(scene.edge.port))
    direct = await verdicts(f"http://127.0.0.1:{node.port}/mcp", era, scene.directory / "direct")
    edge = await verdicts(f"http://127.0.0.1:{scene.edge.port}/mcp", era, scene.directory / "edge")
    for name, scenarios in (("direct", direct), ("edge", edge)):
        print(name, len(scenarios), Counter(status for checks in scenarios.values() for _, status in checks.elements()))
    assert len(direct) == len(edge) >= least
    differences = {(scenario, check, status): (direct[scenario][check, status], edge[scenario][check, status])
                   for scenario in direct for check, status in direct[scenario] | edge[scenario]
                   if direct[scenario][check, status] != edge[scenario][check, status]}
    print("differences (direct, edge):", differences)
    assert {check for _, check, _ in differences} <= set(EXPLAINED), differences
    failed = {check for checks in edge.values() for check, status in checks if status not in GOOD}
    assert failed <= set(EXPLAINED), failed
