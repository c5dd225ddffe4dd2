"""The figures of the README, from bench/results/*.json: `python -m bench.report` rewrites the block between its marks.

Each table has the command that repeats it, and says of each target whether it was met: nobody rounds in our favour.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.common.markdown import Result, below, bounded, held, part, part_takers, table, times, us, verdict
from bench.common.tables import RESULTS, median, ratio
from bench.report_edges import bindings, durability, edge_death, workers

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
README = Path(__file__).resolve().parents[1] / "README.md"


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
        row = [case, us(of["edge"]), *(us(of[peer]) for peer in peers)]
        row += held(ratio(of["edge"], of.get("haproxy", ())), most)
        row += below(ratio(of["edge"], of.get("envoy", ())))
        rows.append(row + (held(ratio(of["edge-pure"], of["edge"]), 1.5) if pure else []))
    head = ["µs CPU per echo", "edge", *peers, "to HAProxy", "target", "to Envoy", "target"]
    head += ["pure to compiled", "target"] if pure else []
    return part("CPU per echoed message", result, table(head, rows))


def memory(result: Result) -> str:
    """Memory of an idle session."""
    found = result["kib_per_idle_session"]
    edge = found["edge"]["plain"]["rss"]
    rows = [[name, f"{of['plain']['rss']:.1f}", f"{of['TLS']['rss']:.1f}"] for name, of in found.items()]
    target = f"Target for the edge, plain: at most 8 KiB; {verdict(edge <= 8.0)}. TLS has no target."
    return part("Memory of an idle session, both legs, KiB", result,
                 f"{table(['KiB a session', 'plain', 'TLS'], rows)}\n\n{target}")


def sessions(result: Result) -> str:
    """New sessions for each second of CPU."""
    found = result["us_cpu_per_session"]
    rate = {way: {name: 1e6 / (median(of) or 1.0) for name, of in by.items()} for way, by in found.items()}
    rows = [[name, *(f"{by[name]:,.0f}" for by in rate.values())] for name in rate["plain"]]
    target = f"Target for the edge, plain: at least 1,500; {verdict(rate['plain']['edge'] >= 1500)}."
    return part("New sessions for a second of CPU (open, one echo, close)", result,
                 f"{table(['sessions a second and core', *rate], rows)}\n\n{target}")


def scale(result: Result) -> str:
    """The cost of a message when there are many sessions."""
    rows = []
    for name, ways in result["us_cpu_per_echo"].items():
        for way, of in ways.items():
            few, many = of["100"], of[max(of, key=int)]
            row = [name, way, us(few), us(many)]
            rows.append(row + (held(ratio(many, few), 1.3) if name == "edge" else [times(ratio(many, few)), ""]))
    return part("CPU per message as sessions grow", result,
                 table(["µs CPU per echo", "load", "100 sessions", "5,000", "ratio", "target"], rows))


def handover(result: Result) -> str:
    """What clients notice of a handover."""
    rows = []
    for scenario, of in result["scenarios"].items():
        half = 0.5 if scenario.endswith("warm") else 1.0
        gap = of["gap_ms"]
        rows.append([scenario, f"{of['moved']:,}", f"{of['messages']:,}", str(sum(of["faults"].values())),
                     f"{gap['p50']:.1f}", bounded(gap["p50"], 20 * half),
                     f"{gap['p99']:.0f}", bounded(gap["p99"], 150 * half),
                     f"{of['bystanders_ms']['p99']:.0f}", f"{median(of['edge_us_cpu_per_move']) or 0:,.0f}"])
    head = ["event, standby", "moved", "messages", "faults", "gap p50, ms", "target",
            "gap p99, ms", "target", "p99 of those not moved, ms", "µs CPU a move"]
    title = f"Handover of half of {result['sessions']:,} sessions in traffic, {result['nodes']} nodes"
    words = ("Faults: messages lost, doubled or out of order, and disconnects. The gap is what a client notices: its\n"
             "longest wait for an answer, less the usual one.")
    return part(title, result, f"{table(head, rows)}\n\n{words}")


def requests(result: Result) -> str:
    """CPU per HTTP request."""
    cases = result["us_cpu_per_request"]
    names = part_takers(cases, "edge-pure", "haproxy", "nginx", "envoy", "bare")
    rows = []
    for case, of in cases.items():
        to_haproxy, to_envoy = (ratio(of["edge"], of.get(peer, ())) for peer in ("haproxy", "envoy"))
        first = case.startswith("HTTP/1.1")
        rows.append([case, us(of["edge"]), *(us(of[name]) if name in of else "-" for name in names),
                     *(held(to_haproxy, 1.7) if first else [times(to_haproxy), ""]),
                     *(held(to_envoy, 0.6) if first else below(to_envoy))])
    head = ["µs CPU per request", "edge", *names, "to HAProxy", "target", "to Envoy", "target"]
    words = ("`bare`: httptools on uvloop, bytes passed on as they come: the floor for a proxy in Python. All pin by\n"
             "a header; the edge journals requests and answers.")
    return part("CPU per HTTP request", result, f"{table(head, rows)}\n\n{words}")


def streams(result: Result) -> str:
    """CPU per server-sent event."""
    found = result["us_cpu_per_event"]
    rows = []
    for name, of in found.items():
        to = {peer: ratio(of, found.get(peer, ())) for peer in ("haproxy", "envoy", "caddy")}
        judged = [*held(to["haproxy"], 1.2), *below(to["envoy"]), *below(to["caddy"])]
        rows.append([name, us(of), *(judged if name == "edge" else
                                      [text for ours in to.values() for text in (times(ours), "")])])
    head = ["proxy", "µs CPU per event", "to HAProxy", "target", "to Envoy", "target", "to Caddy", "target"]
    words = ("`edge` gives every event an id and journals it; `edge-opaque` passes bytes; `edge-h2` is `edge` with\n"
             "the HTTP/2 engine that is written in Python.")
    lowered = "" if result["rate"] == result["asked_rate"] else (
        f" The rate was lowered from {result['asked_rate']:g}: not every proxy can do that with its core.")
    title = f"CPU per server-sent event, {result['streams']} streams of {result['rate']:g} a second over TLS HTTP/2"
    return part(title, result, f"{table(head, rows)}\n\n{words}{lowered}")


def quic(result: Result) -> str:
    """What HTTP/3 costs."""
    found = {**result["us_cpu"], "event": result["us_cpu_per_event"]}
    peers = part_takers(found, "envoy", "caddy", "traefik")
    rows = []
    for what, of in found.items():
        for name in [name for name in of if name.startswith("edge")]:
            to_envoy, to_caddy = (ratio(of[name], of.get(peer, ())) for peer in ("envoy", "caddy"))
            row = [f"{what}, {name}", us(of[name]), *(us(of[peer]) for peer in peers)]
            judged = [*held(to_envoy, 1.5), *below(to_caddy)]
            if what == "handshake":
                judged = [times(to_envoy), "", times(to_caddy), bounded(median(of[name]) or 0.0, 10_000)]
            elif name != "edge":
                judged = [times(to_envoy), "", times(to_caddy), ""]
            rows.append(row + judged)
    memory = result["kib_per_idle_connection"]
    listed = ", ".join(f"{name} {of['rss']:.1f}" for name, of in memory.items())
    target = (f"Idle connections, KiB: {listed}."
               f"\nTarget for the edge: {bounded(memory['edge']['rss'], 80)}.")
    rates = ", ".join(f"{name} {rate:g}" for name, rate in result["rates"].items())
    words = ("`edge` runs on qh3, `edge-aioquic` on aioquic; `edge-opaque` does not number and journal events.\n"
             f"{result['streams']} streams of events; a second on each: {rates}. A handshake: at most 10,000 µs is\n"
             "100 a second and core.")
    head = ["µs CPU per", "edge", *peers, "to Envoy", "target", "to Caddy", "target"]
    return part("HTTP/3: CPU per request, event and handshake; memory of idle connections", result,
                 f"{table(head, rows)}\n\n{words}\n\n{target}")


def idle(result: Result) -> str:
    """Memory of idle HTTP/2 connections and streams."""
    found = result["kib"]
    names = sorted({name for of in found.values() for name in of}, key=lambda name: (name[:4] != "edge", name))
    rows = [[name, *(f"{of[name]['rss']:.1f}" if name in of else "-" for of in found.values())] for name in names]
    connection = found["connection"]["edge"]["rss"]
    stream = found["stream, HTTP/2 node"]["edge-alone"]["rss"]
    target = (f"Targets for the edge, KiB: a connection {bounded(connection, 24)};\n"
               f"a stream (`edge-alone`, HTTP/2 on both sides) {bounded(stream, 2)}.\n"
               "`edge-alone` has no session for a stream, `edge` has one for each, `edge-sse` one whose events a\n"
               "client can ask for again.")
    return part("Memory of idle HTTP/2 connections (TLS) and of idle event streams with both their sides, KiB", result,
                 f"{table(['KiB each', *found], rows)}\n\n{target}")


def streams_handover(result: Result) -> str:
    """What clients notice when the node of half of all event streams dies."""
    rows = []
    for scenario, of in result["scenarios"].items():
        gap, went_on = of["gap_ms"], of["went_on"]
        rows.append([scenario, f"{of['struck']:,}", f"{went_on:,}", f"{of['marked']:,}",
                     str(sum(of["faults"].values())), *(f"{gap[p]:.0f}" if went_on else "-" for p in ("p50", "p99")),
                     bounded(gap["p99"], 150) if went_on else "", f"{median(of['edge_us_cpu_each']) or 0:,.0f}"])
    head = ["nodes", "struck", "went on", "marked", "faults", "gap p50, ms", "gap p99, ms", "target", "µs CPU each"]
    words = ("Faults: events lost, doubled or out of order, streams that end as if they were complete, or that end at\n"
             "all where they can be resumed. Marked: reset, so that nobody takes the stream for complete. The gap is\n"
             "the time from the SIGKILL to the first event of the other node.")
    return part(f"SIGKILL of the node of half of {result['streams']:,} event streams in flight", result,
                 f"{table(head, rows)}\n\n{words}")


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
    return part(f"Round trips of {result['voices']} voice-like sessions beside one flood", result,
                 f"{table(head, rows)}\n\nTarget for the edge: below 2x of the quiet run; {verdict(worst < 2.0)}.")


def _flood(kind: str) -> str:
    return f"{kind} B" if kind.isdigit() else kind


TABLES: Mapping[str, Callable[[Result], str]] = {
    "relay": relay, "requests": requests, "streams": streams, "quic": quic, "memory": memory, "idle": idle,
    "sessions": sessions, "scale": scale,
    "fairness": fairness, "handover": handover, "streams_handover": streams_handover,
    "bindings": bindings, "durability": durability, "edge_death": edge_death,
    "workers": workers}


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
