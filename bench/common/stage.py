"""The stage of a bench: the echo node, the load and the proxies, all stopped at the end whatever happens."""

import argparse
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bench.common import proxies
from bench.common.certificate import Certificate, issue
from bench.common.machine import Neighbours, command, machine, versions
from bench.common.processes import LOAD_CORES, BenchError, Child, Worker, raise_file_limit
from bench.common.proxies import Kind, Proxy
from bench.common.tables import save

# uvloop allocates 256 KiB at each TLS read; these two together keep malloc from giving them back each time.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "16777216"}
_NOISY = 0.15
Running = TypeVar("Running", bound=Child)
Set = TypeVar("Set")


class Scene:
    """What every bench plays with."""

    kinds: Mapping[str, Kind] = proxies.KINDS
    nodes: Sequence[int] = ()
    """Ports of the nodes behind the proxies."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.certificate: Certificate = issue(folder)
        self._stack = stack

    def worker(self, name: str, module: str, *arguments: str, cores: frozenset[int] = LOAD_CORES) -> Worker:
        """Start a module of bench/ that talks JSON."""
        env = {**_ALLOCATOR, "OPENSSL_CONF": str(self.certificate.openssl)}
        return self.keep(Worker(name, module, self.folder / f"{name}.log", *arguments, env=env, cores=cores))

    def keep(self, child: Running) -> Running:
        """Have a process stopped when the bench ends."""
        self._stack.callback(child.stop)
        return child

    def start(self, names: Sequence[str]) -> list[Proxy]:
        """Start proxies; one that cannot be started is said so and left out. Raises BenchError if none is left."""
        started = [proxy for proxy in map(self.start_one, names) if proxy]
        if not started:
            raise BenchError("no proxy could be started")
        return started

    def start_one(self, name: str, instance: str = "") -> Proxy | None:
        """Start a proxy, or say why not. `instance` tells apart two of the same name."""
        try:
            plan = proxies.plan(self.folder / instance / name, self.nodes, self.certificate)
            return self.keep(Proxy(name, self.kinds[name], plan))
        except BenchError as fault:
            print(f"{name} takes no part: {fault}", file=sys.stderr)
            return None


class Stage(Scene):
    """The stage of the WebSocket benches: an echo node, and a load."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)
        self.echo = self.worker("echo", "bench.echo")
        self.nodes = [int(self.echo.answer()["port"])]
        self.load = self.worker("load", "bench.load")

    def open(self, proxy: Proxy, secure: bool, n: int) -> str:
        """Open n sessions through a proxy; the answer is the name of the set."""
        name = proxy.url(secure)
        self.load.ask(do="open", set=name, url=proxy.url(secure), ca=str(self.certificate.authority), n=n)
        return name


@contextmanager
def set_up(make: Callable[[Path, ExitStack], Set]) -> Iterator[Set]:
    """A stage in a temporary folder."""
    raise_file_limit()
    with tempfile.TemporaryDirectory(prefix="sbc-bench-") as folder, ExitStack() as stack:
        yield make(Path(folder), stack)


def stage() -> AbstractContextManager[Stage]:
    """The stage of the WebSocket benches."""
    return set_up(Stage)


def arguments(description: str, more: Callable[[argparse.ArgumentParser], Any], *,
              peers: Mapping[str, Kind] | None = proxies.KINDS) -> argparse.Namespace:
    """The options that all benches have, and `more`. peers: the proxies there are, if it is one that compares some."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a look: few and short rounds, figures of little worth")
    if peers:
        parser.add_argument("--only", metavar="NAME[,NAME]", help=f"some of {', '.join(peers)}")
    more(parser)
    return parser.parse_args()


def chosen(options: argparse.Namespace, *usual: str, kinds: Mapping[str, Kind] = proxies.KINDS) -> list[str]:
    """The names of the proxies to take part. Raises BenchError for one that is not known."""
    names = options.only.split(",") if options.only else list(usual)
    for name in names:
        if name not in kinds:
            raise BenchError(f"{name}: no such proxy; there are {', '.join(kinds)}")
    return names


def perform(name: str, options: argparse.Namespace, play: Callable[..., tuple[str, dict[str, Any]]]) -> None:
    """Run a bench: print its table and what else went on, and write its JSON. Exits 1 with a reason if it fails.

    A quick look does not replace the last real figures: it is written beside them.
    """
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_to_stop, signal.default_int_handler)
    neighbours = Neighbours()
    try:
        text, figures = play(options)
    except BenchError as fault:
        sys.exit(f"{name}: {fault}")
    except KeyboardInterrupt:
        sys.exit(130)
    used = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    meanwhile = neighbours.report(used)
    print(text)
    print(f"\nOthers used {meanwhile['others']:.0%} of the machine meanwhile, {meanwhile['stolen']:.0%} was stolen; "
          f"load average before: {meanwhile['load_average_before']}.", end="")
    print(" NOISY: repeat it on an idle machine." if meanwhile["others"] + meanwhile["stolen"] > _NOISY else "")
    path = save(f"{name}-quick" if options.quick else name,
                {"command": command(), "machine": machine(), "versions": versions(), "meanwhile": meanwhile, **figures})
    print(f"Written: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
