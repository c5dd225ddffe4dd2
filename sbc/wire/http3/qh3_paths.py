"""Where a client is, as qh3's core has to be told so that it follows the client back to a former address.

The core (2.1.0) proves each address once, by a PATH_CHALLENGE when it first sees it (RFC 9000 section 8.2), and goes
there when that is answered. To an address that it has left it never goes again: what comes from there is read, and the
answers go where nobody is any more. So an address that was left and is come from again is told to it by another name:
it proves that, and goes there as to any new one (sections 9.3 and 9.4). It takes a place in its table of paths, too.

Of the packets' order, by which section 9.3 tells one that was late on its way from one of a client that is back,
nothing is seen from here. A client is back if nothing has come for QUIET from where it is supposed to be. Were it only
late after all, a challenge would be sent that nobody answers.
"""

from typing import Final

from sbc.wire.http3.engine import Address

QUIET: Final = 0.25
"""Seconds."""
_MAPPED: Final = "::ffff:"
"""What an IPv4 address begins with that is written as one of IPv6 (RFC 4291 section 2.5.5.2)."""


class Paths:
    """Those of one connection."""

    __slots__ = ("_heard", "_left", "_name", "_names", "_number", "where")

    def __init__(self, where: Address) -> None:
        self.where = where
        """Where the client is."""
        self._name = where
        """What the core calls that."""
        self._names: dict[Address, Address] = {}
        """What the core calls, or has to call from now on, each address where the client has been before."""
        self._left: set[Address] = set()
        """Those that it knows by this name, and does not go to any more."""
        self._number = 0
        self._heard = 0.0
        """When something has last come from where the client is."""

    def named(self, source: Address, now: float) -> Address:
        """What the core has to be told of where a datagram comes from."""
        if source == self.where:
            self._heard = now
            return self._name
        if source in self._left and now - self._heard > QUIET:
            self._left.discard(source)
            self._number += 1
            self._names[source] = _alias(source, self._number)
        return self._names.get(source, source)

    def moved(self, name: Address) -> bool:
        """The core sends to this address now. Whether that is another than before."""
        if name == self._name:
            return False
        self._names[self.where] = self._name
        self._left.add(self.where)
        self.where, self._name = self.real(name), name
        self._left.discard(self.where)
        return True

    def real(self, name: Address) -> Address:
        """The address that the core calls so."""
        if len(name) == len(self.where):
            return name if len(name) == 2 else (name[0], name[1], 0, name[3])
        return name[0].removeprefix(_MAPPED), name[1]


def _alias(address: Address, number: int) -> Address:
    """Another name of an address: that of its IPv6 form with a flow label, which no address of a socket's has."""
    if len(address) == 2:
        return _MAPPED + address[0], address[1], number, 0
    return address[0], address[1], number, address[3]
