"""What README.md and docs/OPERATING.md say is true: commands, verbs, metrics, events; and the examples run."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from websockets.asyncio.client import connect

from bench.report import BEGIN, END, TABLES, block, put
from sbc.cli.main import app
from sbc.supervisor.merging import Families, own_families
from sbc.telemetry.collector import Gauges, make_registry, render
from sbc.telemetry.metrics import Metrics
from tests.cli.command import sbc
from tests.support.edge import free_port
from tests.support.scene import Scene
from tests.support.wait import PATIENCE, wait_until

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
OPERATING = (ROOT / "docs" / "OPERATING.md").read_text()


def example(language: str, number: int = 0) -> str:
    """A fenced block of the README."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[number]


def section(title: str) -> str:
    """A section of docs/OPERATING.md."""
    return OPERATING.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_two_commands_stand_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README.replace("install make python3-venv", "")))
    assert {"run", "test"} <= named <= targets


def verbs_of(text: str) -> set[str]:
    """The words behind `sbc` wherever a command stands: `sbc sessions | show SESSION` has two."""
    commands = re.findall(r"(?:\bsbc|^    sbc|bin/sbc) ([a-z][^`\n]*)", text, re.MULTILINE)
    return {choice.split()[0] for command in commands for choice in command.partition("  ")[0].split(" | ")}


def test_every_verb_is_described_and_no_other_is_used() -> None:
    verbs = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    verbs |= {group.name or "" for group in app.registered_groups}
    later = set(re.findall(r"`sbc ([a-z]+)`", README.partition("## Configure it")[0]))
    assert later == {"top", "drill"} and not later & verbs
    pages = README.partition("## Configure it")[2] + OPERATING
    assert verbs_of("\n".join(re.findall(r"^    .*sbc .*$|`sbc .*?`", pages, re.MULTILINE))) == verbs


def test_every_metric_is_described_and_no_other() -> None:
    registry = make_registry(Metrics(), lambda: Gauges({}, {}, 0, {}, {}, 0))
    registry.register(Families(own_families({}, {}, {}, True, {}, {})))
    exposition = render(registry, "")[0].decode()
    there = set(re.findall(r"^# TYPE (sbc_\S+)", exposition, re.MULTILINE))
    described = set(re.findall(r"`(sbc_[a-z_]+)", section("Metrics")))
    assert described == there
    alerts = {name.removesuffix("_bucket") for name in re.findall(r"\b(sbc_[a-z_]+)", OPERATING)}
    assert alerts <= there


def test_every_event_is_described_and_no_other() -> None:
    told = re.compile(r'(?:announce|Tell|log\.(?:debug|info|warning|error|crash))\(\s*"([a-z_]+)"')
    code = "\n".join(file.read_text() for file in (ROOT / "sbc").rglob("*.py") if file.name != "logs.py")
    there = set(told.findall(code)) | {
        "source_barred", "source_blocked", "session_moved", "session_not_moved", "log_lines_dropped", "log"}
    described = set(re.findall(r"^\| `([a-z_]+)`", section("Events").partition("| result |")[0], re.MULTILINE))
    assert described == there


def test_every_result_is_described() -> None:
    rooms = ("seating", "transitions", "presence", "move")
    core = {name: (ROOT / "sbc" / "core" / f"{name}.py").read_text() for name in rooms}
    given = {word for code in core.values() for word in re.findall(r'\bend\(dialog, .*, "(\w+)"\)', code)}
    given |= {word for code in core.values() for word in re.findall(r'Refusal\(\w+, "(\w+)"', code)}
    given |= set(re.findall(r'result: str = "(\w+)"', (ROOT / "sbc" / "model" / "events.py").read_text()))
    runtime = "\n".join(file.read_text() for file in (ROOT / "sbc" / "runtime").rglob("*.py"))
    given |= set(re.findall(r'EndOrdered\([^"\n]*"[^"]*", "(\w+)"\)', runtime))
    given |= set(re.findall(r'write_absent\([^"\n]*"(\w+)"', runtime))
    table = re.findall(r"^\| (`.*?) \|", section("Events").partition("| result |")[2], re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(table))) == given


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "systemd" / "README.md"):
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_figures_are_put_between_the_marks() -> None:
    assert put(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\nnew\n{END}\nb"
    with pytest.raises(ValueError, match="are needed"):
        put("no marks", "new")
    figures = block()
    assert all(name in figures for name in TABLES)
    assert put(README, figures)


async def test_the_configurations_in_the_readme_are_sound(tmp_path: Path) -> None:
    whole, plain = example("yaml"), example("yaml", 1)
    for number, tree in enumerate((yaml.safe_load(whole), yaml.safe_load(whole) | yaml.safe_load(plain))):
        file = tmp_path / f"{number}.yaml"
        file.write_text(yaml.safe_dump(tree))
        ran = await sbc("check", "-c", file)
        assert (ran.status, ran.out) == (0, f"{file}: ok\n"), ran.err


@contextmanager
def running(text: str, directory: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """The example as a process."""
    file = directory / f"{name}.py"
    file.write_text(text)
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, str(file)], cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_the_agent_of_the_readme_counts_on_when_its_node_is_killed(scene: Scene, tmp_path: Path) -> None:
    tree = yaml.safe_load(example("yaml"))
    tree["trunk"]["listen"] = f"127.0.0.1:{scene.edge.trunk}"
    tree["listeners"][0]["listen"] = f"127.0.0.1:{scene.edge.port}"
    tree["admin"] = {"listen": f"127.0.0.1:{scene.edge.admin}"}
    scene.edge.write(yaml.safe_dump(tree))
    scene.edge.start()
    await scene.edge.ready()
    agent = example("python").replace("127.0.0.1:9071", f"127.0.0.1:{scene.edge.trunk}")
    assert len([line for line in agent.splitlines() if line]) <= 11
    second = agent.replace('"c"', '"d"').replace("9003", str(free_port()))
    with (running(agent.replace("9003", str(free_port())), tmp_path, "c") as one,
          running(second, tmp_path, "d") as other):
        nodes = {"chat/c": one, "chat/d": other}
        await wait_until(lambda: _registered(scene, len(nodes)), "both are registered")
        async with connect(scene.edge.url, proxy=None) as client, asyncio.timeout(PATIENCE):
            await client.send("hello")
            assert await client.recv() == "1: hello"
            owner = (await scene.edge.sessions())[0]["owner"]
            nodes[owner].kill()
            await client.send("there")
            assert await client.recv() == "2: there"


async def _registered(scene: Scene, count: int) -> bool:
    return sum(row["trunk"] and row["state"] == "up" for row in (await scene.edge.nodes()).values()) == count
