"""Who may ask at the operators' door, and for what."""

import hashlib

import pytest

from sbc.config import AdminToken, Role
from tests.admin.operations import RecordingOperations
from tests.admin.test_api import opened


def token(name: str, secret: str, role: Role) -> AdminToken:
    return AdminToken(name, hashlib.sha256(secret.encode()).hexdigest(), role)


TOKENS = (token("watcher", "looks", Role.VIEW), token("ops", "orders", Role.OPERATE))
READS = ["/metrics", "/api/v1/sessions", "/api/v1/sessions/s1", "/api/v1/nodes", "/api/v1/config", "/api/v1/events"]
ORDERS = [("DELETE", "/api/v1/sessions/s1"), ("POST", "/api/v1/sessions/s1/migrate"),
          ("POST", "/api/v1/nodes/a/drain"), ("POST", "/api/v1/nodes/a/undrain"), ("POST", "/api/v1/reload")]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_nothing_is_told_or_done_without_a_token() -> None:
    async with opened(RecordingOperations(), tokens=TOKENS) as caller:
        for method, path in [*(("GET", path) for path in READS), *ORDERS, ("GET", "/nowhere"), ("PUT", "/metrics")]:
            status, code, message = await caller.refused(method, path)
            assert (status, code) == (401, "unauthorized"), path
            assert "SBC_ADMIN_TOKEN" in message
        assert caller.operations.orders == []


async def test_the_challenge_says_how() -> None:
    async with opened(RecordingOperations(), tokens=TOKENS) as caller:
        for headers, told in (({}, ""), (bearer("wrong"), ', error="invalid_token"')):
            async with caller.session.get(caller.base + "/api/v1/nodes", headers=headers) as answer:
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="sbc admin"' + told


async def test_whoever_watches_the_process_needs_no_token() -> None:
    async with opened(RecordingOperations(), tokens=TOKENS) as caller:
        assert (await caller.ask("GET", "/healthz"))[0] == 200
        assert (await caller.ask("GET", "/readyz"))[0] == 200


@pytest.mark.parametrize("authorization", [
    "", "Bearer", "Bearer ", "Bearer wrong", "Basic looks", "looks", "Bearer looks looks", "Bearer \udce4",
    "Bearer " + "x" * 8000, "Bearer " + TOKENS[1].sha256,
])
async def test_what_is_no_token(authorization: str) -> None:
    async with opened(RecordingOperations(), tokens=TOKENS) as caller:
        assert (await caller.refused("GET", "/api/v1/nodes", headers={"Authorization": authorization}))[0] == 401


async def test_two_tokens_are_none() -> None:
    async with opened(RecordingOperations(), tokens=TOKENS) as caller:
        headers = [("Authorization", "Bearer looks"), ("Authorization", "Bearer orders")]
        assert (await caller.refused("GET", "/api/v1/nodes", headers=headers))[0] == 401


async def test_who_may_look_gives_no_orders() -> None:
    async with opened(RecordingOperations(), tokens=TOKENS) as caller:
        for path in READS[1:5]:
            assert (await caller.ask("GET", path, headers=bearer("looks")))[0] == 200
        for method, path in ORDERS:
            status, code, message = await caller.refused(method, path, headers=bearer("looks"))
            assert (status, code) == (403, "role")
            assert message == "watcher may look, and may not give orders"
        assert [order[0] for order in caller.operations.orders] == ["sessions"]


async def test_who_may_operate_looks_and_gives_orders() -> None:
    async with opened(RecordingOperations(), tokens=TOKENS) as caller:
        assert (await caller.ask("GET", "/api/v1/nodes", headers={"authorization": "bearer orders"}))[0] == 200
        for method, path in ORDERS:
            assert (await caller.ask(method, path, headers=bearer("orders")))[0] in (200, 202)


async def test_a_reload_changes_the_tokens_in_force() -> None:
    tokens = [TOKENS[0]]
    async with opened(RecordingOperations(), tokens=tokens) as caller:
        assert (await caller.ask("GET", "/api/v1/nodes", headers=bearer("looks")))[0] == 200
        tokens[0] = TOKENS[1]
        assert (await caller.refused("GET", "/api/v1/nodes", headers=bearer("looks")))[0] == 401
        tokens.clear()
        assert (await caller.ask("GET", "/api/v1/nodes"))[0] == 200
