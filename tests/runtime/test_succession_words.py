"""Sessions as a process tells them to its successor: nothing is lost on the way."""

import json
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.model.binding import Binding, Checkpoint
from sbc.model.identity import Revocation, Revoked
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.runtime.succession.words import (
    journals_in,
    journals_out,
    revocation_in,
    revocation_out,
    stored_in,
    stored_out,
)

COUNTS = st.integers(0, 2**50)
ANY_TEXT = st.text(st.characters(codec="utf-8"))
STATES = st.none() | st.text(st.characters(min_codepoint=0xD700, max_codepoint=0xE000))
"""Half surrogate pairs among them."""
CHECKPOINTS = st.none() | st.builds(Checkpoint, COUNTS, COUNTS, STATES, st.none() | st.dictionaries(COUNTS, COUNTS))
SESSIONS = st.builds(
    Stored,
    st.builds(Binding, ANY_TEXT.map(SessionId), ANY_TEXT.map(NodeId), st.none() | ANY_TEXT.map(NodeId), COUNTS),
    ANY_TEXT.map(AgentName), ANY_TEXT, ANY_TEXT.map(PrincipalId), st.floats(0, 1e10), CHECKPOINTS,
    st.lists(st.tuples(ANY_TEXT, ANY_TEXT)).map(tuple),
)
RUNS = st.tuples(COUNTS, st.lists(st.binary()))


def over(said: Any) -> Any:
    """As it comes out of the channel."""
    return json.loads(json.dumps(said, allow_nan=False))


@given(SESSIONS)
def test_a_session(stored: Stored) -> None:
    assert stored_in(over(stored_out(stored))) == stored


@given(RUNS, RUNS, ANY_TEXT)
def test_its_messages(from_client: Any, from_node: Any, memory: str) -> None:
    journals = Journals(from_client, from_node, memory)
    assert journals_in(over(journals_out(journals))) == journals


@pytest.mark.parametrize("until", [2.5, inf])
@pytest.mark.parametrize("kind", Revoked)
def test_a_revocation(kind: Revoked, until: float) -> None:
    revocation = Revocation(kind, "who", 1.5, until)
    assert revocation_in(over(revocation_out(revocation))) == revocation
