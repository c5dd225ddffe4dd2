"""What a Redis store of many sessions costs: setting one up and looking one up, as sessions grow; memory for each.

One edge's store (stores/redis.py) asks a server of its own. The sessions beside those that are measured are put there
by a script at the server, in the same form; what is measured goes the whole way. A session is its binding alone:
a message in its journal is measured apart.
"""

import argparse
import asyncio
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvloop

from bench.common.processes import BenchError
from bench.common.redis import serve
from bench.common.stage import arguments, perform
from bench.common.tables import percentile, table
from sbc.config.store_url import redis_at
from sbc.model.binding import Binding
from sbc.model.ids import AgentName, PrincipalId, SessionId, node_id
from sbc.model.interfaces import Stored
from sbc.runtime.tasks import Tasks
from sbc.stores.factory import BOUNDS
from sbc.stores.redis import RedisStore
from sbc.stores.redis_dial import Terms
from sbc.stores.redis_link import Link, connect
from sbc.stores.shared import Peek

AT_ONCE = 64
SIZES = (10_000, 100_000, 1_000_000)
PER_FILL = 10_000
FILL = """
for number = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local key = string.format('sbc:{%032x}:b', number)
  local principal = string.format('jwt:https://idp.example#user-%08d', number)
  redis.call('HSET', key, 'g', 'edge-1/0a1b2c3d', 'o', 'tutors/a', 'r', 'tutors/b', 'e', '1700000000000', 'a', 'tutor',
    't', 'tutor /tutor', 'p', principal, 'c', '1700000000.25', 'cr', '', 'cs', '')
  redis.call('EXPIRE', key, 10800)
end
"""


def stored(session: str) -> Stored:
    binding = Binding(SessionId(session), node_id("tutors", "a"), node_id("tutors", "b"), 1_700_000_000_001)
    return Stored(binding, AgentName("tutor"), "tutor /tutor", PrincipalId(f"jwt:https://idp.example#user-{session[:8]}"),
                  1700000000.25, None)


async def timed(number: int, ask: Callable[[int], "asyncio.Future[Any]"]) -> tuple[list[float], float]:
    """Seconds of each of `number` questions, `AT_ONCE` at a time; and CPU seconds of this process for all."""
    took: list[float] = []
    places = iter(range(number))

    async def one_after_the_other() -> None:
        for place in places:
            began = time.perf_counter()
            error = await ask(place)
            if isinstance(error, Exception):
                raise BenchError(str(error))
            took.append(time.perf_counter() - began)
    before = time.process_time()
    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return took, time.process_time() - before


def answered(ask: Callable[[Callable[[Exception | None], None]], None]) -> "asyncio.Future[Any]":
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    ask(answer.set_result)
    return answer


async def measure(port: int, sizes: Sequence[int], number: int) -> dict[str, Any]:
    terms = Terms(redis_at(f"redis://127.0.0.1:{port}"), 30.0)
    link, _ = await connect(terms)
    found: dict[str, Any] = {"set_up_seconds": {}, "look_up_seconds": {}, "us_cpu_per_set_up": {}, "bytes": {}}
    async with Tasks() as tasks:
        store = RedisStore("bench", "bench", terms, 600.0, BOUNDS, tasks.spawn)
        await store.open()
        filled, empty = 0, await memory(link)
        for size in sizes:
            for first in range(filled, size, PER_FILL):
                await link.run([("EVAL", FILL, 0, first, min(first + PER_FILL, size) - 1)])
            filled = size
            found["bytes"][size] = (await memory(link) - empty) / size
            names = [secrets.token_hex(16) for _ in range(number)]

            def set_up(place: int, names: list[str] = names) -> "asyncio.Future[Any]":
                return answered(lambda done: store.create(stored(names[place]), done))

            def look_up(place: int, size: int = size) -> "asyncio.Future[Any]":
                session = SessionId(f"{random.randrange(size):032x}")
                return answered(lambda done: store._ask(Peek(session, done)))
            found["set_up_seconds"][size], cpu = await timed(number, set_up)
            found["us_cpu_per_set_up"][size] = cpu / number * 1e6
            found["look_up_seconds"][size], _ = await timed(number, look_up)
            for name in names:
                store.remove(SessionId(name))
        found["bytes_per_message"] = await message_bytes(store, link)
        await store.close()
    await link.close()
    return found


async def message_bytes(store: RedisStore, link: Link) -> float:
    """What a message of 300 bytes takes in a journal of 100."""
    await answered(lambda done: store.create(stored("journal"), done))
    for number in range(1, 101):
        store.journal(SessionId("journal"), True, number, [b"x" * 300])
    await store.journals(SessionId("journal"))
    [used] = await link.run([("MEMORY", "USAGE", "sbc:{journal}:c", "SAMPLES", 0)])
    return int(used) / 100


async def memory(link: Link) -> int:
    [info] = await link.run([("INFO", "memory")])
    lines = dict(line.split(":", 1) for line in info.decode().split("\r\n") if ":" in line)
    return int(lines["used_memory"])


def play(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    sizes = [size for size in SIZES if size <= (100_000 if options.quick else options.most)]
    number = 2000 if options.quick else options.questions
    with tempfile.TemporaryDirectory() as place:
        server, port = serve(Path(place))
        try:
            found = uvloop.run(measure(port, sizes, number))
        finally:
            server.kill()
            server.wait()
    rows = [[f"{size:,} sessions", number / sum(found["set_up_seconds"][size]) * AT_ONCE,
             *(1000 * (percentile(found[what][size], share) or 0) for what in ("set_up_seconds", "look_up_seconds")
               for share in (0.5, 0.99)),
             found["us_cpu_per_set_up"][size], found["bytes"][size]] for size in sizes]
    head = ["", "set up/s", "p50 ms", "p99 ms", "look up p50", "p99 ms", "us CPU (edge)", "bytes"]
    text = table(f"A Redis store, {AT_ONCE} questions at a time", head, rows)
    for what in ("set_up_seconds", "look_up_seconds"):  # thousands of samples; what they say stands in the shares
        found[what] = {size: {"p50": percentile(of, 0.5), "p99": percentile(of, 0.99),
                              "a_second": number / sum(of) * AT_ONCE} for size, of in found[what].items()}
    return f"{text}\n\nA message of 300 bytes in a journal: {found['bytes_per_message']:,.0f} bytes", found


def more(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the most sessions (%(default)s)")
    parser.add_argument("--questions", type=int, default=10_000, help="of each kind and size (%(default)s)")


if __name__ == "__main__":
    perform("bindings", arguments(__doc__.partition("\n")[0], more, peers=None), play)
