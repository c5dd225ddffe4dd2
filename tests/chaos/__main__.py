"""One run, from its beginning to the verdict.

    python -m tests.chaos --seed 7 --seconds 120 [--scenario NAME] [--keep DIRECTORY]
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tests.chaos.cast import Cast
from tests.chaos.edges import Setting
from tests.chaos.faults import Fault, plan
from tests.chaos.judge import judge
from tests.chaos.scenarios import SCENARIOS, unharmed
from tests.chaos.stage import Stage
from tests.chaos.tally import idle, tally
from tests.chaos.told import Fault as Broken
from tests.chaos.troubles import Fact
from tests.support.history import read

LEASE = "6s"
"""Of the edges in a run of random faults: some outages of the store are longer than that, some are not."""


def gathered(place: Path, cast: Cast) -> list[Fact]:
    """What every process recorded, in the order of time; and what the edges logged."""
    facts: list[Fact] = []
    for file in sorted(place.glob("*.jsonl")):
        facts += [{"by": file.stem, **fact} for fact in read(file)]
    for host in cast.edges:
        for line in (place / f"{host}.log").read_text(errors="replace").splitlines():
            facts.append(_logged(host, line))
    return sorted(facts, key=lambda fact: fact["t"])


def _logged(host: str, line: str) -> Fact:
    try:
        said = json.loads(line)
        return {**said, "t": datetime.fromisoformat(said["time"]).timestamp(), "what": "log", "edge": host}
    except (ValueError, KeyError, TypeError):
        return {"t": 0.0, "what": "log", "edge": host, "event": "crashed" if "Traceback" in line else "", "line": line}


async def play(setting: Setting, faults: Sequence[Fault], seconds: float) -> list[Fact]:
    """The history of a run. Raises AssertionError if it cannot be begun, and as Net does without root."""
    stage = Stage(setting)
    try:
        await stage.open()
        await stage.play(faults, seconds)
        await stage.settle()
    finally:
        stage.close()
    return gathered(setting.place, setting.cast)


def report(facts: Sequence[Fact], broken: Sequence[Broken]) -> str:
    """A few lines for a person."""
    began = facts[0]["t"] if facts else 0.0
    return "\n".join([str(tally(facts)), *(f"{promise} at {at - began:.3f} s: {what}" for promise, at, what in broken)])


def _keep(place: Path, cast: Cast, to: Path) -> None:
    shutil.copytree(place, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))
    with (to / "history.jsonl").open("w") as file:
        file.writelines(json.dumps(fact) + "\n" for fact in gathered(place, cast))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--edges", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=None, help="where the history and all logs are to stay")
    parser.add_argument("--scenario", choices=list(SCENARIOS), default=None, help="instead of random faults")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        scenario = SCENARIOS[options.scenario] if options.scenario else None
        cast = scenario.cast if scenario else Cast.drawn(options.seed, options.edges)
        seconds = scenario.seconds if scenario else options.seconds
        faults = scenario.faults if scenario else plan(options.seed, seconds, cast)
        setting = Setting(place, cast, options.seed, scenario.lease if scenario else LEASE, stay=scenario is not None)
        print(f"seed {options.seed}, {options.scenario or 'random faults'}, {seconds:g} s: {cast}", flush=True)
        try:
            facts = asyncio.run(play(setting, faults, seconds))
        finally:
            if options.keep is not None:
                _keep(place, cast, options.keep)
    broken = judge(facts) + (unharmed(facts) if scenario else list(idle(tally(facts))))
    print(report(facts, broken))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
