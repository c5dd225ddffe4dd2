"""Files and texts as a whole: what load and parse give back and raise."""

from pathlib import Path

import pytest

from sbc.config import load, parse
from sbc.config.faults import FAULTS_SHOWN
from sbc.model.errors import ConfigError
from tests.config.written import LEAST, faults

SAMPLE = Path(__file__).parents[2] / "config" / "sbc.yaml"


def refused(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    return caught.value.faults


def test_a_file_is_read_and_remembered_as_the_source(tmp_path: Path) -> None:
    file = tmp_path / "sbc.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + LEAST.encode())
    config = load(str(file))
    assert config.source == str(file)
    assert config.listeners == parse(LEAST, "f").listeners


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "sbc.yaml"
    right = "a file that this process may read"
    assert refused(file) == (f"{file}:1:1: cannot be read: No such file or directory; {right}",)
    assert refused(tmp_path) == (f"{tmp_path}:1:1: not a file; {right}",)
    file.write_bytes(b"edge: \xff\n")
    assert refused(file) == (f"{file}:1:1: byte 6 is not UTF-8; plain text in UTF-8",)
    with file.open("wb") as big:
        big.truncate(10**8)
    assert refused(file) == (f"{file}:1:1: a file of 100000000 bytes; at most 4194304",)


def test_the_error_reads_as_its_lines() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("edge: {}", "f")
    assert str(caught.value).splitlines() == list(caught.value.faults)


def test_very_many_faults_are_cut_short() -> None:
    told = faults(LEAST + "".join(f"x{n}: 1\n" for n in range(FAULTS_SHOWN + 7)))
    assert len(told) == FAULTS_SHOWN + 1
    assert told[-1] == f"f:{FAULTS_SHOWN + 5}:1: and 7 more; mend these first"


def test_a_line_break_of_any_kind_counts_as_one() -> None:
    assert faults(LEAST.replace("\n", "\r\n") + "edge: {nam: 1}\r\n")[0].startswith("f:5:8: edge.nam")


def test_the_sample_is_what_make_run_needs() -> None:
    config = load(str(SAMPLE))
    assert (config.edge.store, config.edge.records) == ("sqlite:var/sbc.db", "var/records.jsonl")
    assert [key.file for key in config.edge.seal_keys] == ["var/seal.key"]
    assert config.trunk is not None
    assert [str(door.listen) for door in (config.admin, config.trunk, *config.listeners)] == [
        "127.0.0.1:9070", "127.0.0.1:9071", "127.0.0.1:8080"]
    assert [route.path for route in config.routes] == ["/chat", "/ask", "/"]
    assert {name: pool.nodes for name, pool in config.pools.items()} == {"chat": ()}
