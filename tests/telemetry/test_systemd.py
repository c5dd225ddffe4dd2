"""The service manager, played by a datagram socket and real descriptors; the units, judged by systemd's own tools."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sbc.model.errors import SbcError
from sbc.telemetry.systemd import Notifier, listen_fds
from tests.support.wait import PATIENCE

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")

ACTIVATE = """
import os, sys
for index in range(int(os.environ["LISTEN_FDS"])):
    os.dup2(100 + index, 3 + index)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
"""What a service manager does between fork and exec."""

TELL = """
import json, os
from sbc.telemetry.systemd import listen_fds
passed = listen_fds()
print(json.dumps({
    "names": {name: [s.getsockname()[1] for s in sockets] for name, sockets in passed.items()},
    "blocking": [s.getblocking() for sockets in passed.values() for s in sockets],
    "inherited": [s.get_inheritable() for sockets in passed.values() for s in sockets],
    "left": sorted(key for key in os.environ if key.startswith("LISTEN_")),
}))
"""


class ServiceManager:
    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(PATIENCE)
        self.environ = {"NOTIFY_SOCKET": address}

    def hears(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    played = ServiceManager(str(tmp_path / "notify") if request.param == "path" else f"@sbc-test-{os.getpid()}")
    yield played
    played.socket.close()


def test_the_life_of_a_service(manager: ServiceManager) -> None:
    notifier = Notifier(manager.environ)
    notifier.ready("listening on\n127.0.0.1:8080")
    assert manager.hears() == {"READY": "1", "STATUS": "listening on 127.0.0.1:8080"}
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    told = manager.hears()
    assert told["RELOADING"] == "1"
    assert before <= int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    notifier.status("3 sessions")
    assert manager.hears() == {"STATUS": "3 sessions"}
    notifier.stopping("draining")
    assert manager.hears() == {"STOPPING": "1", "STATUS": "draining"}
    notifier.close()
    notifier.status("nobody hears this")
    assert manager.environ == {}


def test_a_manager_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready("here")
    Notifier({}).ready("here")


async def test_the_watchdog_is_fed_at_half_its_time(manager: ServiceManager) -> None:
    manager.environ |= {"WATCHDOG_USEC": "40000", "WATCHDOG_PID": str(os.getpid())}
    notifier = Notifier(manager.environ)
    assert notifier.watch_interval == 0.02
    with suppress(TimeoutError):
        await asyncio.wait_for(notifier.watch(), 0.1)
    assert [manager.hears() for _ in range(3)] == [{"WATCHDOG": "1"}] * 3


async def test_without_a_watchdog_there_is_nothing_to_feed() -> None:
    for environ in ({}, {"WATCHDOG_USEC": "40000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}):
        await asyncio.wait_for(Notifier(environ).watch(), PATIENCE)


def test_nonsense_in_the_environment_is_told() -> None:
    with pytest.raises(SbcError, match="WATCHDOG_USEC must be a whole number, and is 'soon'"):
        Notifier({"WATCHDOG_USEC": "soon"})
    with pytest.raises(SbcError, match="LISTEN_FDS must be a whole number"):
        listen_fds({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "-1"})


def test_sockets_meant_for_another_process_are_left_alone() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "plain:secure"}
    assert listen_fds(environ) == {}
    assert environ == {}


def test_passed_sockets_come_by_name() -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [listening.getsockname()[1] for listening in sockets]
    # High numbers first: what becomes 3, 4 and 5 in the child may not be overwritten before it is copied.
    raised = [os.dup2(listening.fileno(), 100 + index) for index, listening in enumerate(sockets)]
    environ = os.environ | {"LISTEN_FDS": "3", "LISTEN_FDNAMES": "plain:secure:plain", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", ACTIVATE, TELL], pass_fds=raised, env=environ,
                          capture_output=True, text=True, timeout=30, check=True)
    for descriptor in raised:
        os.close(descriptor)
    for listening in sockets:
        listening.close()
    assert json.loads(done.stdout) == {
        "names": {"plain": [ports[0], ports[2]], "secure": [ports[1]]},
        "blocking": [False] * 3, "inherited": [False] * 3, "left": [],
    }


def test_a_passed_descriptor_that_is_no_socket_is_told(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file:
        raised = os.dup2(file.fileno(), 100)
    environ = os.environ | {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "plain", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", ACTIVATE, TELL], pass_fds=[raised], env=environ,
                          capture_output=True, text=True, timeout=30, check=False)
    os.close(raised)
    assert "SbcError: the service manager passed descriptor 3, which is no socket" in done.stderr


def _installed(place: Path) -> list[Path]:
    """The units as they are installed, the drop-in too. The program is not there where the tests run: any other will
    do."""
    for unit in UNITS.glob("sbc*.s*"):
        (place / unit.name).write_text(unit.read_text().replace("/opt/sbc/bin/sbc", "/bin/true"))
    return sorted(place.iterdir())


def _with_its_drop_in(place: Path) -> Path:
    """systemd-analyze reads no drop-ins offline."""
    unit = place / "sbc-kernel.service"
    unit.write_text((UNITS / unit.name).read_text() + (UNITS / "sbc-kernel-address.conf").read_text())
    return unit


@needs_systemd
@pytest.mark.parametrize("name", ["sbc.service", "sbc@.service", "sbc-kernel.service", "sbc-kernel-address.conf"])
def test_services_are_exposed_as_little_as_their_page_says(name: str, tmp_path: Path) -> None:
    unit = _with_its_drop_in(tmp_path) if name.endswith(".conf") else UNITS / name
    told = re.search(rf"^\| `{name}`[^|]*\|[^|]*\| ([\d.]+) \|", (UNITS / "README.md").read_text(), re.MULTILINE)
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", str(unit)],
                          capture_output=True, text=True, timeout=30, check=False)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure and told, done.stdout + done.stderr
    assert float(exposure.group(1)) <= float(told.group(1)), done.stdout


@needs_systemd
def test_the_units_are_well_formed(tmp_path: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *map(str, _installed(tmp_path))],
                          capture_output=True, text=True, timeout=30, check=False)
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "sbc" in line]
    assert not complaints
    assert done.returncode == 0, done.stderr


def test_the_template_is_the_service_with_places_of_its_own() -> None:
    def settings(name: str) -> list[str]:
        return [line for line in (UNITS / name).read_text().splitlines()
                if not line.startswith(("#", "Description="))]
    template = [line.replace("/etc/sbc/%i.yaml", "/etc/sbc/sbc.yaml").replace("sbc/%i", "sbc")
                for line in settings("sbc@.service")]
    assert template == settings("sbc.service")
