"""`sbc` as a person runs it: a process of its own."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENT = 30.0


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of stderr."""
        assert "Traceback" not in self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


async def sbc(*arguments: str | Path, cwd: Path | None = None, **environ: str) -> Ran:
    """Run it to its end; stdin is empty, stdout and stderr are pipes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sbc", *map(str, arguments), cwd=cwd, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environ})
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENT)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
