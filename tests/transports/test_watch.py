"""The clock's side of a connection with streams: pure, the time is an argument."""

from sbc.transports.watch import SLOWEST, Due, Times, Watch

TIMES = Times(look=1.0, ping=20.0, idle=60.0)


def test_a_connection_whose_streams_are_shorter_than_the_looks_is_not_idle() -> None:
    watch = Watch(TIMES, 0.0)
    for second in range(1, 200):
        assert watch.look(float(second), 0, begun=second // 30) is Due.NOTHING
    assert watch.look(239.0, 0, begun=6) is Due.NOTHING
    assert watch.look(240.0, 0, begun=6) is Due.LEAVE


def test_a_connection_without_streams_is_left_in_the_end() -> None:
    watch = Watch(TIMES, 0.0)
    assert watch.look(59.0, 0, begun=0) is Due.NOTHING
    watch.heard = True  # a sign of life is no use of it
    assert watch.look(60.0, 0, begun=0) is Due.LEAVE


def test_a_body_has_to_come_at_some_rate() -> None:
    watch, enough = Watch(TIMES, 0.0), int(SLOWEST * TIMES.stall)
    assert watch.late(0.0, {1: 0, 3: 0, 5: 0}) == []
    assert watch.late(TIMES.stall - 1, {1: 10, 3: 10}) == []
    assert watch.late(TIMES.stall, {1: enough - 1, 3: enough, 5: 0}) == [1], "5 was not waited for meanwhile"
    assert watch.late(2 * TIMES.stall, {3: 2 * enough - 1, 5: enough}) == [3]


def test_one_with_streams_is_asked_whether_it_lives_and_then_given_up() -> None:
    watch = Watch(TIMES, 0.0)
    assert watch.look(1.0, 1, begun=1) is Due.NOTHING
    assert watch.look(21.0, 1, begun=1) is Due.PING
    watch.heard = True
    assert watch.look(22.0, 1, begun=1) is Due.NOTHING
    assert watch.look(42.0, 1, begun=1) is Due.PING
    assert watch.look(62.0, 1, begun=1) is Due.DROP
