"""What is wrong with the files that a configuration names, each told at its place in the text (config/check.py)."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sbc.config import files
from sbc.config.faults import Fault, Path, Wrong, fault
from sbc.config.tree import Tree
from sbc.config.walk import entries, get

Found = Iterator[Fault]


def named_files(tree: Tree) -> Found:
    """Files that are not there, or do not load."""
    secret = get(tree.value, "trunk", "secret_file")
    if isinstance(secret, str):
        yield from _file(tree, ("trunk", "secret_file"), secret, lambda: files.check_secret(secret))
    redis = get(tree.value, "edge", "redis")
    for name in ("password_file", "sentinel_password_file"):
        written = get(redis, name)
        if isinstance(written, str):
            yield from _file(tree, ("edge", "redis", name), written, partial(files.check_secret, written))
    yield from _authorities(tree, ("edge", "redis", "ca"), get(redis, "ca"))
    yield from _pair(tree, ("edge", "redis"), get(redis, "cert"), get(redis, "key"))
    between = get(tree.value, "edge", "interconnect", "tls")
    yield from _authorities(tree, ("edge", "interconnect", "tls", "ca"), get(between, "ca"))
    yield from _pair(tree, ("edge", "interconnect", "tls"), get(between, "cert"), get(between, "key"))
    for path, policy in entries(tree, "policies"):
        jwks = get(policy, "auth", "jwt", "jwks")
        if isinstance(jwks, str) and jwks.startswith("file:"):
            yield from _file(tree, (*path, "auth", "jwt", "jwks"), jwks, partial(files.check_jwks, jwks[5:]))
        yield from _authorities(tree, (*path, "auth", "jwt", "jwks_ca"), get(policy, "auth", "jwt", "jwks_ca"))
    doors: list[tuple[Path, Any]] = [(("trunk",), get(tree.value, "trunk")), *entries(tree, "listeners")]
    for path, door in doors:
        yield from _authorities(tree, (*path, "tls", "client_ca"), get(door, "tls", "client_ca"))
        certificates = get(door, "tls", "certificates")
        for number, pair in enumerate(certificates if isinstance(certificates, list) else ()):
            yield from _pair(tree, (*path, "tls", "certificates", number), get(pair, "cert"), get(pair, "key"))
    for path, pool in entries(tree, "pools"):
        tls = get(pool, "tls")
        yield from _authorities(tree, (*path, "tls", "ca"), get(tls, "ca"))
        yield from _pair(tree, (*path, "tls"), get(tls, "cert"), get(tls, "key"))
        found: Path = (*path, "discover", "kubernetes")
        yield from _authorities(tree, (*found, "ca"), get(pool, "discover", "kubernetes", "ca"))


def _authorities(tree: Tree, path: Path, ca: Any) -> Found:
    if isinstance(ca, str):
        yield from _file(tree, path, ca, lambda: files.check_authorities(ca))


def _pair(tree: Tree, path: Path, cert: Any, key: Any) -> Found:
    bad = []
    if isinstance(cert, str):
        bad = list(_file(tree, (*path, "cert"), cert, lambda: files.check_certificate(cert)))
        yield from bad
    if isinstance(key, str):
        # Without a good certificate all that can be said of the key is whether it is there.
        test = files.check_key if isinstance(cert, str) and not bad else None
        yield from _file(tree, (*path, "key"), key, lambda: test(cert, key) if test else files.content(key))


def _file(tree: Tree, path: Path, name: str, check: Callable[[], object]) -> Found:
    try:
        check()
    except Wrong as wrong:
        yield fault(tree.position(path), path, wrong.what, wrong.right, name)
