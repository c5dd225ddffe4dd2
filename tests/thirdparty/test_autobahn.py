"""The Autobahn cases 1-7 and 10: a node behind the edge is judged as the node alone, except where explained.

Run by `make autobahn`; needs what tests/thirdparty/autobahn.sh installs.
"""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from tests.support.scene import Scene

PLACE = os.environ.get("SBC_AUTOBAHN")
CASES = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,10.*"
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}

EXPLAINED = {
    "4.1.5": "the edge fails the connection at once; the echo of the message before comes from the node and is later",
    "4.2.5": "as 4.1.5",
    "3.4": "as 4.1.5, now and then",
    "7.1.5": "the edge fails the bad close, where the node alone does not",
}
"""case -> why the edge is judged differently from the node behind it."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(PLACE is None, reason="run by `make autobahn`")
async def test_the_edge_is_judged_as_the_node_behind_it(scene: Scene) -> None:
    place = Path(PLACE or "")
    node, = scene.plain("a")
    await scene.open({"policies": {"default": {"limits": {"message": "16MiB"}}}})
    result = scene.directory / "verdicts.json"
    client = await asyncio.create_subprocess_exec(
        place / "venv/bin/python", Path(__file__).with_name("autobahn_client.py"), place, result, CASES,
        f"direct=ws://127.0.0.1:{node.port}", f"edge={scene.edge.url}", stdout=asyncio.subprocess.DEVNULL)
    try:
        assert await asyncio.wait_for(client.wait(), 240) == 0
    finally:
        if client.returncode is None:
            client.kill()
    verdicts = json.loads(result.read_text())
    direct, edge = verdicts["direct"], verdicts["edge"]
    for name, cases in verdicts.items():
        print(name, len(cases), Counter(behaviour for behaviour, _ in cases.values()))
    assert len(direct) == len(edge) == 247
    differences = {case: (direct[case], edge[case]) for case in direct if direct[case] != edge[case]}
    print("differences (direct, edge):", differences)
    assert set(differences) <= set(EXPLAINED), differences
    failed = {case for case, (behaviour, _) in edge.items() if behaviour not in GOOD}
    assert failed <= {case for case, (behaviour, _) in direct.items() if behaviour not in GOOD} | set(EXPLAINED), failed
