"""A short run of the fuzzer; longer ones are made by hand (quic_fuzz.py)."""

from tests.hostile.quic_fuzz import fuzz
from tests.hostile.quic_ground import QuicGround, withstood


async def test_spoilt_datagrams_do_no_harm(quic: QuicGround) -> None:
    async with withstood(quic):
        took = await fuzz(quic, 0, seconds=5, rounds=100)
    assert took["rounds"] > 20
