"""The exposition: Metrics and Gauges under the names and labels of docs/DESIGN.md section 5.7.

A custom Collector, so that nothing is paid between scrapes. Label values are escaped by prometheus-client.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sbc.model.interfaces import StoreFigures
from sbc.model.manifest import Continuity
from sbc.telemetry.metrics import Histogram, Metrics, QuicTally

NO_STORE: Final = StoreFigures()
"""Of edges that share none."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is true at the moment of a scrape, as the runtime sees it."""

    dialogs: Mapping[tuple[str, str, str], int]
    """How many, by state, class and agent."""
    nodes: Mapping[str, int]
    """How many, by state."""
    journal_bytes: int
    certificate_expiry: Mapping[str, float]
    """Seconds until each certificate expires, by the name of its file; negative once it has."""
    jwks_age: Mapping[str, float]
    """By URL of an issuer's keys: seconds since they were fetched last; infinite: they never were."""
    revocations: int
    """In force."""
    edges: Mapping[str, int] = field(default_factory=dict)
    """Those of the same store, by state."""
    discovery_age: Mapping[str, float] = field(default_factory=dict)
    """By pool: seconds since nodes were found for it last; infinite: they never were."""
    store: StoreFigures = NO_STORE
    store_works: bool = True


class EdgeCollector(Collector):
    """Turns the edge's state into metric families, anew at each scrape."""

    def __init__(self, metrics: Metrics, gauges: Callable[[], Gauges]) -> None:
        self._metrics = metrics
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        gauges = self._gauges()
        yield from _gauges(gauges)
        yield from _store(gauges.store, gauges.store_works)
        yield from _control(self._metrics)
        yield from _admission(self._metrics)
        yield from _traffic(self._metrics)
        yield from _quic(self._metrics.quic)
        yield from _loop(self._metrics)


def make_registry(metrics: Metrics, gauges: Callable[[], Gauges]) -> CollectorRegistry:
    """A registry of the edge's own metrics and those of its process (memory, CPU, file descriptors)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(EdgeCollector(metrics, gauges))
    ProcessCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """The exposition and its content type: OpenMetrics if the Accept header asks for it, else Prometheus text."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number: the scraper gets what every scraper reads
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


def _gauges(gauges: Gauges) -> Iterator[Metric]:
    dialogs = GaugeMetricFamily("sbc_dialogs", "Dialogs now.", labels=("state", "class", "agent"))
    for labels, count in gauges.dialogs.items():
        dialogs.add_metric(labels, count)
    yield dialogs
    nodes = GaugeMetricFamily("sbc_nodes", "Nodes now.", labels=("state",))
    for state, count in gauges.nodes.items():
        nodes.add_metric((state,), count)
    yield nodes
    edges = GaugeMetricFamily("sbc_edges", "Edges of the same store now, this one among them.", labels=("state",))
    for state, count in gauges.edges.items():
        edges.add_metric((state,), count)
    yield edges
    yield GaugeMetricFamily("sbc_journal_bytes", "Bytes held by all journals.", value=gauges.journal_bytes)
    expiry = GaugeMetricFamily(
        "sbc_certificate_expiry_seconds", "Seconds until the certificate expires.", labels=("certificate",))
    for name, seconds in gauges.certificate_expiry.items():
        expiry.add_metric((name,), seconds)
    yield expiry
    found = GaugeMetricFamily("sbc_discovery_age_seconds", "Seconds since nodes were found.", labels=("pool",))
    for pool, seconds in gauges.discovery_age.items():
        found.add_metric((pool,), seconds)
    yield found
    age = GaugeMetricFamily("sbc_jwks_age_seconds", "Seconds since an issuer's keys were fetched.", labels=("url",))
    for url, seconds in gauges.jwks_age.items():
        age.add_metric((url,), seconds)
    yield age
    yield GaugeMetricFamily("sbc_revocations", "Revocations in force.", value=gauges.revocations)


def _admission(metrics: Metrics) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("sbc_waiting", "Sessions that wait to be taken.", labels=("class",))
    for continuity in Continuity:
        if metrics.waiting:
            waiting.add_metric((continuity.value,), metrics.waiting[continuity.rank])
    yield waiting
    yield _histogram("sbc_admission_wait_seconds", "Time for which sessions waited that were then taken.",
                     metrics.admission_wait)  # fmt: skip
    yield _counter("sbc_shed", "New sessions refused for pressure.", ("class", "reason"), metrics.shed)
    yield _counter("sbc_let_go", "Sessions ended for pressure.", ("class",), _single(metrics.let_go))
    pressure = GaugeMetricFamily("sbc_pressure", "How hard-pressed the edge is; 1 is its end.", labels=("source",))
    for source, value in metrics.pressure.items():
        pressure.add_metric((source,), value)
    yield pressure


def _store(store: StoreFigures, works: bool) -> Iterator[Metric]:
    yield GaugeMetricFamily("sbc_store_up", "Whether the store answers.", value=works)
    yield GaugeMetricFamily(
        "sbc_store_lease_seconds", "How long the edge goes on if a store that edges share does not answer.",
        value=store.lease)
    yield CounterMetricFamily("sbc_store_dropped", "Notes the store was not told in time.", value=store.dropped)
    yield CounterMetricFamily("sbc_fenced", "Leases that were over before they were renewed.", value=store.fenced)
    yield _counter("sbc_claims", "Claims to sessions of other edges.", ("outcome",), _single(store.claims))


def _control(metrics: Metrics) -> Iterator[Metric]:
    yield _counter("sbc_admissions", "Sessions that asked to be taken.", ("outcome",), _single(metrics.admissions))
    yield _counter("sbc_handovers", "Dialogs that were to change their owner.", ("cause", "outcome"), metrics.handovers)
    yield _histogram("sbc_handover_gap_seconds", "Time a client had no owner.", metrics.handover_gap)
    yield _histogram("sbc_node_rtt_seconds", "Round trip to a node.", metrics.node_rtt)
    yield _histogram("sbc_first_message_seconds", "Time to the first node message after a client message.",
                     metrics.first_message)  # fmt: skip
    yield _counter("sbc_ceiling", "Latency ceilings that were broken.", ("agent", "class"), metrics.ceilings)
    yield _counter("sbc_refused", "Hellos answered with an error.", ("code",), _single(metrics.refused))
    yield _counter("sbc_abuse", "Breaches of protocol or limits.", ("kind",), _single(metrics.abuse))
    yield _counter("sbc_throttled", "Times a client over a rate was not read for a while.", ("limit",),
                   _single(metrics.throttled))  # fmt: skip
    yield _counter("sbc_kernel_orders", "Orders to the kernel.", ("order", "outcome"), metrics.kernel_orders)
    yield GaugeMetricFamily(
        "sbc_address_held", "1 if this edge has the address that edges share.", value=float(metrics.address_held))
    yield _counter("sbc_address_changes", "Times that address was taken, left or lost.", ("change",),
                   _single(metrics.address_changes))  # fmt: skip
    yield _counter("sbc_forwarded", "Requests and WebSockets passed on to the worker or edge that has the session.",
                   ("way", "outcome"), metrics.forwards.outcomes)  # fmt: skip
    up = GaugeMetricFamily("sbc_interconnect_up", "Whether another worker or edge was reached last.", labels=("to",))
    for name, reached in metrics.forwards.up.items():
        up.add_metric((name,), reached)
    yield up
    yield _counter("sbc_upgrades", "Upgrades of this process.", ("outcome",),
                   _single(metrics.upgrades))
    yield _counter("sbc_config_reloads", "Reloads tried.", ("outcome",), _single(metrics.reloads))
    yield GaugeMetricFamily(
        "sbc_config_reload_ok", "1 if the last reload was applied.", value=float(metrics.config_reload_ok))
    yield _counter(
        "sbc_session_seconds", "Time that dialogs spent in each state.", ("state",), _single(metrics.session_seconds))


def _traffic(metrics: Metrics) -> Iterator[Metric]:
    tallies = metrics.tallies
    labels = ("leg", "class")
    suppressed = metrics.suppressed + sum(tally.suppressed for tally in tallies.values())
    stale = sum(tally.stale for tally in tallies.values())
    yield _counter(
        "sbc_messages", "Messages received from a leg.", labels, {key: t.messages for key, t in tallies.items()})
    yield _counter("sbc_bytes", "Bytes of those messages.", labels, {key: t.octets for key, t in tallies.items()})
    for name, text, value in (
        ("replayed", "Client messages sent again to a new owner.", metrics.replayed),
        ("suppressed", "Node messages dropped because the client has them.", suppressed),
        ("lost", "Messages that no side will get.", metrics.lost),
        ("unknown", "Client messages whose outcome cannot be known.", metrics.unknown),
        ("unstored", "Messages passed on before the store had them that were to wait for it.", metrics.unstored),
        ("stale", "Messages dropped because their sender had no say any more.", stale),
    ):
        yield CounterMetricFamily(f"sbc_{name}_messages", text, value=value)


def _quic(tally: QuicTally) -> Iterator[Metric]:
    yield GaugeMetricFamily("sbc_quic_connections", "QUIC connections now.", value=tally.connections)
    yield GaugeMetricFamily("sbc_quic_half_open", "Those without a complete handshake.", value=tally.half_open)
    for name, text, value in (
        ("handshakes", "QUIC handshakes completed.", tally.handshakes),
        ("retries", "Clients asked to show their address first.", tally.retries),
        ("negotiations", "Datagrams of other versions answered.", tally.negotiations),
        ("moves", "Changes of clients' addresses.", tally.moves),
    ):
        yield CounterMetricFamily(f"sbc_quic_{name}", text, value=value)
    ways = {"received": tally.received, "sent": tally.sent, "lost": tally.lost, "passed": tally.passed}
    yield _counter(
        "sbc_quic_datagrams", "Datagrams received, sent, not taken by the kernel, passed on.", ("way",), _single(ways))
    yield _counter(
        "sbc_quic_datagrams_dropped", "Datagrams that nothing came of.", ("reason",), _single(tally.dropped))


def _loop(metrics: Metrics) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "sbc_loop_lag_seconds", "How late the event loop came the last time.", value=metrics.loop_lag_last)
    yield GaugeMetricFamily(
        "sbc_loop_lag_max_seconds", "How late the event loop ever came.", value=metrics.loop_lag_max)


def _single(counts: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(label,): count for label, count in counts.items()}


def _counter(
    name: str, text: str, labels: tuple[str, ...],
    counts: Mapping[tuple[str, ...], float] | Mapping[tuple[str, str], int],
) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=histogram.sum)
