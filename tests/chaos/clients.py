"""Many clients as one process. SIGUSR1: they settle, and the process ends when all of them have.

    python -m tests.chaos.clients --name c1 --edge 10.204.0.9 --edge 10.204.0.10 --history FILE --seed 7
"""

import argparse
import asyncio
import random
import signal

from tests.chaos.asker import Asker
from tests.chaos.carriers import TRANSPORTS
from tests.chaos.talker import Outcast, Talker, Way
from tests.support.history import History

TALKERS, ASKERS = 9, 3
"""On each host; and one who is an outcast in the end."""
PATHS = (("/continue", True), ("/regenerate", True), ("/plain", False))


def names(host: str) -> list[str]:
    """Of all clients of a host. What one is called is its key, too."""
    talkers = [f"{host}-{PATHS[number % len(PATHS)][0][1:]}-{number}" for number in range(TALKERS)]
    return [*talkers, *(f"{host}-ask-{number}" for number in range(ASKERS)), outcast(host)]


def outcast(host: str) -> str:
    """The one that is revoked."""
    return f"{host}-outcast"


async def play(options: argparse.Namespace) -> None:
    """All of them at once."""
    history, dice = History(options.history), random.Random(options.seed)

    def way(number: int) -> Way:
        return Way(options.edge, TRANSPORTS[number % len(TRANSPORTS)], options.ca, options.stay)
    made = zip(names(options.name), PATHS * len(TRANSPORTS), strict=False)
    clients: list[Talker | Asker] = [
        Talker(name, path, way(number // len(PATHS)), history, random.Random(dice.random()), exact)
        for number, (name, (path, exact)) in enumerate(made)]
    clients += [Asker(name, way(number), history, random.Random(dice.random()))
                for number, name in enumerate(names(options.name)[TALKERS:-1])]
    clients.append(Outcast(names(options.name)[-1], "/continue", way(options.seed), history,
                           random.Random(dice.random()), True))

    def settle() -> None:
        for client in clients:
            client.settle()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, settle)
    await asyncio.gather(*(client.run() for client in clients))


def main() -> None:
    parser = argparse.ArgumentParser()
    for option in ("--name", "--history", "--ca"):
        parser.add_argument(option, required=True)
    parser.add_argument("--edge", action="append", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stay", action="store_true")
    asyncio.run(play(parser.parse_args()))


if __name__ == "__main__":
    main()
