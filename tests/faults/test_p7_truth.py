"""P7: each handover is measured, and each session ends in a record that cannot be altered unnoticed."""

import asyncio
import json
import subprocess
import sys

from tests.support.nodes import ROOT
from tests.support.scene import Scene


async def test_a_failover_is_measured_and_recorded(scene: Scene) -> None:
    records = scene.directory / "records.jsonl"
    scene.trunk("a", "b", checkpoint="answer")
    await scene.open({"edge": {"records": str(records)}})
    client = await scene.client()
    await client.say(2)
    await client.answered()
    await client.say(50, every=0.01)
    await client.has(10)
    scene.owner(client).kill()
    await client.answered()
    edge = scene.edge
    assert await edge.metric("sbc_handovers_total", cause="failover", outcome="moved") == 1
    assert await edge.metric("sbc_handover_gap_seconds_count") == 1
    assert 0 < await edge.metric("sbc_handover_gap_seconds_sum") < 5
    assert await edge.metric("sbc_replayed_messages_total") == 1
    assert await edge.metric("sbc_lost_messages_total") == 0
    assert await edge.metric("sbc_dialogs", state="confirmed") == 1
    session = await scene.only_session()
    await client.close()
    await scene.no_sessions()
    assert await edge.stop() == 0
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    assert any(session in json.dumps(line) for line in lines), lines
    assert verdict(records) == 0


def verdict(records: object) -> int:
    """The exit code of `sbc receipts verify`."""
    return subprocess.run([sys.executable, "-m", "sbc", "receipts", "verify", str(records)], cwd=ROOT,
                          capture_output=True, check=False).returncode


async def test_an_altered_record_is_noticed(scene: Scene) -> None:
    records = scene.directory / "records.jsonl"
    scene.plain("a")
    await scene.open({"edge": {"records": str(records)}})
    for client in await scene.talking(3):
        await client.close()
    await scene.no_sessions()
    assert await scene.edge.stop() == 0
    whole = records.read_text()
    lines = whole.splitlines(keepends=True)
    assert len(lines) >= 3
    assert verdict(records) == 0
    digit = next(at for at, letter in enumerate(lines[1]) if letter in "123456789")
    altered = lines[1][:digit] + "0" + lines[1][digit + 1:]
    for forged in ([lines[0], altered, *lines[2:]], [lines[0], *lines[2:]], [lines[1], lines[0], *lines[2:]]):
        records.write_text("".join(forged))
        assert await asyncio.to_thread(verdict, records) == 1
