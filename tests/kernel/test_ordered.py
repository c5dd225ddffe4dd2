"""A running edge and its warden in a namespace: what the configuration says of devices, is; and is not any more."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from pyroute2 import NetNS

from sbc.kernel.shaping import OURS
from tests.support.spaces import Space, space  # noqa: F401  a fixture is used by its name
from tests.support.wait import STARTING

CONFIG = """
admin: {{listen: "127.0.0.1:0"}}
listeners: [{{name: plain, listen: "127.0.0.1:0"}}]
pools: {{p: {{nodes: [{{name: a, url: "http://127.0.0.1:9"}}]}}}}
agents: {{a: {{pool: p}}}}
routes: [{{agent: a}}]
marking: {{autonomous: null}}
kernel: {{socket: {socket}, shaping: [{shaping}]}}
"""


def until(true: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + STARTING
    while not true():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


def test_devices_are_shaped_as_the_configuration_says(space: Space, tmp_path: Path) -> None:  # noqa: F811
    before, socket, file = space.disciplines("one"), tmp_path / "kernel.sock", tmp_path / "sbc.yaml"
    file.write_text(CONFIG.format(socket=socket, shaping="{device: one, rate: 1MB}"))
    edge = space.start("sbc", "run", "-c", str(file))
    warden = space.start("sbc", "kernel", "--socket", str(socket))  # whichever comes first
    until(lambda: OURS in space.disciplines("one"), "it is shaped")

    def shares() -> int:
        with NetNS(space.name) as kernel:
            return len(kernel.get_classes(index=kernel.link_lookup(ifname="one")[0]))

    until(lambda: shares() == 4, "the whole, two classes that are marked, and the rest")
    warden.kill()
    warden.wait()
    space.start("sbc", "kernel", "--socket", str(socket))
    until(lambda: shares() == 4, "the next warden is told again")
    file.write_text(CONFIG.format(socket=socket, shaping="{device: other, rate: 1MB}"))
    edge.send_signal(signal.SIGHUP)
    until(lambda: OURS in space.disciplines("other"), "the other one is shaped")
    assert space.disciplines("one") == before
    edge.kill()
    until(lambda: OURS not in space.disciplines("other"), "what a dead edge ordered is undone")
