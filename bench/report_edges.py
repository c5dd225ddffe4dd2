"""What the figures of stores, and of several workers and edges, look like in the README (bench/report.py)."""

from bench.common.markdown import Result, held, part, table, times, us, verdict
from bench.common.tables import median, ratio


def bindings(result: Result) -> str:
    """What a Redis store costs as sessions grow."""
    sizes = list(result["bytes"])
    asked = [(what, share) for what in ("set_up_seconds", "look_up_seconds") for share in ("p50", "p99")]
    rows = [[f"{int(size):,}", *(f"{1000 * result[what][size][share]:.1f}" for what, share in asked),
             f"{result['us_cpu_per_set_up'][size]:.0f}", f"{result['bytes'][size]:.0f}"] for size in sizes]
    head = ["sessions", "set up, p50 ms", "p99", "look up, p50 ms", "p99", "us CPU of the edge", "bytes each"]
    first, last = (result["set_up_seconds"][size]["p50"] for size in (sizes[0], sizes[-1]))
    target = (f"A message of 300 bytes in a journal takes {result['bytes_per_message']:.0f}. "
               f"Target: flat; {verdict(last <= 1.25 * first)}.")
    return part("A Redis store as sessions grow, 64 questions at a time", result, f"{table(head, rows)}\n\n{target}")


def durability(result: Result) -> str:
    """What it costs to have messages in the store."""
    base = {case[-3:]: of["edge_us_cpu"] for case, of in result["cases"].items() if case.startswith("memory")}
    rows = [[case, us(of["edge_us_cpu"]), times(ratio(of["edge_us_cpu"], base[case[-3:]])),
             us(of["redis_us_cpu"]) if case.startswith("redis") else "", f"{median(of['a_second']) or 0:,.0f}"]
            for case, of in result["cases"].items()]
    head = ["store, durability, in flight", "us CPU of the edge per echo", "to memory", "of Redis", "echoes a second"]
    return part("What durability costs an echo (two messages)", result, table(head, rows))


def edge_death(result: Result) -> str:
    """What clients notice when their edge dies."""
    rows = [[name.replace("_", " "), *(f"{result[f'{name}_seconds'][share]:.2f}" for share in ("p50", "p99", "max"))]
            for name in ("let_in", "goes_on")]
    kept = not result["later_than_2_s"] and not result["faults"]
    target = f"Target: all go on within 2 s, nothing lost or doubled; {verdict(kept)}."
    title = f"SIGKILL of the edge of {result['sessions']} sessions, durability {result['durability']}"
    return part(f"{title}: seconds after a client's first attempt to come back", result,
                 f"{table(['', 'p50', 'p99', 'max'], rows)}\n\n{target}")


def workers(result: Result) -> str:
    """What a second worker costs, and brings."""
    rows = []
    for case, of in result["workers"].items():
        one, two = of["one"], of["two"]
        cost = ratio([turn["us"] for turn in two], [turn["us"] for turn in one])
        more = ratio([turn["a_second"] for turn in two], [turn["a_second"] for turn in one])
        threads = [[turn["us"] for turn in of.get(name, [])] for name in ("haproxy-two", "haproxy-one")]
        rows.append([case, us([turn["us"] for turn in one]), us([turn["us"] for turn in two]), *held(cost, 1.05),
                     times(ratio(*threads)), times(more)])
    head = ["load", "one worker, µs CPU per echo", "two", "two to one", "target", "HAProxy, two threads to one",
            "echoes a second, two to one"]
    words = ("Load and node have the same two cores, so that two workers cannot bring more messages here; what they\n"
             "can be asked is to cost no more each. HAProxy's column says what the crowd on the cores costs by itself.")
    return part("Two workers against one", result, f"{table(head, rows)}\n\n{words}")
