"""The judge: what a client and the nodes recorded, against what the promises say."""

from collections import Counter
from collections.abc import Iterable

from tests.support.clients import Talker
from tests.support.nodes import NodeProcess


def exactly_once(client: Talker, *, lost: Iterable[int] = ()) -> None:
    """P2, with a node that reports checkpoints: see tests/support/conversation.py for why this is enough.

    lost: the numbers of node messages whose loss was announced to the client. Raises AssertionError.
    """
    gone = set(lost)
    numbers = [message["m"] for message in client.heard]
    wanted = [number for number in range(1, client.owed + 1) if number not in gone]
    assert numbers == wanted, f"node messages: {differences(numbers, wanted)}"
    order = [(message["n"], turn) for message in client.said for turn in range(message["say"])]
    total, sums = 0, {}
    for message in client.said:
        total += message["n"]
        sums[message["n"]] = total
    for message in client.heard:
        n, turn = order[message["m"] - 1]
        assert (message["n"], message["i"]) == (n, turn), f"out of order: {message}, not answer {turn} to {n}"
        assert message["sum"] == sums[n], f"processed wrongly before {n}: sum {message['sum']}, not {sums[n]}"
    epochs = [message["epoch"] for message in client.heard if "epoch" in message]
    assert epochs == sorted(epochs), f"a stale owner was heard: epochs {epochs}"


def differences(numbers: list[int], wanted: list[int]) -> str:
    """What is missing, double or out of order, in words."""
    doubled = [number for number, times in Counter(numbers).items() if times > 1]
    missing = sorted(set(wanted) - set(numbers))
    strange = sorted(set(numbers) - set(wanted))
    ordered = numbers == sorted(numbers)
    return f"missing {missing[:20]}, doubled {doubled[:20]}, unasked {strange[:20]}, ordered {ordered}"


def at_most_once(client: Talker, nodes: Iterable[NodeProcess]) -> None:
    """P2, with plain nodes and unsafe messages: none was given to two nodes, nor twice to one."""
    given = Counter(number for node in nodes for number in node.numbers())
    doubled = {number: times for number, times in given.items() if times > 1}
    assert not doubled, f"client messages delivered more than once: {doubled}"
    assert set(given) <= {message["n"] for message in client.said}


def at_least_once(client: Talker, nodes: Iterable[NodeProcess]) -> None:
    """P2, where the journal is replayed: every message was given to some node."""
    given = {number for node in nodes for number in node.numbers()}
    missing = {message["n"] for message in client.said} - given
    assert not missing, f"client messages never delivered: {sorted(missing)}"
