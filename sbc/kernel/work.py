"""What the warden does with orders: one Work for each part of the kernel."""

from typing import Protocol

from sbc.kernel.orders import Order


class Work(Protocol):
    """One part of the kernel. What it changes bears a mark of ours there, so that it is found again after a crash."""

    def takes(self, order: Order) -> bool:
        """Whether the order is this part's."""

    def do(self, edge: int, order: Order) -> None:
        """Carry it out for an edge, by the number of its connection. Raises OrderError, and nothing has changed."""

    def undo(self, edge: int) -> None:
        """Take back all that this edge has ordered: it is gone. Never raises."""

    def clear(self) -> None:
        """Take back whatever bears our mark: at the start (what a warden left that was killed) and at the end."""

    def look(self, now: float) -> float:
        """Do what is due by `now`, of the monotonic clock; when there is something next, infinity: never. Never
        raises."""
