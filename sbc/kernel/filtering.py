"""Filtering (nft(8)): what comes from a source that is blocked is dropped before the kernel does anything for it.

    table inet sbc_blocked:  sets `ipv4` and `ipv6`, whose elements run out by themselves  <── input hook: drop

The table bears a name that nobody else uses, so a warden finds what one before it left. Rules of others are not
touched, and none of them can let in what is dropped here. libnftables (Debian: libnftables1) puts them there: names of
ours, addresses and numbers are all that stands in what it is told.
"""

import ctypes
from ipaddress import ip_address
from math import inf
from typing import Final

from sbc.kernel.orders import Block, Order, OrderError, Unblock
from sbc.telemetry import logs

log = logs.get("sbc.kernel")

LIBRARY: Final = "libnftables.so.1"
MOST_BLOCKED: Final = 65_536
TABLE: Final = "inet sbc_blocked"
_GONE: Final = f"add table {TABLE}; delete table {TABLE}"
_MADE: Final = f"""add table {TABLE}
add set {TABLE} ipv4 {{ type ipv4_addr; flags timeout; size {MOST_BLOCKED}; }}
add set {TABLE} ipv6 {{ type ipv6_addr; flags timeout; size {MOST_BLOCKED}; }}
add chain {TABLE} input {{ type filter hook input priority raw; policy accept; }}
add rule {TABLE} input ip saddr @ipv4 counter drop
add rule {TABLE} input ip6 saddr & ffff:ffff:ffff:ffff:: @ipv6 counter drop
"""


class Filtering:
    """Implements Work."""

    def __init__(self) -> None:
        self._nft: _Nft | None = None
        self._made = False
        """Whether our table is there."""
        self._blocked: dict[str, int] = {}
        """Who is, and the edge that ordered it last; the first to be ordered first."""

    def takes(self, order: Order) -> bool:
        return isinstance(order, Block | Unblock)

    def do(self, edge: int, order: Order) -> None:
        match order:
            case Block(source, seconds):
                if len(self._blocked) >= MOST_BLOCKED and source not in self._blocked:
                    self._take_back(next(iter(self._blocked)))
                self._make()
                # Again is no fault, and begins the time anew.
                self._run(f"{_add(source)}\n{_delete(source)}\n{_add(source, seconds)}")
                self._blocked.pop(source, None)
                self._blocked[source] = edge
            case Unblock(source):
                self._take_back(source)
            case _:
                raise AssertionError(order)

    def undo(self, edge: int) -> None:
        try:
            for source in [source for source, by in self._blocked.items() if by == edge]:
                self._take_back(source)
        except OrderError as error:
            log.error("filtering_not_undone", why=str(error))

    def clear(self) -> None:
        self._blocked.clear()
        try:
            self._run(_GONE)
        except OrderError as error:
            # Without the library there is nothing of ours either, and whoever orders it is told.
            log.warning("filtering_not_there", why=str(error))
        self._made = False

    def look(self, now: float) -> float:
        return inf

    def _make(self) -> None:
        if not self._made:
            self._run(_MADE)
            self._made = True

    def _take_back(self, source: str) -> None:
        """Harmless if its time was over already."""
        if self._blocked.pop(source, None) is not None:
            self._run(f"{_add(source)}\n{_delete(source)}")

    def _run(self, text: str) -> None:
        """Whole or not at all. Raises OrderError."""
        if self._nft is None:
            self._nft = _Nft()
        self._nft.run(text)


def _add(source: str, seconds: int | None = None) -> str:
    timeout = "" if seconds is None else f" timeout {seconds}s"
    return f"add element {TABLE} {_set_of(source)} {{ {source}{timeout} }}"


def _delete(source: str) -> str:
    return f"delete element {TABLE} {_set_of(source)} {{ {source} }}"


def _set_of(source: str) -> str:
    return f"ipv{ip_address(source).version}"


class _Nft:
    """libnftables."""

    def __init__(self) -> None:
        """Raises OrderError."""
        try:
            library = ctypes.CDLL(LIBRARY)
        except OSError:
            raise OrderError(f"{LIBRARY} is not installed (Debian: libnftables1)") from None
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        for name in ("nft_ctx_buffer_error", "nft_ctx_buffer_output", "nft_ctx_get_error_buffer"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        self._library = library
        self._state = library.nft_ctx_new(0)
        if not self._state or library.nft_ctx_buffer_error(self._state) or library.nft_ctx_buffer_output(self._state):
            raise OrderError(f"{LIBRARY} does not start")

    def run(self, text: str) -> None:
        """Raises OrderError with what it says of it."""
        if self._library.nft_run_cmd_from_buffer(self._state, text.encode()):
            said = self._library.nft_ctx_get_error_buffer(self._state).decode(errors="replace")
            raise OrderError(f"nftables: {said.partition(chr(10))[0]}")
