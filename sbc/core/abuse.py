"""What sources were caught at lately: a score for each, which fades. Who has too much of it stays outside for a while.

What cuts off one connection costs its sender nothing: he comes back with the next. So whatever an honest client seldom
or never does counts for its source (`rates.source`: an IPv4 address, or a /64), and a source with too high a score is
turned away before anything is spent on it, later by the kernel. Pure: the time is an argument, in seconds of any one
clock.

    known ──score──> barred ──higher score──> blocked ──period──> known, with half the score ──> forgotten
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from heapq import nlargest
from ipaddress import ip_address

from sbc.core.rates import source
from sbc.model.abuse import AbuseRules

MOST_SOURCES = 65_536
"""Of more sources than these, the one that was caught longest ago is forgotten; and as many are barred at most."""
MOST_TOLD = 10_000
"""Of a million bytes or so, which are told at once."""
FLOOD = 60
"""What no honest client does: two of them bar a source, as the defaults are."""
BROKEN = 10
"""What only a broken client does by mistake."""
ODD = 4
"""What happens to an honest client now and then."""
KNOCK = 1
"""What does not stop although it is barred."""
WEIGHTS = {
    "barred": KNOCK,
    **dict.fromkeys((
        "h2_continuation_flood", "h2_empty_frames", "h2_glitches", "h2_ping_flood", "h2_priority_flood",
        "h2_provoked_resets", "h2_rapid_reset", "h2_settings_flood", "h2_unknown_frames", "h2_window_update_flood",
        "h3_datagrams", "h3_glitches", "h3_provoked_resets", "h3_rapid_reset",
    ), FLOOD),
    **dict.fromkeys((
        "bad_header", "bad_target", "client_invalid_text", "client_protocol_error", "duplicate_header", "h2_protocol",
        "h3_protocol", "header_look_alike", "malformed", "malformed_body", "proxy_protocol", "transfer_coding",
    ), BROKEN),
    **dict.fromkeys((
        "bad_handshake", "bad_host", "bad_key", "bad_token", "body_timeout", "client_too_big", "forwarded",
        "h1_stalled", "h2_head_timeout", "h2_stalled", "h2_stalled_stream", "h3_stalled_stream", "head_timeout",
        "head_too_large", "target_too_long", "tls_handshake", "too_many_headers", "unknown_method",
    ), ODD),
}  # fmt: skip
"""By the kind of abuse, or the code of a refusal. What is not here is nothing that anybody is blamed for."""


class Standing(Enum):
    """What a source has come to by what it was caught at just now."""

    KNOWN = "known"
    BARRED = "barred"
    BLOCKED = "blocked"


@dataclass(slots=True)
class Entry:
    """What is known of one source."""

    score: float
    at: float
    """When it was that."""
    kind: str
    """What it was caught at last."""
    standing: Standing = Standing.KNOWN
    until: float = 0.0
    """How long it is barred."""


class Blotter:
    """The scores of all sources."""

    __slots__ = ("_barred", "_known", "_most", "rules")

    def __init__(self, rules: AbuseRules, most: int = MOST_SOURCES) -> None:
        self.rules = rules
        self._most = most
        self._known: dict[str, Entry] = {}
        """The one that was caught longest ago first."""
        self._barred: dict[str, Entry] = {}
        """In the order in which they were; they stand in no other table."""

    def __len__(self) -> int:
        return len(self._known) + len(self._barred)

    @property
    def any_barred(self) -> bool:
        """Whether it is worth asking for anybody."""
        return bool(self._barred)

    def charge(self, kind: str, client: str, now: float) -> tuple[str, Entry] | None:
        """Hold something against whom an address stands for: that source, if its standing has become worse by it."""
        weight, rules = WEIGHTS.get(kind, 0), self.rules
        if not weight or rules.refuse is None or not self._blamed(client):
            return None
        self._let_out(now)
        name = source(client)
        entry = self._barred.get(name) or self._known.get(name) or Entry(0.0, now, kind)
        # More than what bars it twice over would be held against it for longer than a few periods.
        most = 2 * max(rules.refuse, rules.block or 0)
        entry.score, entry.at = min(self._faded(entry, now) + weight, most), now
        entry.kind = entry.kind if kind == "barred" else kind
        before, entry.standing = entry.standing, _worse(entry.standing, self._deserved(entry.score))
        if entry.standing is Standing.KNOWN:
            _keep(self._known, name, entry, self._most)
        if entry.standing is before:
            return None
        self._known.pop(name, None)
        entry.until = now + rules.period
        _keep(self._barred, name, entry, self._most)
        return name, entry

    def _deserved(self, score: float) -> Standing:
        if self.rules.block is not None and score >= self.rules.block:
            return Standing.BLOCKED
        return Standing.BARRED if self.rules.refuse is not None and score >= self.rules.refuse else Standing.KNOWN

    def _faded(self, entry: Entry, now: float) -> float:
        return entry.score * float(2.0 ** ((entry.at - now) / self.rules.period))

    def _blamed(self, client: str) -> bool:
        """Whether it is an address, and none of those that are exempt."""
        try:
            address = ip_address(client)
        except ValueError:  # what a trusted proxy calls it
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return not any((mapped or address) in network for network in self.rules.exempt)

    def _let_out(self, now: float) -> None:
        """Those whose time is over are known again."""
        while self._barred:
            name, entry = next(iter(self._barred.items()))
            if now < entry.until:
                return
            del self._barred[name]
            entry.standing = Standing.KNOWN
            _keep(self._known, name, entry, self._most)

    def bars(self, client: str, now: float) -> bool:
        """Whether this client is not let in."""
        self._let_out(now)
        entry = self._barred.get(source(client))
        return entry is not None and now < entry.until and self.rules.refuse is not None and self._blamed(client)

    def pardon(self, name: str) -> bool:
        """Forget what was held against a source; whether there was anything."""
        return (self._barred.pop(name, None) or self._known.pop(name, None)) is not None

    def blocked(self, now: float) -> list[str]:
        """The sources that the kernel is to drop."""
        self._let_out(now)
        return [name for name, entry in self._barred.items() if entry.standing is Standing.BLOCKED]

    def blocked_for(self, name: str, now: float) -> float:
        """For how many seconds it still is to; 0: it is not."""
        entry = self._barred.get(name)
        return max(0.0, entry.until - now) if entry is not None and entry.standing is Standing.BLOCKED else 0.0

    def entries(self, now: float, most: int) -> list[tuple[str, Entry]]:
        """So many of those against whom something is held, the worst first, with their scores as of now."""
        self._let_out(now)
        found = [(name, replace(entry, score=self._faded(entry, now), at=now))
                 for table in (self._barred, self._known) for name, entry in table.items()]  # fmt: skip
        return nlargest(most, found, key=lambda item: item[1].score)

    def told(self, now: float) -> list[tuple[str, float, str, str, float]]:
        """What another process of this edge has to know, of the worst: source, score, what it was caught at last, its
        standing, and for how many seconds it is barred."""
        return [(name, entry.score, entry.kind, entry.standing.value, max(0.0, entry.until - now))
                for name, entry in self.entries(now, MOST_TOLD)]  # fmt: skip

    def learn(self, told: Iterable[tuple[str, float, str, str, float]], now: float) -> None:
        """Know what another one has told, but of sources that are known here."""
        for name, score, kind, standing, left in sorted(told, key=lambda one: one[4]):
            if name not in self._known and name not in self._barred:
                entry = Entry(score, now, kind, Standing(standing), now + left)
                _keep(self._known if entry.standing is Standing.KNOWN else self._barred, name, entry, self._most)


def _worse(one: Standing, other: Standing) -> Standing:
    """Nobody's standing gets better by what he is caught at."""
    return max(one, other, key=list(Standing).index)


def _keep(table: dict[str, Entry], name: str, entry: Entry, most: int) -> None:
    """Put it last."""
    table.pop(name, None)
    if len(table) >= most:
        del table[next(iter(table))]
    table[name] = entry
