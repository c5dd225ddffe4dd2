"""Retry tokens, and how they are misused."""

from sbc.transports.quic.retry_token import LIFE, RetryTokens

HERE, THERE = ("192.0.2.1", 4433), ("192.0.2.2", 4433)


def test_a_token_and_its_misuses() -> None:
    tokens, others = RetryTokens(), RetryTokens()
    token = tokens.seal(b"original", b"retried", HERE, 100.0)
    assert tokens.ours(token) and not others.ours(token) and not tokens.ours(b"") and len(token) < 70
    assert tokens.open(token, b"retried", HERE, 100.0 + LIFE) == b"original"
    assert tokens.open(token, b"retried", HERE, 101.0 + LIFE) is None, "too old"
    assert tokens.open(token, b"retried", HERE, 99.0) is None, "of another boot"
    assert tokens.open(token, b"retried", THERE, 100.0) is None
    assert tokens.open(token, b"retried", ("192.0.2.1", 4434), 100.0) is None
    assert tokens.open(token, b"another", HERE, 100.0) is None
    assert tokens.open(token[:-1], b"retried", HERE, 100.0) is None
    assert tokens.open(token[:4], b"retried", HERE, 100.0) is None
    assert tokens.open(token[:20] + bytes([token[20] ^ 1]) + token[21:], b"retried", HERE, 100.0) is None
