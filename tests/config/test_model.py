"""Addresses: how they read, who reaches them, which cannot stand together."""

import pytest

from sbc.config import Address


def test_an_address_reads_as_it_is_written() -> None:
    assert str(Address("127.0.0.1", 80)) == "127.0.0.1:80"
    assert str(Address("::1", 80)) == "[::1]:80"


@pytest.mark.parametrize(("host", "loopback"), [
    ("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("192.0.2.1", False),
])
def test_loopback(host: str, loopback: bool) -> None:
    assert Address(host, 80).loopback is loopback


@pytest.mark.parametrize(("one", "other", "clash"), [
    (("127.0.0.1", 80), ("127.0.0.1", 80), True), (("127.0.0.1", 80), ("127.0.0.1", 81), False),
    (("127.0.0.1", 80), ("0.0.0.0", 80), True), (("::1", 80), ("::", 80), True), (("::", 80), ("0.0.0.0", 80), False),
    (("127.0.0.1", 80), ("127.0.0.2", 80), False), (("127.0.0.1", 0), ("127.0.0.1", 0), False),
])
def test_clashes(one: tuple[str, int], other: tuple[str, int], clash: bool) -> None:
    assert Address(*one).clashes(Address(*other)) is clash
    assert Address(*other).clashes(Address(*one)) is clash
