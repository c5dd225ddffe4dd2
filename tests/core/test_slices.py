"""EndpointSlices, as the API of Kubernetes tells of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbc.core.slices import Slices, name_of, url_of
from sbc.model.ids import PoolName, node_id
from sbc.model.node import Node

POOL = PoolName("p")


def slices(port: str | None = None) -> Slices:
    return Slices(POOL, port, "http", Node(node_id(POOL, "any"), POOL, "", "z", {"gpu": "h100"}, 7))


def endpoint(pod: str, address: str, **conditions: bool | None) -> dict[str, Any]:
    return {"addresses": [address, "10.9.9.9"], "conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}}


def item(name: str, *endpoints: dict[str, Any], ports: Any = None) -> dict[str, Any]:
    ports = [{"name": "http", "port": 9000, "protocol": "TCP"}] if ports is None else ports
    return {"metadata": {"name": name, "resourceVersion": "1"}, "endpoints": list(endpoints), "ports": ports}


def told(known: Slices) -> list[tuple[str, str, bool]]:
    return sorted((one.node.name, one.node.url, one.leaving) for one in known.found())


@pytest.mark.parametrize(("conditions", "seen"), [
    ({}, (False,)), ({"ready": True}, (False,)), ({"ready": None, "serving": None}, (False,)),
    ({"ready": False, "serving": True, "terminating": True}, (True,)),
    ({"ready": False, "serving": False, "terminating": True}, (True,)),
    ({"ready": True, "terminating": True}, (True,)), ({"ready": False, "serving": True}, (True,)),
    ({"ready": False, "serving": False}, ()), ({"ready": False, "serving": False, "terminating": False}, ()),
])
def test_conditions(conditions: dict[str, bool | None], seen: tuple[bool, ...]) -> None:
    known = slices()
    known.reset([item("s", endpoint("a", "10.0.0.1", **conditions))])
    assert tuple(leaving for _, _, leaving in told(known)) == seen


def test_what_a_node_is_made_of() -> None:
    known = slices()
    known.reset([item("s", endpoint("a", "10.0.0.1") | {"zone": "eu-1a"}, {"addresses": ["fd00::5"]})])
    first, second = sorted((one.node for one in known.found()), key=lambda node: node.id)
    assert (first.id, first.url, first.zone, first.capacity) == ("p/a", "http://10.0.0.1:9000", "eu-1a", 7)
    assert (second.id, second.url, second.zone) == ("p/fd00--5", "http://[fd00::5]:9000", "z")
    assert dict(first.labels) == {"gpu": "h100"}


def test_which_port() -> None:
    two = [{"name": "http", "port": 9000}, {"name": "admin", "port": 9001, "protocol": "TCP"},
           {"name": "dns", "port": 53, "protocol": "UDP"}]
    for asked, url in ((None, []), ("admin", ["http://h:9001"]), ("9000", ["http://h:9000"]), ("dns", []), ("x", [])):
        known = slices(asked)
        known.reset([item("s", endpoint("a", "h"), ports=two)])
        assert [one.node.url for one in known.found()] == url
    known = slices()
    known.reset([item("s", endpoint("a", "h"), ports=[]), item("t", endpoint("b", "h"), ports=None)])
    assert [name for name, _, _ in told(known)] == ["b"]


def test_changes() -> None:
    known = slices()
    known.reset([item("s", endpoint("a", "10.0.0.1")), item("t", endpoint("b", "10.0.0.2"))])
    known.change("MODIFIED", item("s", endpoint("a", "10.0.0.1", ready=False, terminating=True)))
    assert told(known) == [("a", "http://10.0.0.1:9000", True), ("b", "http://10.0.0.2:9000", False)]
    known.change("ADDED", item("u", endpoint("a", "10.0.0.1")))
    assert not told(known)[0][2], "it is leaving in one slice, and there in another"
    known.change("DELETED", item("u"))
    known.change("DELETED", item("t"))
    known.change("DELETED", item("unknown"))
    assert [name for name, _, _ in told(known)] == ["a"]
    known.change("MODIFIED", {"metadata": {"name": "s"}, "endpoints": None, "ports": None})
    assert told(known) == []
    for broken in ({}, {"metadata": {}}, {"metadata": None}):
        with pytest.raises((KeyError, TypeError)):
            known.change("ADDED", broken)


@given(st.text(max_size=300))
def test_any_name_becomes_one_of_a_node(text: str) -> None:
    name = name_of(text)
    assert 0 < len(name) <= 64 and name.isascii() and name[0].isalnum()
    assert url_of("h2", "fd00::5", 1) == "h2://[fd00::5]:1"
