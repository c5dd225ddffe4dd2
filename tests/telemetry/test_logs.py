"""Log lines, as a log shipper reads them."""

import io
import logging
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from sbc.model.leg import State
from sbc.telemetry import logs
from tests.support.wait import PATIENCE


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The root logger belongs to pytest: give it back as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = before
    root.setLevel(level)


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def logged(*, level: str = "info", **fields: object) -> dict[str, Any]:
    stream = io.StringIO()
    writer = logs.setup(level, stream)
    logs.get("sbc.dialogs").info("session_moved", **fields)
    writer.close()
    assert stream.getvalue().count("\n") == 1
    return lines_of(stream)[0]


def test_a_line_is_one_event() -> None:
    line = logged(session="s1", gap=0.25, lost=0, node=None, state=State.HELD)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {"level": "info", "logger": "sbc.dialogs", "event": "session_moved",
                    "session": "s1", "gap": 0.25, "lost": 0, "node": None, "state": "held"}


def test_fields_cannot_take_the_place_of_the_head() -> None:
    line = logged(event="other", logger="x", session="s")
    assert (line["event"], line["logger"]) == ("session_moved", "sbc.dialogs")


@pytest.mark.parametrize("hostile", [
    "a\nb", "\x1b[31mred", "\x9b31mred", "\x7f", "\u202egnp", "\u2028x", 'q"}{"', b"\xff\x00\n", "\udcff",
])
def test_what_a_client_sent_stays_in_its_string(hostile: str | bytes) -> None:
    stream = io.StringIO()
    writer = logs.setup("info", stream)
    logs.get("sbc").info("refused", path=hostile)
    writer.close()
    line = stream.getvalue()
    assert line.endswith("}\n")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", line)
    assert line.count("\n") == 1
    assert orjson.loads(line)["event"] == "refused"


@pytest.mark.parametrize("long", ["x" * 5000, b"x" * 5000, ["x" * 5000], {"k": "x" * 5000}])
def test_long_strings_are_cut(long: object) -> None:
    line = logged(value=long)["value"]
    text = line if isinstance(line, str) else next(iter(line.values() if isinstance(line, dict) else line))
    assert len(text) == logs.LONGEST
    assert text.endswith("…")


@pytest.mark.parametrize(("odd", "plain"), [
    (2**80, str(2**80)), (float("nan"), None), ({1: object}, {"1": "<class 'object'>"}), ((1, 2), [1, 2]),
])
def test_anything_can_be_logged(odd: object, plain: object) -> None:
    assert logged(value=odd)["value"] == plain


def test_the_level_is_kept() -> None:
    stream = io.StringIO()
    writer = logs.setup("warning", stream)
    log = logs.get("sbc")
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d")
    writer.close()
    assert [line["event"] for line in lines_of(stream)] == ["c", "d"]


def test_a_fault_of_our_own_has_its_traceback() -> None:
    stream = io.StringIO()
    writer = logs.setup("info", stream)
    try:
        raise ValueError("that was it")
    except ValueError as error:
        logs.get("sbc.tasks").crash("task_crashed", error, task="probe")
    writer.close()
    line = lines_of(stream)[0]
    assert line["task"] == "probe"
    assert line["trace"].endswith("ValueError: that was it")


def test_other_libraries_speak_json_too() -> None:
    stream = io.StringIO()
    writer = logs.setup("info", stream)
    logging.getLogger("aiohttp.server").error("Error %s", "here")
    writer.close()
    line = lines_of(stream)[0]
    assert (line["logger"], line["event"], line["message"]) == ("aiohttp.server", "log", "Error here")


def test_a_person_gets_a_short_line() -> None:
    stream = io.StringIO()
    writer = logs.setup("info", stream, short=True)
    logs.get("sbc.nodes").warning("node_down", node="tutors/a", why="\x1b[2J")
    writer.close()
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d\.\d{3} warning node_down node="tutors/a" why="\\u001b\[2J"\n', stream.getvalue())


def test_every_line_bears_the_marks() -> None:
    stream = io.StringIO()
    writer = logs.setup("info", stream, marks={"worker": 1})
    logs.get("sbc").info("said", worker=2)
    logging.getLogger("other").warning("by a library")
    writer.close()
    logs.setup("info", stream).close()
    assert [orjson.loads(line)["worker"] for line in stream.getvalue().splitlines()] == [1, 1]


def test_a_second_setup_takes_the_place_of_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.setup("info", first)
    writer = logs.setup("info", second)
    logs.get("sbc").info("once")
    writer.close()
    assert first.getvalue() == ""
    assert len(lines_of(second)) == 1


def test_a_stream_that_is_not_read_blocks_nobody_and_the_loss_is_told() -> None:
    reader, writer_end = os.pipe()
    with os.fdopen(writer_end, "w") as stream, os.fdopen(reader, "rb") as pipe:
        writer = logs.Writer(stream, logs.JsonLines(), backlog=8)
        logging.getLogger().addHandler(writer)
        logging.getLogger().setLevel("INFO")
        log = logs.get("sbc")
        sent = 2000
        for number in range(sent):  # far more than the pipe and the queue hold: would hang here
            log.info("busy", number=number, filling="x" * 400)
        assert writer.dropped > 0
        got: list[dict[str, Any]] = []
        told = threading.Event()

        def read() -> None:
            for line in pipe:
                got.append(orjson.loads(line))
                if sum(line.get("lines", 1) for line in got) >= sent:
                    told.set()
                    return

        shipper = threading.Thread(target=read, daemon=True)
        shipper.start()
        assert told.wait(PATIENCE), "the lines and the dropped ones do not add up"
        assert any(line["event"] == "log_lines_dropped" for line in got)
        shipper.join(PATIENCE)
        writer.close()


def test_a_reader_that_went_away_is_no_fault() -> None:
    reader, writer_end = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer_end, "w")
    writer = logs.setup("info", stream)
    for _ in range(3):
        logs.get("sbc").info("nobody")
    writer.close()
    assert writer.dropped > 0
    with pytest.raises(OSError, match="Broken pipe"):
        stream.close()
