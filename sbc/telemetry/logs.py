"""One JSON line per event that matters, written without ever holding up the event loop.

`log = logs.get("sbc.dialogs")`, then `log.info("session_moved", session=..., node=...)`: the first word names the
event, the rest are its fields. A thread makes the lines and writes them: between the two is a bounded
queue; what does not fit is dropped, counted, and the count is logged once there is room.
"""

import logging
import queue
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Final, NamedTuple, TextIO

import orjson

LONGEST = 512
"""Characters of a string that are kept; the tail of a traceback may have eight times as many."""
BACKLOG = 4096
"""Lines that may wait for a slow stream."""
GATHERING = 0.01
"""Seconds that lines are gathered for: waking a thread for each of many costs more than the line."""
PATIENCE = 2.0
"""Seconds that close() waits for the stream."""

# orjson writes these as they are. A terminal may obey C1 controls and bidirectional marks, and some readers of lines
# break them at U+2028: what a client sent is not to do either.
_UNSAFE: Final = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


_AS_THEY_STAND: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


class Event(NamedTuple):
    """What was logged, to be made a line by the thread that writes it: its fields must not change any more."""

    created: float
    logger: str
    level: int
    name: str
    fields: Mapping[str, object]

    def line(self) -> str:
        """Most events are JSON values as they stand, at a fifth of the cost of looking at each."""
        head = {"level": logging.getLevelName(self.level).lower(), "logger": self.logger, "event": self.name,
                **Writer.marks}  # fmt: skip
        moment = {"time": _stamp(self.created)}
        try:
            line = orjson.dumps({**moment, **head, **self.fields, **head}, option=_AS_THEY_STAND).decode()
        except TypeError:
            line = ""
        if line and len(line) <= 2 * LONGEST and not any(map(_long, self.fields.values())):
            return _safe(line)
        return _dump({**moment, **head, **{key: _plain(value) for key, value in self.fields.items()}, **head})


class Log:
    """The typed way into one stdlib logger."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **fields: object) -> None:
        """Log something that only somebody who looks for a fault wants to see."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log an ordinary event."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log what an operator may have to see to."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log what an operator has to see to."""
        self._write(logging.ERROR, event, fields)

    def crash(self, event: str, error: BaseException, /, **fields: object) -> None:
        """Log a fault of our own, with its traceback in the field `trace`."""
        self._write(logging.ERROR, event, fields, error)

    def _write(self, level: int, event: str, fields: Mapping[str, object], error: BaseException | None = None) -> None:
        if not self._logger.isEnabledFor(level):
            return
        writer = Writer.json_lines
        if error is None and writer is not None:
            writer.put(Event(time.time(), self._logger.name, level, event, fields))
        else:
            self._logger.log(level, "%s", event, extra={"sbc_event": event, "sbc_fields": fields}, exc_info=error)


def get(name: str) -> Log:
    """The log of one part of the house: `sbc.dialogs`, `sbc.nodes`."""
    return Log(logging.getLogger(name))


class JsonLines(logging.Formatter):
    """{"time", "level", "logger", "event", ...fields}; records of other libraries are the event `log`."""

    def format(self, record: logging.LogRecord) -> str:
        return _dump({"time": _stamp(record.created), **_fields(record)})


class ShortLines(logging.Formatter):
    """What a person at a terminal reads: `12:30:01.250 warning node_down node="tutors/a"`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).isoformat(sep=" ", timespec="milliseconds")[11:]
        fields = _fields(record)
        trace = fields.pop("trace", None)
        words = [moment, str(fields.pop("level")), str(fields.pop("event"))]
        del fields["logger"]
        words += [f"{_UNSAFE.sub(_escaped, key)}={_dump(value)}" for key, value in fields.items()]
        return " ".join(words) if trace is None else " ".join(words) + f"\n{_UNSAFE.sub(_escaped, str(trace))}"


class Writer(logging.Handler):
    """Hands lines to a thread that writes them; never blocks who logs."""

    json_lines: "Writer | None" = None
    """The one that logs go to, if it writes JSON: most lines need none of what the standard library does for them."""
    marks: Mapping[str, object] = {}
    """What stands in every line: which process of several says it."""

    def __init__(self, stream: TextIO, lines: logging.Formatter, backlog: int = BACKLOG) -> None:
        super().__init__()
        self.setFormatter(lines)
        self.dropped = 0
        """Lines dropped and not yet told of."""
        self._stream = stream
        # Not the handler's own lock, which logging.shutdown() holds while it calls close().
        self._counting = threading.Lock()
        # The one that is written in C and has no bound of its own: the other takes as long as all else of a line.
        self._queue: queue.SimpleQueue[str | Event | None] = queue.SimpleQueue()
        self._backlog = backlog
        # A daemon: a stream that is never read must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        self.put(self.format(record))

    def put(self, line: str | Event) -> None:
        """Queue one line, or what is to become one."""
        if self._queue.qsize() < self._backlog:
            self._queue.put(line)
        else:
            self._drop()

    def close(self) -> None:
        """Write what is queued, for PATIENCE seconds at most."""
        if Writer.json_lines is self:
            Writer.json_lines = None
        self._queue.put(None)
        self._thread.join(PATIENCE)
        super().close()

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            self._put(line if isinstance(line, str) else line.line())
            if self.dropped:
                self._put(self._confession())
            if self._queue.empty():
                time.sleep(GATHERING)

    def _put(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # the reader is gone, or the stream is closed: there is nobody left to tell
            self._drop()

    def _drop(self) -> None:
        with self._counting:
            self.dropped += 1

    def _confession(self) -> str:
        with self._counting:
            dropped, self.dropped = self.dropped, 0
        record = logging.makeLogRecord({
            "name": "sbc.logs", "levelno": logging.WARNING, "levelname": "WARNING",
            "sbc_event": "log_lines_dropped", "sbc_fields": {"lines": dropped},
        })
        return self.format(record)


def setup(level: str, stream: TextIO, *, short: bool = False, marks: Mapping[str, object] | None = None) -> Writer:
    """Send everything that is logged, by us and by the libraries we use, to `stream` from `level` on.

    level: debug | info | warning | error. short: for people at a terminal instead of JSON. marks: what stands in
    every line. Close the Writer at the end.
    """
    writer = Writer(stream, ShortLines() if short else JsonLines())
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
        former.close()
    root.addHandler(writer)
    Writer.json_lines = None if short else writer
    Writer.marks = marks or {}
    root.setLevel(level.upper())
    return writer


def _stamp(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _long(value: object) -> bool:
    return isinstance(value, str) and len(value) > LONGEST


def _fields(record: logging.LogRecord) -> dict[str, object]:
    event = getattr(record, "sbc_event", None)
    head: dict[str, object] = {
        "level": record.levelname.lower(), "logger": record.name, "event": "log" if event is None else event,
        **Writer.marks}
    fields = record.__dict__["sbc_fields"] if event is not None else {"message": record.getMessage()}
    line = {**head, **{key: _plain(value) for key, value in fields.items()}, **head}
    if record.exc_info and record.exc_info[1] is not None:
        line["trace"] = logging.Formatter().formatException(record.exc_info)[-8 * LONGEST:]
    return line


def _plain(value: object) -> object:
    """A JSON value of bounded length, whatever was logged."""
    plain: object
    match value:
        case None | bool() | float():
            plain = value
        case Enum():
            plain = _plain(value.value)
        case int():
            plain = value if abs(value) < 2**63 else str(value)
        case bytes() | bytearray():
            plain = _cut(value[:LONGEST + 1].decode("latin-1"))
        case list() | tuple():
            plain = [_plain(item) for item in value[:LONGEST]]
        case dict():
            plain = {_cut(str(key)): _plain(item) for key, item in list(value.items())[:LONGEST]}
        case _:
            plain = _cut(str(value))
    return plain


def _cut(text: str) -> str:
    text = text if len(text) <= LONGEST else text[:LONGEST - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode()  # lone surrogates, as in undecodable file names


def _dump(value: object) -> str:
    return _safe(orjson.dumps(value).decode())


def _safe(line: str) -> str:
    """JSON that a terminal does not obey. In most lines there is nothing to look for."""
    return line if line.isascii() and "\x7f" not in line else _UNSAFE.sub(_escaped, line)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
