"""What can go wrong, whose fault it is, and whether to try again.

    SbcError
    ├── Refusal         a hello that is answered with an HTTP status before any session exists
    ├── ConfigError     a configuration with faults, all of them listed
    └── StoreError      the store did not do what was asked
        └── Conflict    a compare-and-set met another epoch

The wire codes of docs/DESIGN.md section 5.5 are chosen here and in CloseCode, and nowhere else.
"""

from collections.abc import Sequence
from enum import Enum, IntEnum


class CloseCode(IntEnum):
    """RFC 6455 section 7.4.1 and the IANA registry, as far as the edge sends them."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_TEXT = 1007
    POLICY = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    RESTART = 1012
    TRY_LATER = 1013
    BAD_GATEWAY = 1014
    REPLACED = 4409
    """Another connection of the same client took the session over (private range, after HTTP 409)."""


class Outcome(Enum):
    """Whether a node was reached with what failed: `Session-Outcome`."""

    NOT_SENT = "not-sent"
    UNKNOWN = "unknown"


class SbcError(Exception):
    """The root of everything this package raises on purpose."""


class Refusal(SbcError):
    """A hello that is refused with an HTTP status.

    status: the HTTP status. code: a short name of the reason, for metrics and logs. detail: one sentence for
    the client. retry_after: seconds, or None. outcome: whether a node was reached.
    """

    def __init__(self, status: int, code: str, detail: str, *, retry_after: float | None = None,
                 outcome: Outcome = Outcome.NOT_SENT, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.outcome = outcome
        self.headers = tuple(headers)


class ConfigError(SbcError):
    """A configuration that cannot be used. `faults` has a line `file:line:column: what` for each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class StoreError(SbcError):
    """The store did not do what was asked; it may later."""


class Conflict(StoreError):
    """A compare-and-set met another epoch: somebody else owns the session now."""
