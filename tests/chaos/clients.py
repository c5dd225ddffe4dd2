"""Many clients as one process. SIGUSR1: they settle, and the process ends when all of them have.

    python -m tests.chaos.clients --name c1 --edge 10.204.0.9 --edge 10.204.0.10 --history FILE --seed 7
"""

import argparse
import asyncio
import random
import signal

from tests.chaos.asker import Asker
from tests.chaos.talker import Talker
from tests.support.history import History

TALKERS, ASKERS = 9, 3
PATHS = (("/continue", True), ("/regenerate", True), ("/plain", False))


async def play(options: argparse.Namespace) -> None:
    """All of them at once."""
    history, dice = History(options.history), random.Random(options.seed)
    clients: list[Talker | Asker] = []
    for number in range(options.talkers):
        path, exact = PATHS[number % len(PATHS)]
        clients.append(Talker(f"{options.name}-{path[1:]}-{number}", path, options.edge, history,
                              random.Random(dice.random()), exact, options.stay))
    for number in range(options.askers):
        clients.append(Asker(f"{options.name}-ask-{number}", options.edge, history, random.Random(dice.random()),
                             options.stay))

    def settle() -> None:
        for client in clients:
            client.settle()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, settle)
    await asyncio.gather(*(client.run() for client in clients))


def main() -> None:
    parser = argparse.ArgumentParser()
    for option in ("--name", "--history"):
        parser.add_argument(option, required=True)
    parser.add_argument("--edge", action="append", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--talkers", type=int, default=TALKERS)
    parser.add_argument("--askers", type=int, default=ASKERS)
    parser.add_argument("--stay", action="store_true")
    asyncio.run(play(parser.parse_args()))


if __name__ == "__main__":
    main()
