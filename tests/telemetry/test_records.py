"""The file of session records: what survives crashes, a full disk and tampering, and what is said about it."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from sbc.core.verdict import FaultKind
from sbc.telemetry.recordfile import LINE_LIMIT, verify_file
from sbc.telemetry.records import RecordWriter
from sbc.telemetry.signing import RecordsError, public_half, signing_key, verifying_key
from tests.support.disk import occupy


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "receipt.key"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "records.jsonl"


def fill(path: Path, key: Path, count: int, **fields: Any) -> None:
    writer = RecordWriter(path, key)
    for number in range(count):
        writer.write({"session": f"s-{number}", **fields})
    writer.close()
    assert writer.lost == 0


def test_files_and_keys_are_made_for_their_owner_alone(path: Path, key: Path) -> None:
    fill(path, key, 3)
    assert [oct(file.stat().st_mode & 0o777) for file in (path, key, public_half(key), path.parent, key.parent)] == [
        "0o600", "0o600", "0o644", "0o700", "0o700"]
    verdict = verify_file(path, public_half(key))
    assert verdict.sound and verdict.records == 3 and verdict.torn is None
    assert sorted(file.name for file in key.parent.iterdir()) == ["receipt.key", "receipt.key.pub"]


def test_a_chain_goes_on_over_restarts(path: Path, key: Path) -> None:
    for _ in range(3):
        fill(path, key, 2)
    verdict = verify_file(path, public_half(key))
    assert verdict.sound and verdict.end.number == 6
    writer = RecordWriter(path, key)
    assert writer.end == verdict.end
    writer.close()


def test_a_record_is_on_disk_before_close(path: Path, key: Path) -> None:
    writer = RecordWriter(path, key)
    writer.write({"session": "s"})
    until(lambda: writer.end.number == 1)
    assert verify_file(path, public_half(key)).records == 1
    writer.close()
    writer.close()
    writer.write({"session": "late"})
    assert writer.lost == 1


def test_reserved_names_are_refused(path: Path, key: Path) -> None:
    writer = RecordWriter(path, key)
    for name in ("number", "previous", "digest", "signature", "missing"):
        with pytest.raises(ValueError, match=name):
            writer.write({name: 1})
    writer.close()


def test_what_cannot_be_written_is_declared(path: Path, key: Path) -> None:
    writer = RecordWriter(path, key)
    for fields in ({"a": 1}, {"a": "\ud800"}, {"a": "x" * LINE_LIMIT}, {"a": 2}, {"a": object()}):
        writer.write(fields)
    writer.close()
    assert writer.lost == 3
    verdict = verify_file(path, public_half(key))
    assert verdict.sound and verdict.missing == 3
    assert [orjson.loads(line).get("missing") for line in path.read_bytes().splitlines()] == [None, 2, 1]


@pytest.mark.parametrize("cut", [1, 40, -1])
def test_a_torn_record_is_cut_off_and_declared(path: Path, key: Path, cut: int) -> None:
    fill(path, key, 2)
    whole = path.read_bytes()
    torn = whole.splitlines(keepends=True)[1][:-1][:cut]
    path.write_bytes(whole + torn)
    assert verify_file(path, public_half(key)).torn == 3
    fill(path, key, 1)
    verdict = verify_file(path, public_half(key))
    assert verdict.sound and (verdict.records, verdict.missing, verdict.torn) == (3, 1, None)
    assert path.read_bytes().startswith(whole)


def test_a_whole_record_without_its_line_feed_is_kept(path: Path, key: Path) -> None:
    fill(path, key, 2)
    path.write_bytes(path.read_bytes()[:-1])
    fill(path, key, 1)
    verdict = verify_file(path, public_half(key))
    assert verdict.sound and (verdict.records, verdict.missing) == (3, 0)


@pytest.mark.parametrize("content", [b"some other file", b"some other file\n", b"[]\n", b"\n", b'{"a":1}\n', b"{}"])
def test_a_file_of_something_else_is_not_touched(path: Path, key: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(RecordsError, match=r"records\.jsonl"):
        RecordWriter(path, key)
    assert path.read_bytes() == content


def test_a_chain_of_another_key_is_not_continued(path: Path, key: Path) -> None:
    fill(path, key, 2)
    with pytest.raises(RecordsError, match="not of this key"):
        RecordWriter(path, key.with_name("other.key"))
    fill(path, key, 1)


def test_two_writers_do_not_share_a_file(path: Path, key: Path) -> None:
    writer = RecordWriter(path, key)
    with pytest.raises(RecordsError, match="in use by another edge"):
        RecordWriter(path, key)
    writer.close()
    fill(path, key, 1)


def test_tampering_is_found_in_its_line(path: Path, key: Path) -> None:
    fill(path, key, 5, messages=40)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2].replace(b":40", b":41"), *lines[3:]]))
    for public in (None, public_half(key)):
        faults = verify_file(path, public).faults
        assert [(fault.line, fault.kind) for fault in faults] == [(3, FaultKind.ALTERED)]
    path.write_bytes(b"".join([*lines[:2], b"x" * (3 * LINE_LIMIT + 5) + b"\n", *lines[3:]]))
    faults = verify_file(path, None).faults
    assert [(fault.line, fault.kind) for fault in faults] == [(3, FaultKind.ALTERED)]


PEM = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("content", [b"", b"nonsense", PEM])
def test_a_bad_key_is_an_error_with_its_name(path: Path, key: Path, content: bytes) -> None:
    key.parent.mkdir()
    key.write_bytes(content)
    public_half(key).write_bytes(content)
    with pytest.raises(RecordsError, match=r"receipt\.key: "):
        RecordWriter(path, key)
    with pytest.raises(RecordsError, match=r"receipt\.key\.pub: "):
        verifying_key(public_half(key))
    assert key.read_bytes() == content


def test_what_is_missing_is_an_error_with_its_name(path: Path, key: Path) -> None:
    with pytest.raises(RecordsError, match=r"records\.jsonl: No such file"):
        verify_file(path, None)
    with pytest.raises(RecordsError, match=r"receipt\.key\.pub: No such file"):
        verify_file(path, public_half(key))
    signing_key(key)
    public_half(key).unlink()
    signing_key(key)
    verifying_key(public_half(key))


def test_a_full_disk_loses_no_record_that_finds_room_to_wait(small_disk: Path, key: Path) -> None:
    path = small_disk / "records.jsonl"
    writer = RecordWriter(path, key, bound=50)
    writer.write({"session": "first"})
    until(lambda: writer.end.number == 1)
    ballast = occupy(small_disk)
    writer.write({"session": "taken", "filler": "x" * 5000})
    until(lambda: writer.fault is not None)
    assert writer.fault == f"{path}: {os.strerror(errno.ENOSPC)}"
    for number in range(80):
        writer.write({"session": f"s-{number}"})
    assert writer.lost == 30
    ballast.unlink()
    until(lambda: writer.end.number == 52)
    assert writer.fault is None
    writer.write({"session": "after"})
    writer.close()
    verdict = verify_file(path, public_half(key))
    assert verdict.sound and (verdict.records, verdict.missing, verdict.torn) == (53, 30, None)
    assert orjson.loads(path.read_bytes().splitlines()[-1])["missing"] == 30


def test_closing_on_a_full_disk_ends_and_counts(small_disk: Path, key: Path) -> None:
    path = small_disk / "records.jsonl"
    writer = RecordWriter(path, key)
    writer.write({"session": "first"})
    until(lambda: writer.end.number == 1)
    ballast = occupy(small_disk)
    for _ in range(3):
        writer.write({"filler": "x" * 5000})
    writer.close()
    assert writer.lost == 3
    ballast.unlink()
    verdict = verify_file(path, public_half(key))
    assert verdict.sound and (verdict.records, verdict.torn) == (1, None)


CRASHING = """
import sys
from pathlib import Path
from sbc.telemetry.records import RecordWriter
writer = RecordWriter(Path(sys.argv[1]), Path(sys.argv[2]))
said = 0
while True:
    writer.write({"session": "s", "filler": "x" * 300})
    if writer.end.number != said:
        said = writer.end.number
        sys.stdout.write(f"{said}\\n")
        sys.stdout.flush()
"""


def test_a_killed_edge_leaves_a_chain_that_goes_on(path: Path, key: Path) -> None:
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", CRASHING, str(path), str(key)], stdout=subprocess.PIPE) as edge:
            assert edge.stdout
            said = [int(edge.stdout.readline()) for _ in range(5)]
            edge.kill()
            said += [int(line) for line in edge.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
        assert verify_file(path, public_half(key)).records >= said[-1]
    fill(path, key, 1)
    verdict = verify_file(path, public_half(key))
    assert verdict.sound and verdict.torn is None
