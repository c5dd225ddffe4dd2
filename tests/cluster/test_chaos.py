"""A short run of tests/chaos, and one of its scenarios: `make chaos` does it for longer, and with other seeds."""

import os
from pathlib import Path

import pytest

from tests.chaos.__main__ import play, report
from tests.chaos.faults import Cast, plan
from tests.chaos.judge import judge
from tests.chaos.scenarios import SCENARIOS, unharmed
from tests.support.redis import needs_redis, needs_sentinel

pytestmark = [needs_redis, needs_sentinel, pytest.mark.timeout(300),
              pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]


@pytest.mark.parametrize("seed", [19])
async def test_no_promise_is_broken_whatever_goes_wrong(tmp_path: Path, seed: int) -> None:
    cast, seconds = Cast.of(edges=2, nodes=3, plain=2, redis=2, sentinels=3, clients=2), 20.0
    facts = await play(tmp_path, cast, seed, plan(seed, seconds, cast), seconds)
    broken = judge(facts)
    print(report(facts, broken))
    assert not broken and sum(fact["what"] == "settled" for fact in facts) >= 24


async def test_sessions_live_on_while_their_store_is_killed_and_comes_back_empty(tmp_path: Path) -> None:
    scenario = SCENARIOS["emptied"]
    facts = await play(tmp_path, scenario.cast, 1, scenario.faults, scenario.seconds, scenario.lease, stay=True)
    broken = judge(facts) + unharmed(facts)
    print(report(facts, broken))
    assert not broken and sum(fact["what"] == "settled" for fact in facts) == 24
