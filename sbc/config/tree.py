"""YAML text -> plain values, and where each of them stands.

The tree is built from the parser's events, on a stack of our own, because the text is not trusted: depth, size and
the expansion of aliases are bounded, and there is no tag that could make anything but text, numbers, booleans and
null. Plain scalars are read by the core schema of YAML 1.2 (section 10.3.2): `on`, `off`, `no` and `12:30` stay text.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml import CSafeLoader

from sbc.config.faults import Fault, Path, Position, fault

TEXT_LIMIT: Final = 1024 * 1024
"""Characters of a configuration."""
DEPTH_LIMIT: Final = 24
VALUE_LIMIT: Final = 50_000
"""Values of a configuration, with everything that its aliases stand for."""

START: Final = Position(1, 1)

_CORE_SCALARS: Final = {"": None, "~": None, "null": None, "Null": None, "NULL": None,
                        "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Longer numbers than these mean nothing here, and Python refuses to convert very long ones.
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,3})?")

_SYNTAX_HINTS: Final = (
    ("cannot start any token", "indent with spaces, not tabs, and quote a value that begins with @, ` or %"),
    ("mapping values are not allowed",
     'quote a text that holds ": " or ends with ":", such as "memory:", or mend the indentation'),
    ("unexpected ':'", 'quote a text with ":" in it, such as "memory:"'),
    ("expected node content", 'quote a value that begins with [, {, *, & or !, such as "[::1]:8080"'),
    ("quoted scalar", "close the quotes"),
    ("control characters", "plain text in UTF-8"),
)


class Unreadable(Exception):
    """The text is no YAML that can be used; there is no tree."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults)
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Tree:
    """The plain values, where each begins and where its key stands, and what was wrong on the way."""

    value: Any
    values: Mapping[Path, Position]
    keys: Mapping[Path, Position]
    faults: tuple[Fault, ...]

    def position(self, path: Path) -> Position:
        """Where the value at `path` begins; if nothing is written there, where what would hold it begins."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, START)

    def key_position(self, path: Path) -> Position:
        """Where the key at the end of `path` stands, or the value if it has none."""
        return self.keys.get(path) or self.position(path)


@dataclass(slots=True)
class _Place:
    """A value as written: a scalar, a list of places, or a mapping of keys to places."""

    position: Position
    value: Any = None
    children: dict[str | int, tuple[Position, "_Place"]] = field(default_factory=dict)
    """By key or by number in the list, with the place of the key."""
    kind: type = object
    size: int = 1
    height: int = 1
    anchor: str | None = None

    def add(self, key: str | int, position: Position, child: "_Place") -> None:
        self.children[key] = (position, child)
        self.size += child.size
        self.height = max(self.height, child.height + 1)


def read(text: str) -> Tree:
    """The tree of a YAML document. Raises Unreadable."""
    if len(text) > TEXT_LIMIT:
        raise Unreadable(fault(START, (), f"{len(text)} characters", f"at most {TEXT_LIMIT}"))
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unreadable(fault(_at(text, error.start), (), "not a character", "plain text in UTF-8")) from None
    builder = _Builder()
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.YAMLError as error:
        raise Unreadable(*builder.faults, _syntax(error, text)) from None
    except Unreadable as error:
        raise Unreadable(*builder.faults, *error.faults) from None
    if builder.root is None:
        raise Unreadable(fault(START, (), "nothing is written here", "at least listeners, pools, agents and routes"))
    return builder.tree(builder.root)


def _events(text: str) -> Iterator[Any]:
    yield from yaml.parse(text, Loader=CSafeLoader)


def _at(text: str, offset: int) -> Position:
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def _mark(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _syntax(error: yaml.YAMLError, text: str) -> Fault:
    """What the parser did not understand. It stops at the first such place, so there is one at most."""
    if isinstance(error, yaml.MarkedYAMLError):
        what = " ".join(part for part in (error.problem, error.context) if part)
        mark = error.problem_mark or error.context_mark
        position = _mark(mark) if mark else START
    else:
        what = str(getattr(error, "reason", "not readable"))
        # The reader counts bytes of UTF-8.
        offset = int(getattr(error, "position", 0))
        position = _at(text, len(text.encode()[:offset].decode(errors="ignore")))
    right = next((hint for sign, hint in _SYNTAX_HINTS if sign in what), "mend the quotes, brackets or indentation")
    return fault(position, (), f"not YAML: {what}", right)


def scalar(text: str) -> Any:
    """A plain scalar by the core schema: null, boolean, number or text."""
    if text in _CORE_SCALARS:
        return _CORE_SCALARS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


class _Builder:
    """Takes the parser's events and makes one place of them."""

    def __init__(self) -> None:
        self.root: _Place | None = None
        self.faults: list[Fault] = []
        self._open: list[_Place] = []
        self._keys: list[tuple[str, Position] | None] = []
        self._anchors: dict[str, _Place] = {}
        self._documents = 0
        self._values = 0

    def take(self, event: Any) -> None:
        """One event, in order. Raises Unreadable if a bound is passed."""
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise Unreadable(fault(_mark(event.start_mark), (), "a second document", "one document a file"))
            case yaml.ScalarEvent():
                self._check_tag(event)
                plain = bool(event.implicit[0])
                self._begin(_Place(_mark(event.start_mark), event.value, anchor=event.anchor), plain)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check_tag(event)
                kind = dict if isinstance(event, yaml.MappingStartEvent) else list
                self._descend(_Place(_mark(event.start_mark), kind=kind, anchor=event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._keys.pop()
                self._finish(self._open.pop())
            case yaml.AliasEvent():
                self._alias(event)

    def tree(self, root: _Place) -> Tree:
        """The plain values of the whole, with their places."""
        values: dict[Path, Position] = {}
        keys: dict[Path, Position] = {}

        def plain(place: _Place, path: Path) -> Any:
            values[path] = place.position
            if place.kind is object:
                return place.value
            for key, (position, _) in place.children.items():
                keys[(*path, key)] = position
            children = {key: plain(child, (*path, key)) for key, (_, child) in place.children.items()}
            return children if place.kind is dict else list(children.values())

        value = plain(root, ())
        return Tree(value, values, keys, tuple(self.faults))

    def _path(self) -> Path:
        steps: list[str | int] = []
        for place, key in zip(self._open, self._keys, strict=True):
            if place.kind is list:
                steps.append(len(place.children))
            elif key is not None:
                steps.append(key[0])
        return tuple(steps)

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            self.faults.append(fault(_mark(event.start_mark), self._path(), "a tag", "leave it out", event.tag))

    def _count(self, place: _Place) -> None:
        self._values += place.size
        if self._values > VALUE_LIMIT:
            raise Unreadable(fault(place.position, self._path(), "too many values", f"at most {VALUE_LIMIT}"))
        if len(self._open) + place.height > DEPTH_LIMIT:
            raise Unreadable(fault(place.position, (), "nested too deep", f"at most {DEPTH_LIMIT} levels"))

    def _begin(self, place: _Place, plain: bool) -> None:
        self._count(place)
        if self._wants_key():
            self._key(place)
            return
        if plain:
            place.value = scalar(place.value)
        self._finish(place)

    def _wants_key(self) -> bool:
        return bool(self._open) and self._open[-1].kind is dict and self._keys[-1] is None

    def _descend(self, place: _Place) -> None:
        self._count(place)
        if self._wants_key():
            raise Unreadable(fault(place.position, self._path(), "a key that is no plain text", "one word as the key"))
        self._open.append(place)
        self._keys.append(None)

    def _key(self, place: _Place) -> None:
        self._keys[-1] = (place.value, place.position)
        if place.value in self._open[-1].children:
            first, _ = self._open[-1].children[place.value]
            self.faults.append(fault(place.position, self._path(), "duplicate key",
                                     f"each key once; it stands on line {first.line} already"))

    def _alias(self, event: Any) -> None:
        position = _mark(event.start_mark)
        place = self._anchors.get(event.anchor)
        if place is None or self._wants_key():
            raise Unreadable(fault(position, self._path(), "an alias that stands for no value written before it",
                                   "an anchor such as &name before the alias *name", "*" + event.anchor))
        self._count(place)
        self._finish(place)

    def _finish(self, place: _Place) -> None:
        if place.anchor is not None:
            self._anchors[place.anchor] = place
        if not self._open:
            self.root = place
        elif self._open[-1].kind is list:
            self._open[-1].add(len(self._open[-1].children), place.position, place)
        else:
            self._take_value(place)

    def _take_value(self, place: _Place) -> None:
        key = self._keys[-1]
        self._keys[-1] = None
        # The first of two equal keys is kept; the second is a fault already.
        if key is not None and key[0] not in self._open[-1].children:
            self._open[-1].add(*key, place)
