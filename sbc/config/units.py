"""Durations (`250ms`, `15m`, `8h`) and sizes (`64KiB`, `10MB`): text -> seconds and bytes.

A bare number is a fault, for nobody can see whether 30 means seconds or milliseconds; only 0 needs no unit.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from sbc.config.faults import Wrong

SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES: Final = {"B": 1, "KB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20, "GB": 10**9, "GiB": 2**30}

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,15})(B|[KMG]i?B)")
_LOOSE = re.compile(r"([0-9]{1,15}) *([A-Za-z]{1,3})")


def seconds(value: Any) -> float:
    """A duration in seconds. Raises Wrong."""
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        number, unit = match.groups()
        # Divided, not multiplied by 0.001, so that 300ms is 0.3 to the last bit.
        return float(number) / 1000 if unit == "ms" else float(number) * SECONDS[unit]
    return float(_unitless(value, SECONDS, "a duration", "250ms, 30s, 15m or 8h", "s"))


def octets(value: Any) -> int:
    """A size in bytes. Raises Wrong."""
    if isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        number, unit = match.groups()
        return int(number) * BYTES[unit]
    return _unitless(value, BYTES, "a size", "64KiB, 1MiB or 10MB", "B")


def _unitless(value: Any, units: Mapping[str, float], noun: str, examples: str, usual: str) -> int:
    """0, which needs no unit; anything else is wrong, and what was probably meant is told."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        if value == 0:
            return 0
        raise Wrong("no unit", f"write {value}{usual}, or {noun} such as {examples}")
    if isinstance(value, str) and (match := _LOOSE.fullmatch(value)):
        number, unit = match.groups()
        meant = [known for known in units if known.lower() in (unit.lower(), unit.lower() + "b", unit.lower() + "ib")]
        if meant:
            raise Wrong(f"not {noun}", "write " + " or ".join(number + known for known in meant))
    raise Wrong(f"not {noun}", f"{noun} such as {examples}")


@dataclass(frozen=True, slots=True)
class _Measure:
    """A pydantic type: a number with a unit, within bounds that are written the same way."""

    least: str | int
    most: str

    def accept(self, value: Any) -> float:
        raise NotImplementedError

    def within(self, value: Any, read: Callable[[Any], float]) -> float:
        """The number that `value` stands for. Raises Wrong outside the bounds."""
        number = read(value)
        if number < read(self.least):
            raise Wrong("too small", f"at least {self.least}")
        if number > read(self.most):
            raise Wrong("too large", f"at most {self.most}")
        return number

    def schema(self, pattern: re.Pattern[str]) -> dict[str, Any]:
        """What an editor is told of it."""
        unit: dict[str, Any] = {"type": "string", "pattern": f"^{pattern.pattern}$"}
        form = {"anyOf": [unit, {"const": 0}]} if self.least == 0 else unit
        return {**form, "$comment": f"{self.least} to {self.most}"}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.accept)


@dataclass(frozen=True, slots=True)
class Duration(_Measure):
    """`Annotated[float, Duration("50ms", "1h")]`: seconds."""

    def accept(self, value: Any) -> float:
        return self.within(value, seconds)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**self.schema(_DURATION), "examples": ["250ms", "30s", "15m"]}


@dataclass(frozen=True, slots=True)
class Size(_Measure):
    """`Annotated[int, Size("1B", "64MiB")]`: bytes."""

    def accept(self, value: Any) -> int:
        return int(self.within(value, octets))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**self.schema(_SIZE), "examples": ["64KiB", "1MiB", "10MB"]}
