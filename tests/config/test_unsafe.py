"""What lies open to attackers, and what would be better: each is told where others can come in, and nowhere else."""

from pathlib import Path

import pytest

from sbc.config import parse, warnings
from tests.config.written import LEAST, with_section

TRUNK = 'trunk: {listen: "127.0.0.1:0"}\n'
CAREFUL = "policies: {default: {limits: {sessions_per_second: {source: 10}%s}%s}}\n"
KEYS = ", auth: {api_keys: {keys: [{name: a, sha256: %s}]}}" % ("ab" * 32)
JWT = ', auth: {jwt: {jwks: "https://idp.example/jwks", issuer: i, audience: a, leeway: %s}}'


def public(more: str = "", **listener: str) -> str:
    keys = "".join(f", {key}: {value}" for key, value in listener.items())
    return with_section("listeners", f'listeners: [{{name: a, listen: "0.0.0.0:0"{keys}}}]') + "\n" + TRUNK + more


def told(text: str) -> list[str]:
    """But for what test_warn.py is about."""
    return [line.partition(": ")[0] for line in warnings(parse(text, "f")) if "no auth is asked for" not in line]


def test_a_careful_one_gives_no_reason() -> None:
    assert told(public(CAREFUL % ("", ""))) == []


@pytest.mark.parametrize("limit", [
    "head_timeout: 2m", "head: 1MiB", "headers: 501", "sessions_per_principal: 10001", "message: 17MiB",
    "journal: 17MiB", "ping: 6m", "idle: 8d",
])  # fmt: skip
def test_limits_that_protect_from_nothing(limit: str) -> None:
    written = CAREFUL % (f", {limit}", "")
    assert told(LEAST + TRUNK + written) == []
    assert told(public(written)) == [f"policies.default.limits.{limit.partition(':')[0]}"]
    [line] = [line for line in warnings(parse(public(written), "f")) if line.startswith("policies")]
    assert line.endswith(" or less")
    assert line.split(": ")[1].isdecimal(), "so many, all digits of it"


def test_anybody_may_begin_any_number_of_sessions() -> None:
    assert told(public()) == ["policies.default.limits.sessions_per_second"]
    assert told(public(f"policies: {{default: {{limits: {{}}{KEYS}}}}}", trusted_hops="1"))[1:] == []


def test_credentials_in_plain_text() -> None:
    assert told(public(CAREFUL % ("", KEYS))) == ["listeners.0"]
    assert told(public(CAREFUL % ("", KEYS), proxy_protocol="require", proxy_from="[10.0.0.0/8]")) == []
    assert told(public(CAREFUL % ("", ", auth: {certificate: true}"))) == []


def test_who_is_believed_and_who_is_spared() -> None:
    careful = CAREFUL % ("", "")
    assert told(public(careful, proxy_protocol="accept", proxy_from='["0.0.0.0/0"]')) == ["listeners.0.proxy_from"]
    assert told(public(careful + "abuse: {refuse: null}")) == ["abuse.refuse"]
    assert told(public(careful + 'abuse: {exempt: ["::/0"]}')) == ["abuse.exempt"]
    assert told(public(CAREFUL % ("", ', access: {allow: ["0.0.0.0/0"]}'))) == ["policies.default.access.allow"]


def test_tokens_that_are_good_too_long() -> None:
    assert "policies.default.auth.jwt.leeway" in told(public(CAREFUL % ("", JWT % "6m")))
    assert "policies.default.auth.jwt.leeway" not in told(public(CAREFUL % ("", JWT % "30s")))


@pytest.mark.parametrize(("url", "open_"), [
    ("http://1.1.1.1:80", True), ("ws://agents.example.com", True), ("https://1.1.1.1", False),
    ("http://10.1.2.3:80", False), ("http://127.0.0.1:80", False), ("http://tutor:80", False),
    ("h2c://tutor.svc.cluster.local", False), ("http://[2606:4700::1]:80", True),
])  # fmt: skip
def test_bearer_tokens_on_the_way_to_nodes(url: str, open_: bool) -> None:
    pools = f'pools: {{p: {{nodes: [{{name: n, url: "{url}"}}]}}}}'
    text = public(CAREFUL % ("", JWT % "30s")).replace("pools: {p: {}}", pools)
    assert ("pools.p.nodes.0.url" in told(text)) is open_
    without = public(CAREFUL % ("", KEYS)).replace("pools: {p: {}}", pools)
    assert "pools.p.nodes.0.url" not in told(without), "keys of the edge's own go no further"


def test_cookies_for_pages_of_any_site() -> None:
    routed = public(CAREFUL % ("", "%s")).replace("[{agent: a}]", "[{agent: a, session: {cookie: sid}}]")
    assert told(routed % "") == ["routes.0.session.cookie"]
    assert told(routed % ', access: {origins: ["https://a.example"]}') == []


def test_secrets_that_others_may_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x" * 32)
    secret.chmod(0o644)
    text = LEAST + f'trunk: {{listen: "127.0.0.1:0", secret_file: {secret}, ' + \
        "advertise: 'ws://edge-1:9071/trunk'}\n" + \
        f"edge: {{seal_keys: [{{id: k, file: {secret}}}], store: 'redis://127.0.0.1', " + \
        f"redis: {{password_file: {secret}}}}}"
    assert sorted(told(text)) == ["edge.redis.password_file", "edge.seal_keys.0.file", "trunk.secret_file"]
    secret.chmod(0o640)
    assert told(text) == []
