"""The figures of the README, from bench/results/*.json: `python -m bench.report` rewrites the block between its marks.

Each table has the command that repeats it, and says of each target whether it was met: nobody rounds in our favour.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.common.tables import RESULTS, median, ratio

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
README = Path(__file__).resolve().parents[1] / "README.md"

Result = Mapping[str, Any]
NOISY = 0.15
"""Share of the machine that others used, from which on a run counts as disturbed."""


def block(results: Path = RESULTS) -> str:
    """The whole block, without its marks; a bench without a result is named as such."""
    parts = []
    for name, draw in TABLES.items():
        file = results / f"{name}.json"
        parts.append(draw(json.loads(file.read_text())) if file.exists() else f"`bench/{name}`: not measured yet.")
    return "\n\n".join(parts)


def put(text: str, figures: str) -> str:
    """`text` with what stands between the marks replaced. Raises ValueError if it has not both of them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{BEGIN} and {END} are needed")
    return f"{before}{BEGIN}\n{figures}\n{END}{after}"


def relay(result: Result) -> str:
    """CPU per echoed message."""
    cases = result["us_cpu_per_echo"]
    peers = [peer for peer in ("haproxy", "nginx", "envoy") if peer in next(iter(cases.values()))]
    pure = all("edge-pure" in of for of in cases.values())
    rows = []
    for case, of in cases.items():
        most = 1.15 if case.startswith("plain") else 1.25
        row = [case, _us(of["edge"]), *(_us(of[peer]) for peer in peers)]
        row += _held(ratio(of["edge"], of.get("haproxy", ())), most)
        row += _below(ratio(of["edge"], of.get("envoy", ())))
        rows.append(row + (_held(ratio(of["edge-pure"], of["edge"]), 1.5) if pure else []))
    head = ["µs CPU per echo", "edge", *peers, "to HAProxy", "target", "to Envoy", "target"]
    head += ["pure to compiled", "target"] if pure else []
    return _part("CPU per echoed message", result, _table(head, rows))


def memory(result: Result) -> str:
    """Memory of an idle session."""
    found = result["kib_per_idle_session"]
    edge = found["edge"]["plain"]["rss"]
    rows = [[name, f"{of['plain']['rss']:.1f}", f"{of['TLS']['rss']:.1f}"] for name, of in found.items()]
    verdict = f"Target for the edge, plain: at most 8 KiB; {_verdict(edge <= 8.0)}. TLS has no target."
    return _part("Memory of an idle session, both legs, KiB", result,
                 f"{_table(['KiB a session', 'plain', 'TLS'], rows)}\n\n{verdict}")


def sessions(result: Result) -> str:
    """New sessions for each second of CPU."""
    found = result["us_cpu_per_session"]
    rate = {way: {name: 1e6 / (median(of) or 1.0) for name, of in by.items()} for way, by in found.items()}
    rows = [[name, *(f"{by[name]:,.0f}" for by in rate.values())] for name in rate["plain"]]
    verdict = f"Target for the edge, plain: at least 1,500; {_verdict(rate['plain']['edge'] >= 1500)}."
    return _part("New sessions for a second of CPU (open, one echo, close)", result,
                 f"{_table(['sessions a second and core', *rate], rows)}\n\n{verdict}")


def scale(result: Result) -> str:
    """The cost of a message when there are many sessions."""
    rows = []
    for name, ways in result["us_cpu_per_echo"].items():
        for way, of in ways.items():
            few, many = of["100"], of[max(of, key=int)]
            row = [name, way, _us(few), _us(many)]
            rows.append(row + (_held(ratio(many, few), 1.3) if name == "edge" else [_times(ratio(many, few)), ""]))
    return _part("CPU per message as sessions grow", result,
                 _table(["µs CPU per echo", "load", "100 sessions", "5,000", "ratio", "target"], rows))


def handover(result: Result) -> str:
    """What clients notice of a handover."""
    rows = []
    for scenario, of in result["scenarios"].items():
        half = 0.5 if scenario.endswith("warm") else 1.0
        gap, held = of["gap_ms"], 20 * half
        rows.append([scenario, f"{of['moved']:,}", f"{of['messages']:,}", str(sum(of["faults"].values())),
                     f"{gap['p50']:.1f}", _most(gap["p50"], held), f"{gap['p99']:.0f}", _most(gap["p99"], 150 * half),
                     f"{of['bystanders_ms']['p99']:.0f}", f"{median(of['edge_us_cpu_per_move']) or 0:,.0f}"])
    head = ["event, standby", "moved", "messages", "faults", "gap p50, ms", "target",
            "gap p99, ms", "target", "p99 of those not moved, ms", "µs CPU a move"]
    title = f"Handover of half of {result['sessions']:,} sessions in traffic, {result['nodes']} nodes"
    words = ("Faults: messages lost, doubled or out of order, and disconnects. The gap is what a client notices: its\n"
             "longest wait for an answer, less the usual one.")
    return _part(title, result, f"{_table(head, rows)}\n\n{words}")


def requests(result: Result) -> str:
    """CPU per HTTP request."""
    cases = result["us_cpu_per_request"]
    names = _part_takers(cases, "edge-pure", "haproxy", "nginx", "envoy", "bare")
    rows = []
    for case, of in cases.items():
        to_haproxy, to_envoy = (ratio(of["edge"], of.get(peer, ())) for peer in ("haproxy", "envoy"))
        first = case.startswith("HTTP/1.1")
        rows.append([case, _us(of["edge"]), *(_us(of[name]) if name in of else "-" for name in names),
                     *(_held(to_haproxy, 1.7) if first else [_times(to_haproxy), ""]),
                     *(_held(to_envoy, 0.6) if first else _below(to_envoy))])
    head = ["µs CPU per request", "edge", *names, "to HAProxy", "target", "to Envoy", "target"]
    words = ("`bare`: httptools on uvloop, bytes passed on as they come: the floor for a proxy in Python. All pin by\n"
             "a header; the edge journals requests and answers.")
    return _part("CPU per HTTP request", result, f"{_table(head, rows)}\n\n{words}")


def streams(result: Result) -> str:
    """CPU per server-sent event."""
    found = result["us_cpu_per_event"]
    rows = []
    for name, of in found.items():
        to = {peer: ratio(of, found.get(peer, ())) for peer in ("haproxy", "envoy", "caddy")}
        judged = [*_held(to["haproxy"], 1.2), *_below(to["envoy"]), *_below(to["caddy"])]
        rows.append([name, _us(of), *(judged if name == "edge" else
                                      [text for ours in to.values() for text in (_times(ours), "")])])
    head = ["proxy", "µs CPU per event", "to HAProxy", "target", "to Envoy", "target", "to Caddy", "target"]
    words = ("`edge` gives every event an id and journals it; `edge-opaque` passes bytes; `edge-h2` is `edge` with\n"
             "the HTTP/2 engine that is written in Python.")
    lowered = "" if result["rate"] == result["asked_rate"] else (
        f" The rate was lowered from {result['asked_rate']:g}: not every proxy can do that with its core.")
    title = f"CPU per server-sent event, {result['streams']} streams of {result['rate']:g} a second over TLS HTTP/2"
    return _part(title, result, f"{_table(head, rows)}\n\n{words}{lowered}")


def quic(result: Result) -> str:
    """What HTTP/3 costs."""
    found = {**result["us_cpu"], "event": result["us_cpu_per_event"]}
    peers = _part_takers(found, "envoy", "caddy", "traefik")
    rows = []
    for what, of in found.items():
        for name in [name for name in of if name.startswith("edge")]:
            to_envoy, to_caddy = (ratio(of[name], of.get(peer, ())) for peer in ("envoy", "caddy"))
            row = [f"{what}, {name}", _us(of[name]), *(_us(of[peer]) for peer in peers)]
            judged = [*_held(to_envoy, 1.5), *_below(to_caddy)]
            if what == "handshake":
                judged = [_times(to_envoy), "", _times(to_caddy), _most(median(of[name]) or 0.0, 10_000)]
            elif name != "edge":
                judged = [_times(to_envoy), "", _times(to_caddy), ""]
            rows.append(row + judged)
    memory = result["kib_per_idle_connection"]
    listed = ", ".join(f"{name} {of['rss']:.1f}" for name, of in memory.items())
    verdict = (f"Idle connections, KiB: {listed}."
               f"\nTarget for the edge: {_most(memory['edge']['rss'], 80)}.")
    rates = ", ".join(f"{name} {rate:g}" for name, rate in result["rates"].items())
    words = ("`edge` runs on qh3, `edge-aioquic` on aioquic; `edge-opaque` does not number and journal events.\n"
             f"{result['streams']} streams of events; a second on each: {rates}. A handshake: at most 10,000 µs is\n"
             "100 a second and core.")
    head = ["µs CPU per", "edge", *peers, "to Envoy", "target", "to Caddy", "target"]
    return _part("HTTP/3: CPU per request, event and handshake; memory of idle connections", result,
                 f"{_table(head, rows)}\n\n{words}\n\n{verdict}")


def idle(result: Result) -> str:
    """Memory of idle HTTP/2 connections and streams."""
    found = result["kib"]
    names = sorted({name for of in found.values() for name in of}, key=lambda name: (name[:4] != "edge", name))
    rows = [[name, *(f"{of[name]['rss']:.1f}" if name in of else "-" for of in found.values())] for name in names]
    connection = found["connection"]["edge"]["rss"]
    stream = found["stream, HTTP/2 node"]["edge-alone"]["rss"]
    verdict = (f"Targets for the edge, KiB: a connection {_most(connection, 24)};\n"
               f"a stream (`edge-alone`, HTTP/2 on both sides) {_most(stream, 2)}.\n"
               "`edge-alone` has no session for a stream, `edge` has one for each, `edge-sse` one whose events a\n"
               "client can ask for again.")
    return _part("Memory of idle HTTP/2 connections (TLS) and of idle event streams with both their sides, KiB", result,
                 f"{_table(['KiB each', *found], rows)}\n\n{verdict}")


def streams_handover(result: Result) -> str:
    """What clients notice when the node of half of all event streams dies."""
    rows = []
    for scenario, of in result["scenarios"].items():
        gap, went_on = of["gap_ms"], of["went_on"]
        rows.append([scenario, f"{of['struck']:,}", f"{went_on:,}", f"{of['marked']:,}",
                     str(sum(of["faults"].values())), *(f"{gap[p]:.0f}" if went_on else "-" for p in ("p50", "p99")),
                     _most(gap["p99"], 150) if went_on else "", f"{median(of['edge_us_cpu_each']) or 0:,.0f}"])
    head = ["nodes", "struck", "went on", "marked", "faults", "gap p50, ms", "gap p99, ms", "target", "µs CPU each"]
    words = ("Faults: events lost, doubled or out of order, streams that end as if they were complete, or that end at\n"
             "all where they can be resumed. Marked: reset, so that nobody takes the stream for complete. The gap is\n"
             "the time from the SIGKILL to the first event of the other node.")
    return _part(f"SIGKILL of the node of half of {result['streams']:,} event streams in flight", result,
                 f"{_table(head, rows)}\n\n{words}")


def fairness(result: Result) -> str:
    """What one chatty session does to others."""
    samples = result["samples"]
    floods = [kind for kind in next(iter(samples.values())) if kind != "quiet"]
    rows = []
    for name, of in samples.items():
        quiet = [one["p99"] for one in of["quiet"]]
        row = [name, f"{median(quiet) or 0.0:.1f}"]
        for kind in floods:
            told = [one["p99"] for one in of[kind]]
            times = ratio(told, quiet)
            row += [f"{median(told) or 0.0:.1f}", f"{times or 0.0:.2f}x"]
        rows.append(row)
    worst = max(ratio([one["p99"] for one in samples["edge"][kind]], [one["p99"] for one in samples["edge"]["quiet"]])
                or math.inf for kind in floods)
    head = ["p99, ms", "quiet", *(cell for kind in floods for cell in (_flood(kind), "to quiet"))]
    return _part(f"Round trips of {result['voices']} voice-like sessions beside one flood", result,
                 f"{_table(head, rows)}\n\nTarget for the edge: below 2x of the quiet run; {_verdict(worst < 2.0)}.")


def _flood(kind: str) -> str:
    return f"{kind} B" if kind.isdigit() else kind


def bindings(result: Result) -> str:
    """What a Redis store costs as sessions grow."""
    sizes = list(result["bytes"])
    asked = [(what, share) for what in ("set_up_seconds", "look_up_seconds") for share in ("p50", "p99")]
    rows = [[f"{int(size):,}", *(f"{1000 * result[what][size][share]:.1f}" for what, share in asked),
             f"{result['us_cpu_per_set_up'][size]:.0f}", f"{result['bytes'][size]:.0f}"] for size in sizes]
    head = ["sessions", "set up, p50 ms", "p99", "look up, p50 ms", "p99", "us CPU of the edge", "bytes each"]
    first, last = (result["set_up_seconds"][size]["p50"] for size in (sizes[0], sizes[-1]))
    verdict = (f"A message of 300 bytes in a journal takes {result['bytes_per_message']:.0f}. "
               f"Target: flat; {_verdict(last <= 1.25 * first)}.")
    return _part("A Redis store as sessions grow, 64 questions at a time", result, f"{_table(head, rows)}\n\n{verdict}")


def durability(result: Result) -> str:
    """What it costs to have messages in the store."""
    base = {case[-3:]: of["edge_us_cpu"] for case, of in result["cases"].items() if case.startswith("memory")}
    rows = [[case, _us(of["edge_us_cpu"]), _times(ratio(of["edge_us_cpu"], base[case[-3:]])),
             _us(of["redis_us_cpu"]) if case.startswith("redis") else "", f"{median(of['a_second']) or 0:,.0f}"]
            for case, of in result["cases"].items()]
    head = ["store, durability, in flight", "us CPU of the edge per echo", "to memory", "of Redis", "echoes a second"]
    return _part("What durability costs an echo (two messages)", result, _table(head, rows))


def edge_death(result: Result) -> str:
    """What clients notice when their edge dies."""
    rows = [[name.replace("_", " "), *(f"{result[f'{name}_seconds'][share]:.2f}" for share in ("p50", "p99", "max"))]
            for name in ("let_in", "goes_on")]
    kept = not result["later_than_2_s"] and not result["faults"]
    verdict = f"Target: all go on within 2 s, nothing lost or doubled; {_verdict(kept)}."
    title = f"SIGKILL of the edge of {result['sessions']} sessions, durability {result['durability']}"
    return _part(f"{title}: seconds after a client's first attempt to come back", result,
                 f"{_table(['', 'p50', 'p99', 'max'], rows)}\n\n{verdict}")


TABLES: Mapping[str, Callable[[Result], str]] = {
    "relay": relay, "requests": requests, "streams": streams, "quic": quic, "memory": memory, "idle": idle,
    "sessions": sessions, "scale": scale,
    "fairness": fairness, "handover": handover, "streams_handover": streams_handover,
    "bindings": bindings, "durability": durability, "edge_death": edge_death}


def _part_takers(cases: Mapping[str, Mapping[str, Any]], *names: str) -> list[str]:
    """Those of the names that have figures in any case."""
    return [name for name in names if any(name in of for of in cases.values())]


def _part(title: str, result: Result, body: str) -> str:
    others = result["meanwhile"]["others"]
    noise = f" Disturbed: others used {others:.0%} of the machine meanwhile." if others > NOISY else ""
    machine = result["machine"]
    return (f"**{title}.** `{result['command']}`, {result['date'][:10]}, commit `{result['versions']['sbc']}`, "
            f"{machine['cores']} cores ({machine['processor']}).{noise}\n\n{body}")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    line = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, line, *rows))


def _us(samples: Sequence[float]) -> str:
    return f"{median(samples) or 0:.1f}"


def _held(found: float | None, most: float) -> list[str]:
    return [_times(found), "" if found is None else _most(found, most)]


def _below(found: float | None) -> list[str]:
    return [_times(found), "" if found is None else f"below 1: {_verdict(found < 1)}"]


def _times(found: float | None) -> str:
    return "-" if found is None else f"{found:.2f}x"


def _most(found: float, most: float) -> str:
    return f"at most {most:g}: {_verdict(found <= most)}"


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def main() -> int:
    """Rewrite the block in README.md."""
    try:
        README.write_text(put(README.read_text(), block()))
    except (ValueError, OSError) as fault:
        print(f"bench.report: {README.name}: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
