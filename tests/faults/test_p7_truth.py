"""P7: each handover is measured, and each session ends in a record that cannot be altered unnoticed."""

import asyncio
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import Talker
from tests.support.nursery import ROOT
from tests.support.scene import Scene
from tests.support.wait import wait_until


def written(records: Path) -> list[dict[str, Any]]:
    """The records in the file."""
    return [json.loads(line) for line in records.read_text().splitlines()]


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
    gap = await edge.metric("sbc_handover_gap_seconds_sum")
    assert 0 < gap < 5
    assert await edge.metric("sbc_replayed_messages_total") == 1
    assert await edge.metric("sbc_lost_messages_total") == 0
    assert await edge.metric("sbc_dialogs", state="confirmed") == 1
    session = await scene.only_session()
    await client.close()
    await scene.no_sessions()
    assert await edge.stop() == 0
    record, = written(records)
    assert record["session"] == session and record["owner"].endswith(f"/{client.node}")
    assert (record["handovers"], record["replayed"], record["lost"], record["unknown"]) == (1, 1, 0, 0)
    assert record["messages"] == {"client": 2, "node": 52}
    assert record["seconds"]["held"] == pytest.approx(gap, abs=0.05) and record["seconds"]["parked"] == 0
    assert 0.3 < record["seconds"]["confirmed"] < 30
    assert verdict(records) == 0


async def test_every_end_leaves_a_record_that_says_which(scene: Scene) -> None:
    records = scene.directory / "records.jsonl"
    scene.plain("a", close_after=2, close_code=4001)
    await scene.open({"edge": {"records": str(records)}, "agents": {"tutor": {"migration": {"hold": "500ms"}}},
                      "policies": {"default": {"limits": {"message": "1KiB"}}}})
    ends: dict[str, tuple[str, int]] = {}

    async def another() -> Talker:
        """A client; the session that is new is its."""
        known = {row["session"] for row in await scene.edge.sessions()}
        client, = await scene.talking(1)
        now = {row["session"] for row in await scene.edge.sessions()}
        client.headers["session"], = now - known
        return client

    def ended(client: Talker, result: str, code: int) -> None:
        ends[client.headers["session"]] = (result, code)
    client = await another()
    await client.close()
    ended(client, "client_bye", 1000)
    client = await another()
    await client.say(ballast=1024)
    ended(client, "expelled", (await client.ended())[0] or 0)
    client = await another()
    await scene.edge.get(f"/api/v1/sessions/{client.headers['session']}", "DELETE")
    ended(client, "ordered", (await client.ended())[0] or 0)
    client = await another()
    await client.say(0)
    assert (await client.ended())[0] == 4001
    ended(client, "node_closed", 4001)
    client = await another()
    await client.drop()
    away = client.headers["session"]
    ended(client, "client_gone", 1001)
    await scene.no_sessions()
    client = await another()
    scene.nodes["a"].kill()
    assert (await client.ended())[0] == 1014
    held = client.headers["session"]
    ended(client, "no_replica", 1014)
    await wait_until(lambda: len(written(records)) == len(ends), "as many records as sessions")
    found = {record["session"]: record for record in written(records)}
    assert {session: (record["result"], record["code"]) for session, record in found.items()} == ends
    assert found[away]["seconds"]["parked"] >= 0.5 and found[held]["seconds"]["held"] >= 0.5
    assert await scene.edge.stop() == 0
    assert verdict(records) == 0


def verdict(records: Path, *, signed: bool = False) -> int:
    """The exit code of `sbc receipts verify`; signed: with the edge's public key."""
    key = ["--key", str(records.with_suffix(".key.pub"))] if signed else []
    return subprocess.run([sys.executable, "-m", "sbc", "receipts", "verify", *key, str(records)], cwd=ROOT,
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
    assert len(lines) == 3
    assert verdict(records, signed=True) == 0
    altered = lines[1].replace('"agent":"tutor"', '"agent":"other"')
    assert altered != lines[1]
    for forged in ([lines[0], altered, lines[2]], [lines[0], lines[2]], [lines[1], lines[0], lines[2]],
                   [lines[0], *anew(lines).splitlines(keepends=True)[1:]]):
        records.write_text("".join(forged))
        assert await asyncio.to_thread(verdict, records) == 1
    records.write_text(anew(lines))
    assert await asyncio.to_thread(verdict, records) == 0, "a chain that was computed anew is whole"
    assert verdict(records, signed=True) == 1, "but nobody else can sign it"


def anew(lines: list[str]) -> str:
    """A chain with other owners, and every digest right again."""
    previous, forged = "0" * 64, []
    for line in lines:
        record = json.loads(line) | {"owner": "tutors/x", "previous": previous}
        body = {name: record[name] for name in sorted(record) if name not in ("digest", "signature")}
        previous = hashlib.sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest()
        signature = {"signature": record["signature"]} if "signature" in record else {}
        forged.append(json.dumps(body | {"digest": previous} | signature, sort_keys=True, separators=(",", ":")))
    return "\n".join(forged) + "\n"


async def test_the_chain_goes_on_when_the_edge_is_started_again(scene: Scene) -> None:
    records = scene.directory / "records.jsonl"
    scene.plain("a")
    await scene.open({"edge": {"records": str(records)}})
    for stop in (False, True):
        client, = await scene.talking(1)
        await client.close()
        await wait_until(lambda stop=stop: len(written(records)) == 1 + stop, "a record on disk")
        if stop:
            break
        scene.edge.kill()
        scene.edge.start()
        await scene.edge.ready()
        await scene.edge.sees(scene.nodes["a"])
    assert [record["number"] for record in written(records)] == [1, 2]
    assert verdict(records, signed=True) == 0


async def test_a_failover_that_finds_nobody_is_measured_too(scene: Scene) -> None:
    scene.plain("a")
    await scene.open(hold="300ms")
    client, = await scene.talking(1)
    scene.nodes["a"].kill()
    assert (await client.ended())[0] == 1014
    assert await scene.edge.metric("sbc_handovers_total", cause="failover", outcome="failed") == 1


async def test_a_session_that_nobody_returns_to_after_a_restart_leaves_a_record(scene: Scene) -> None:
    records = scene.directory / "records.jsonl"
    scene.plain("a")
    await scene.open({"edge": {"records": str(records), "store": f"sqlite:{scene.directory}/sbc.db"}}, hold="500ms")
    await scene.talking(1)
    session = await scene.only_session()
    assert await scene.edge.stop() == 0
    scene.edge.start()
    await scene.edge.ready()
    await scene.no_sessions()
    assert await scene.edge.stop() == 0
    assert [record["session"] for record in written(records)] == [session]
