"""The verbs that need no running edge."""

import json
from pathlib import Path

import pytest

from sbc.cli import options
from sbc.cli.options import config_file
from tests.admin.operations import RecordingOperations
from tests.admin.test_api import opened
from tests.cli.command import ROOT, sbc

SOUND = """
admin: {listen: "127.0.0.1:%s"}
listeners:
  - {name: plain, listen: 127.0.0.1:0, transports: [websocket]}
pools:
  tutors: {nodes: [{name: a, url: "http://127.0.0.1:9001"}]}
agents:
  tutor: {pool: tutors}
policies:
  default: {}
routes:
  - {match: {path: /}, agent: tutor, protocol: opaque, policy: default}
"""


async def test_a_sound_file(tmp_path: Path) -> None:
    file = tmp_path / "sbc.yaml"
    file.write_text(SOUND % 9070)
    ran = await sbc("check", "-c", file)
    assert (ran.status, ran.out) == (0, f"{file}: ok\n"), ran.err


async def test_every_fault_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "sbc.yaml"
    file.write_text(SOUND.replace("pool: tutors", "pol: tutors").replace("[websocket]", "[websockets]") % 9070)
    ran = await sbc("check", "-c", file)
    assert (ran.status, ran.out) == (1, "")
    faults = ran.err.splitlines()
    assert len(faults) >= 2
    assert all(fault.startswith(f"{file}:") for fault in faults), faults


async def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    ran = await sbc("check", "-c", tmp_path / "none.yaml")
    assert ran.status == 1
    assert "none.yaml" in ran.complaint


async def test_the_schema_is_json() -> None:
    ran = await sbc("schema")
    assert ran.status == 0
    assert "listeners" in json.loads(ran.out)["properties"]


async def test_the_sample_configuration_is_sound() -> None:
    ran = await sbc("check", cwd=ROOT)
    assert (ran.status, ran.out) == (0, "config/sbc.yaml: ok\n"), ran.err


async def test_a_configuration_tells_where_its_edge_is(tmp_path: Path) -> None:
    file = tmp_path / "sbc.yaml"
    async with opened(RecordingOperations()) as edge:
        file.write_text(SOUND % edge.base.rpartition(":")[2])
        assert (await sbc("nodes", "-c", file, SBC_ADMIN="127.0.0.1:1")).status == 0


def test_which_file_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_file(Path("mine.yaml")) == Path("mine.yaml")
    assert config_file(None) == options.INSTALLED
    options.HERE.parent.mkdir()
    options.HERE.touch()
    assert config_file(None) == options.HERE
