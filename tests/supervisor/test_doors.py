"""The sockets of all workers."""

import socket
from collections.abc import Callable

import pytest

from sbc.config import Address, Listener
from sbc.supervisor import doors
from sbc.transports.entrance import DoorTerms
from sbc.transports.sockets import bind, bind_datagrams

BOTH = DoorTerms(frozenset({"websocket", "http1", "quic"}))


def listener(port: int = 0) -> Listener:
    return Listener("l", Address("127.0.0.1", port), (), None, 0, "off", (), "auto")


def test_each_worker_has_its_own_on_one_port() -> None:
    opened = doors.open_doors(listener(), BOTH, 3)
    assert [[sock.type for sock in of_worker] for of_worker in opened] == [
        [socket.SOCK_STREAM, socket.SOCK_DGRAM]] * 3
    assert len({sock.getsockname() for of_worker in opened for sock in of_worker}) == 1
    port = doors.ports_of({"l": opened})["l"]
    with socket.create_connection(("127.0.0.1", port)):
        pass  # it waits at one of them
    with pytest.raises(OSError, match="in use"):
        doors.open_doors(listener(port), BOTH, 2)
    fewer = doors.needed(opened, DoorTerms(frozenset({"websocket"})))
    assert [len(of_worker) for of_worker in fewer] == [1, 1, 1] and opened[0][1].fileno() == -1
    doors.close(fewer)
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize("make", [bind, bind_datagrams])
def test_a_port_that_somebody_has_is_not_shared(make: Callable[..., socket.socket]) -> None:
    with make("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        if taken.type == socket.SOCK_STREAM:
            taken.listen()
        doors.open_doors(listener(taken.getsockname()[1]), BOTH, 2)


def test_sockets_of_the_service_manager_are_taken_as_they_are() -> None:
    streams = [bind("127.0.0.1", 0) for _ in range(2)]
    datagrams = [bind_datagrams("127.0.0.1", 0, shared=True) for _ in range(2)]
    assert doors.taken_over([*streams, *datagrams], 2) == [[streams[0], datagrams[0]], [streams[1], datagrams[1]]]
    shared = doors.taken_over([streams[0], datagrams[0]], 3)
    assert shared == [[streams[0], datagrams[0]], [streams[0]], [streams[0]]]
    for sock in (*streams, *datagrams):
        sock.close()
