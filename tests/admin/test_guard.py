"""Who may not ask: web pages that use an operator's browser."""

import pytest

from tests.admin.operations import RecordingOperations
from tests.admin.test_api import opened


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9070", "localhost.evil.example", "[evil]", "1.2.3", "x@127.0.0.1"])
async def test_a_rebound_name_is_refused_on_loopback(host: str) -> None:
    async with opened(RecordingOperations()) as caller:
        status, code, _ = await caller.refused("GET", "/api/v1/sessions", headers={"Host": host})
        assert (status, code) == (403, "foreign_host")
        assert caller.operations.orders == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9070", "[::1]:9070", "10.1.2.3"])
async def test_names_of_the_machine_itself_pass(host: str) -> None:
    async with opened(RecordingOperations()) as caller:
        assert (await caller.ask("GET", "/healthz", headers={"Host": host}))[0] == 200


async def test_off_loopback_any_name_passes() -> None:
    async with opened(RecordingOperations(), "0.0.0.0") as caller:
        assert (await caller.ask("GET", "/healthz", headers={"Host": "edge-1.example"}))[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
async def test_a_page_of_another_site_changes_nothing(origin: str) -> None:
    async with opened(RecordingOperations()) as caller:
        for method, path in (("POST", "/api/v1/nodes/a/drain"), ("DELETE", "/api/v1/sessions/s1")):
            status, code, _ = await caller.refused(method, path, headers={"Origin": origin})
            assert (status, code) == (403, "foreign_origin")
        assert caller.operations.orders == []


async def test_the_edges_own_page_may() -> None:
    async with opened(RecordingOperations()) as caller:
        assert (await caller.ask("POST", "/api/v1/nodes/a/drain", headers={"Origin": caller.base}))[0] == 202
