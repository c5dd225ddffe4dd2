"""A Redis server of a bench's own."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

from bench.common.processes import BenchError, free_port


def serve(place: Path) -> tuple["subprocess.Popen[bytes]", int]:
    """A server of our own, which keeps nothing on disk. Raises BenchError if there is none."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise BenchError("redis-server is not installed")
    port = free_port()
    server = subprocess.Popen([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(place)],
                              stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return server, port
        except OSError:
            time.sleep(0.05)
    server.kill()
    raise BenchError("redis-server does not answer")
