"""The directory of an edge's Unix sockets: where it is, and what becomes of those that nobody has any more."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from sbc.runtime.directory import Directory

MAKES_ONE = """
import sys, time
from sbc.runtime.directory import Directory
one = Directory({"RUNTIME_DIRECTORY": sys.argv[1]})
(one / "0.sock").touch()
print(one.path, flush=True)
time.sleep(60)
"""


def test_one_whose_process_was_killed_is_removed_and_one_that_is_in_use_is_not(tmp_path: Path) -> None:
    where = {"RUNTIME_DIRECTORY": f"{tmp_path}:/elsewhere"}
    stranger = tmp_path / "sbc-stranger"
    stranger.mkdir()
    with subprocess.Popen([sys.executable, "-c", MAKES_ONE, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().decode().strip())
        ours = Directory(where)
        assert theirs.parent == ours.path.parent == tmp_path and (theirs / "0.sock").exists()
        assert ours.path.stat().st_mode & 0o777 == 0o700
        process.send_signal(signal.SIGKILL)
        process.wait()
    then = Directory(where)
    assert not theirs.exists() and ours.path.exists() and stranger.exists()
    ours.close()
    then.close()
    assert os.listdir(tmp_path) == ["sbc-stranger"]
