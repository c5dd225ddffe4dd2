"""What a process saw, one JSON line each, on disk at once: it must outlive a SIGKILL of its writer."""

import json
import os
import time
from pathlib import Path
from typing import Any


class History:
    """The writing end, in the node process."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, **facts: Any) -> None:
        """One line; `what` names the kind of fact."""
        os.write(self._file, json.dumps({"t": time.time(), "what": what, **facts}).encode() + b"\n")


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines; empty if there is no file yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
