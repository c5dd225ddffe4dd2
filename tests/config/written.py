"""The least configuration that works, for tests to add to, and what is said about a text."""

import pytest

from sbc.config import parse
from sbc.model.errors import ConfigError

LEAST = """\
listeners: [{name: plain, listen: "127.0.0.1:0"}]
pools: {p: {}}
agents: {a: {pool: p}}
routes: [{agent: a}]
"""


def faults(text: str) -> list[str]:
    """The faults of a text that must have some, under the name `f`."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "f")
    return list(caught.value.faults)


def with_line(line: str) -> str:
    """LEAST with one line more, which is line 5."""
    return LEAST + line + "\n"


def with_section(section: str, line: str) -> str:
    """LEAST with one of its lines replaced, at its place."""
    return "\n".join(line if old.startswith(section + ":") else old for old in LEAST.splitlines())
