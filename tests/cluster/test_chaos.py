"""A short run of tests/chaos, and one of its scenarios: `make chaos` does it for longer, and with other seeds."""

import os
from pathlib import Path

import pytest

from tests.chaos.__main__ import LEASE, play, report
from tests.chaos.cast import Cast
from tests.chaos.edges import Setting
from tests.chaos.faults import plan
from tests.chaos.judge import judge
from tests.chaos.scenarios import SCENARIOS, unharmed
from tests.chaos.tally import idle, tally
from tests.support.redis import needs_redis, needs_sentinel

CLIENTS = 26

pytestmark = [needs_redis, needs_sentinel, pytest.mark.timeout(300),
              pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")]


@pytest.mark.parametrize("seed", [19])
async def test_no_promise_is_broken_whatever_goes_wrong(tmp_path: Path, seed: int) -> None:
    cast, seconds = Cast.drawn(seed), 20.0
    facts = await play(Setting(tmp_path, cast, seed, LEASE, stay=False), plan(seed, seconds, cast), seconds)
    broken = judge(facts) + list(idle(tally(facts)))
    print(report(facts, broken))
    assert not broken and tally(facts).settled == CLIENTS


async def test_sessions_live_on_while_their_store_is_killed_and_comes_back_empty(tmp_path: Path) -> None:
    scenario = SCENARIOS["emptied"]
    setting = Setting(tmp_path, scenario.cast, 1, scenario.lease, stay=True)
    facts = await play(setting, scenario.faults, scenario.seconds)
    broken = judge(facts) + unharmed(facts)
    print(report(facts, broken))
    assert not broken and tally(facts).settled == CLIENTS
