"""What is true of the edge at the moment of a scrape, counted when it is asked."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sbc.model.fellow import Fellow
from sbc.runtime.hall import Hall
from sbc.telemetry.collector import NO_STORE, Gauges
from sbc.transports.listener import Listener


def gauges(hall: Hall, listeners: Mapping[str, Listener], store_works: bool,
           edges: Sequence[Fellow], discovery_age: Mapping[str, float]) -> Gauges:  # fmt: skip
    """All of it. listeners: by name. edges: those of the same store."""
    hall.house.metrics.abuse["node_garbage"] = hall.house.pool.garbage
    dialogs: Counter[tuple[str, str, str]] = Counter()
    journal_bytes = 0
    for session in hall.sessions.values():
        dialog = session.dialog
        dialogs[dialog.state.value, dialog.manifest.continuity.value, dialog.manifest.agent] += 1
        journal_bytes += dialog.inbound.journal.octets + dialog.outbound.journal.octets
    nodes = Counter(standing.health.state.value for standing in hall.house.roster)
    expiry = {name: door.front.expires_in() for name, door in listeners.items() if door.front is not None}
    shared = hall.house.shared
    figures = shared.figures() if shared is not None else NO_STORE
    return Gauges(dialogs, nodes, journal_bytes, expiry, hall.rules.authorities.ages, len(hall.house.revocations),
                  Counter(edge.state for edge in edges), discovery_age, figures, store_works)
