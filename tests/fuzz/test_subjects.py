"""A short run of every fuzzer; `make fuzz` is the long one. What once broke something is a seed from then on."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.subjects import SUBJECTS

EXAMPLES = 60
SPLICES = [b"", b"\0", b"\xff", b"\r\n", b"\n", b" ", b":", b",", b"0", b"9" * 20, b"[" * 40, b'"', b"\xfe\xfd", b"%00",
           b"\xed\xa0\x80", b"NaN", b"-1", b"1e999", b"null", b"\xe2\x80\xa8"]  # fmt: skip


def spoilt(seed: bytes) -> st.SearchStrategy[bytes]:
    """A seed with a few places changed, cut out, doubled, or something put in."""
    edit = st.tuples(st.integers(0, len(seed)), st.integers(0, 8), st.sampled_from(SPLICES) | st.binary(max_size=6))
    return st.lists(edit, max_size=5).map(lambda edits: _edited(seed, edits))


def _edited(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for at, gone, put in edits:
        seed = seed[:at] + put + seed[at + gone :]
    return seed


@pytest.mark.parametrize("name", SUBJECTS)
def test_nothing_that_comes_breaks_it(name: str) -> None:
    subject = SUBJECTS[name]
    for seed in subject.seeds:
        subject.run(seed)

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(subject.seeds).flatmap(spoilt) | st.binary(max_size=60))
    def fuzz(data: bytes) -> None:
        subject.run(data)

    fuzz()
