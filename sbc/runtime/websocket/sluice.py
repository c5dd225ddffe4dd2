"""Between a relay and the link that its messages go to, where the store has to have them first (`durability: sync`).

    relay ──take──> held ──the store's word──> written, all of it at once

The relay does not wait: what it lets pass stands here until then. What stands here counts as if it stood in the link's
own buffer: when that is full, its sender is not read.
"""

from collections.abc import Callable

from sbc.runtime.clerk import Notary
from sbc.wire.link import HIGH_WATER_BYTES, LOW_WATER_BYTES, Link, Pause

Held = bytes | Callable[[], None]


class Sluice:
    """One direction of a session."""

    __slots__ = ("_held", "_link", "_notary", "_octets", "_source")

    def __init__(self, notary: Notary) -> None:
        self._notary = notary
        notary.pass_on = self._pass_on
        self._source: Link | None = None
        self._link: Link | None = None
        self._held: list[tuple[int, Held]] = []
        """What waits, with the number of the last message in it."""
        self._octets = 0

    def join(self, source: Link | None, link: Link | None) -> None:
        """From here on what is read from `source`, which is wired to `link`, goes there by way of here."""
        self._source, self._link = source, link
        if source is not None and link is not None:
            source.forward = self.take
        self._press()

    def take(self, data: bytes) -> None:
        """The relay lets this pass."""
        if self._link is not None and not self._held and not self._notary.waits:
            self._link.write(data)
            return
        self._held.append((self._notary.count, data))
        self._octets += len(data)
        if self._octets > HIGH_WATER_BYTES:
            self._press()

    def afterwards(self, order: Callable[[], None]) -> None:
        """Do this once all that came before is passed on; while there is nobody to pass it on to: once the store has
        it."""
        if self._notary.waits or (self._held and self._link is not None):
            self._held.append((self._notary.count, order))
        else:
            order()

    def begin_with(self, replay: list[bytes], *, first: int) -> None:
        """Another link carries the leg, or the same one goes on, and is given the messages from number `first` on: of
        what waits, those go with it."""
        before = self._held
        self._held = [(number, held) for number, held in before if number < first]
        if replay:
            self._held.append((self._notary.count, b"".join(replay)))
        # Whoever asked whether they are here is told all the same, once they are.
        self._held += [(self._notary.count, held) for number, held in before if number >= first and callable(held)]
        self._octets = sum(len(held) for _, held in self._held if isinstance(held, bytes))
        if not self._notary.waits:
            self._pass_on(self._notary.count)
        self._press()

    def flush(self) -> None:
        """The session ends here: nobody can come back to it, and nothing waits any longer."""
        self._pass_on(self._notary.count)

    def _pass_on(self, through: int) -> None:
        if self._link is None:
            self._answer(through)
            return
        if not self._held:
            return
        out: list[bytes] = []
        done = 0
        for number, held in self._held:
            if number > through:
                break
            done += 1
            if isinstance(held, bytes):
                out.append(held)
            else:
                held()
        del self._held[:done]
        if out:
            data = b"".join(out)
            self._octets -= len(data)
            self._link.write(data)
            self._press()

    def _answer(self, through: int) -> None:
        """Nobody is there: a client that asks is told all the same, or it would take its edge for dead."""
        before, self._held = self._held, []
        for number, held in before:
            if number <= through and callable(held):
                held()
            else:
                self._held.append((number, held))

    def _press(self) -> None:
        if self._source is None:
            return
        if self._octets > HIGH_WATER_BYTES:
            self._source.pause(Pause.UNSTORED)
        elif self._octets <= LOW_WATER_BYTES:
            self._source.resume(Pause.UNSTORED)
