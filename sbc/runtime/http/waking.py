"""A request for a session that sleeps since the edge was started again (runtime/dormant.py)."""

from collections.abc import Callable, Sequence

from sbc.core.dialog import Dialog
from sbc.core.seal import Seal
from sbc.model.errors import Refusal
from sbc.model.events import Reattached
from sbc.model.ids import SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.model.manifest import Manifest
from sbc.protocols.event_ids import HANDLE
from sbc.protocols.protocol import Key
from sbc.runtime.dormant import Dormant, restore
from sbc.runtime.http.asked import Asked
from sbc.runtime.http.exchange import Exchange
from sbc.runtime.http.journal import exchange_of
from sbc.runtime.http.registry import Registry, session_id
from sbc.runtime.http.revival import revive
from sbc.runtime.http.session import HttpSession

Follow = Callable[[str, Callable[[], None]], bool]


class Returning:
    """Implements Waiter."""

    def __init__(self, exchange: Exchange, keys: Sequence[Key], registry: Registry[HttpSession],
                 make: Callable[[Stored, str], HttpSession], join: Callable[[SessionId], None],
                 follow: Follow | None) -> None:  # fmt: skip
        """keys: those that the request names; make: the session anew, with its protocol's memory, which may be a
        ValueError; join: be one of the requests of a live session; follow: go to the edge that has the session; None:
        it is always claimed."""
        self._exchange = exchange
        self._keys = keys
        self._registry = registry
        self._make = make
        self._join = join
        self._follow = follow

    @property
    def follows(self) -> bool:
        return self._follow is not None

    def follow(self, holder: str, instead: Callable[[], None]) -> bool:
        return self._follow is not None and self._follow(holder, instead)

    @property
    def gone(self) -> bool:
        return self._exchange.client is None

    def go_on(self, entry: Stored, manifest: Manifest, journals: Journals) -> None:
        try:
            woken = self._make(entry, journals.memory)
        except ValueError:
            raise Refusal(404, "session_gone", "what was known of this session cannot be read") from None
        woken.given_back(self._exchange.identity)
        restore(woken.dialog, entry, journals)
        number_on(woken.dialog, woken.docket.last if woken.docket is not None else 0)
        keys = [Key(kind, value) for kind, value in entry.keys]
        self._registry.learn(woken, [*keys, *(key for key in self._keys if key.kind != "token")])
        woken.handle = next((key.value for key in keys if key.kind == HANDLE), "")
        woken.token()  # its client comes back with the one it has, or by a key
        woken.legs.resident = entry.binding.owner
        revive(woken)
        woken.take(self._exchange)
        woken.tell(Reattached(woken.dialog.outbound.count))

    def join(self, session: SessionId) -> None:
        self._join(session)

    def refuse(self, refusal: Refusal) -> None:
        self._exchange.refuse(refusal)


def number_on(dialog: Dialog, last: int) -> None:
    """Requests that were not kept are not on record: what their answers say of their numbers is. last: the highest
    number of one whose answer was under way."""
    inbound = dialog.inbound
    known = max((exchange_of(entry) for entry in dialog.outbound.journal.since(0)), default=0)
    known = max(known, last)
    if known > inbound.count:
        inbound.count = dialog.passed = known
        inbound.journal.restart(known + 1)


def asleep_of(dormant: Dormant, seal: Seal, asked: Asked, keys: Sequence[Key]) -> SessionId | None:
    """The session that is meant, if the edge was started again since."""
    agent, principal = asked.way.agent, asked.principal
    for key in keys:
        if key.kind == "token":
            found = seal.open(key.value, principal)
        else:
            found = dormant.find(agent, principal, key) or session_id(agent, principal, key)
        if found is not None and found in dormant:
            return found
    return None
