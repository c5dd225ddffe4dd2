"""What the other benches have measured, read from bench/results: figures of one machine."""

import json
from dataclasses import dataclass
from typing import Any

from bench.common.processes import BenchError
from bench.common.tables import RESULTS, median


@dataclass(frozen=True, slots=True)
class Measured:
    """Microseconds of CPU, bytes, seconds; each says which result it comes from."""

    session_us: float
    """sessions: to begin a session over TLS; coming back costs about as much."""
    echo_us: float
    """relay: TLS 128 B x1, at the edge."""
    async_us: float
    """durability: what an echo costs the edge more with redis-async, x8: many sessions share a batch."""
    sync_us: float
    """durability: the same with redis-sync, x1: few share one."""
    redis_async_us: float
    redis_sync_us: float
    """durability: Redis' own CPU of an echo."""
    script_us: float
    """durability: Redis' own CPU of a script called alone: half an echo of redis-sync x1."""
    session_bytes: float
    """memory: of an idle session over TLS at the edge."""
    binding_bytes: float
    message_bytes: float
    """bindings: of a session, and of a message of 300 bytes, in Redis."""
    gap_ms: float
    """handover: SIGKILL, cold: p99."""


def measured() -> Measured:
    """Raises BenchError if a bench was not run yet."""
    cases = _result("durability")["cases"]

    def us(case: str, whose: str) -> float:
        return _median(cases[case][whose])
    sessions, relay = _result("sessions")["us_cpu_per_session"], _result("relay")["us_cpu_per_echo"]
    bindings = _result("bindings")
    return Measured(
        session_us=_median(sessions["TLS"]["edge"]), echo_us=_median(relay["TLS 128 B x1"]["edge"]),
        async_us=us("redis-async x8", "edge_us_cpu") - us("memory x8", "edge_us_cpu"),
        sync_us=us("redis-sync x1", "edge_us_cpu") - us("memory x1", "edge_us_cpu"),
        redis_async_us=us("redis-async x8", "redis_us_cpu"), redis_sync_us=us("redis-sync x1", "redis_us_cpu"),
        script_us=us("redis-sync x1", "redis_us_cpu") / 2,
        session_bytes=_result("memory")["kib_per_idle_session"]["edge"]["TLS"]["rss"] * 1024,
        binding_bytes=max(bindings["bytes"].values()), message_bytes=bindings["bytes_per_message"],
        gap_ms=_result("handover")["scenarios"]["SIGKILL, cold"]["gap_ms"]["p99"],
    )  # fmt: skip


def _result(name: str) -> dict[str, Any]:
    file = RESULTS / f"{name}.json"
    if not file.exists():
        raise BenchError(f"there are no figures of bench.{name}: run it first")
    return dict(json.loads(file.read_text()))


def _median(samples: list[float]) -> float:
    found = median(samples)
    assert found is not None
    return found
