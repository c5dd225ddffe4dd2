"""What a reload changes."""

from dataclasses import replace

import pytest

from sbc.config import Address, Changes, Config, Delta, Interconnect, diff, parse
from tests.config.test_build import FULL


def changes(*replacements: tuple[str, str]) -> Changes:
    text = FULL
    for old, new in replacements:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return diff(parse(FULL, "old"), parse(text, "new"))


def test_nothing() -> None:
    assert not changes()
    assert not changes(("idle: 1m", "idle: 60s"))


def test_listeners() -> None:
    assert changes(("name: l,", "name: m,")).listeners == Delta(("m",), ("l",))
    assert changes(("0.0.0.0:3", "0.0.0.0:4")).listeners == Delta(changed=("l",))
    assert changes(("trusted_hops: 2", "trusted_hops: 1")).listeners == Delta(changed=("l",))
    assert changes(("[10.0.0.0/8,", "[10.0.0.0/9,")).listeners == Delta(changed=("l",))


def test_pools_and_nodes() -> None:
    got = changes(("name: m, url", "name: o, url"), ("capacity: 5", "capacity: 6"))
    assert got.pools == Delta(changed=("p",))
    assert got.nodes == {"p": Delta(("p/o",), ("p/m",), ("p/n",))}
    got = changes(("  q: {probe: null}", "  r: {nodes: [{name: x, url: 'http://h:7'}]}"))
    assert (got.pools, got.nodes) == (Delta(("r",), ("q",)), {"r": Delta(("r/x",))})
    got = changes(("every: 100ms", "every: 200ms"))
    assert (got.pools, got.nodes) == (Delta(changed=("p",)), {})


def test_agents_policies_and_routes() -> None:
    assert changes(("hold: 0", "hold: 1s")).agents == Delta(changed=("a",))
    assert changes(("value: flat", "value: rising")).agents == Delta(changed=("a",))
    assert changes(("idle: 1m", "idle: 2m")).policies == Delta(changed=("strict",))
    got = changes(("query: chat", "query: c"))
    assert got.routes
    assert not (got.agents or got.policies or got.listeners or got.pools or got.restart_needed)


def test_seal_keys_and_the_trunks_terms_are_reloadable() -> None:
    got = changes(("{id: k1, file: a.key}, ", ""))
    assert (got.seal_keys, got.restart_needed, bool(got)) == (True, (), True)


def test_the_certificates_of_the_interconnect_are_reloadable_and_its_place_is_not() -> None:
    config, way = parse(FULL, "f"), Interconnect(Address("127.0.0.1", 7070), None, "a.crt", "a.key", "ca.crt")

    def beside(way: Interconnect | None) -> Config:
        return replace(config, edge=replace(config.edge, interconnect=way))
    got = diff(beside(way), beside(replace(way, cert="b.crt")))
    assert (got.interconnect, got.restart_needed, bool(got)) == (True, (), True)
    for other in (replace(way, advertise="e:7070"), replace(way, listen=Address("127.0.0.1", 7071)), None):
        assert diff(beside(way), beside(other)).restart_needed == ("edge.interconnect",)


def test_the_admin_doors_tokens_are_reloadable() -> None:
    got = changes(("role: operate", "role: view"))
    assert (got.admin, got.restart_needed, bool(got)) == (True, (), True)


@pytest.mark.parametrize(("old", "new", "key"), [
    ("name: e\n", "name: f\n", "edge.name"), ("sqlite:x.db", '"memory:"', "edge.store"),
    ("records: r.jsonl", "records: null", "edge.records"), ("127.0.0.1:1}", "127.0.0.1:9}", "admin.listen"),
    ('"[::1]:2"', '"[::1]:4"', "trunk.listen"), ("h2_engine: h2", "h2_engine: ngh2", "edge.h2_engine"),
    ("quic_engine: aioquic", "quic_engine: qh3", "edge.quic_engine"),
])
def test_what_waits_for_the_next_start(old: str, new: str, key: str) -> None:
    got = changes((old, new))
    assert got.restart_needed == (key,)
    assert got


def test_how_redis_is_spoken_to_waits_for_the_next_start() -> None:
    shared = ("sqlite:x.db", "redis://h")
    assert changes(shared, ("h2_engine: h2", "h2_engine: h2\n  redis: {lease: 1m}\n"
                   "  address: {share: 192.0.2.10/24, device: eth0}")).restart_needed == (
        "edge.store", "edge.redis", "edge.address")


def test_a_trunk_that_comes_or_goes_waits_for_the_next_start() -> None:
    got = changes(('trunk: {listen: "[::1]:2", secret_file: null, tls: null}', "trunk: null"))
    assert (got.trunk, got.restart_needed) == (True, ("trunk.listen",))
