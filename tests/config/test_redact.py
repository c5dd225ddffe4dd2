"""The configuration in force, as the admin API shows it."""

import json
from pathlib import Path

from sbc.config import parse, redacted
from tests.config.test_build import FULL
from tests.config.test_load import SAMPLE
from tests.config.written import with_line


def test_all_is_plain_json_with_defaults_and_units_resolved() -> None:
    shown = redacted(parse(FULL, "f"))
    assert json.loads(json.dumps(shown)) == shown
    assert shown["admin"] == {
        "listen": "127.0.0.1:1", "tokens": [{"name": "ops", "sha256": "***", "role": "operate"}]}
    assert shown["policies"]["default"]["limits"]["message"] == 1024 * 1024
    assert shown["policies"]["default"]["hidden"][-3:] == ["x-runtime", "x-served-by", "x-upstream"]
    assert shown["listeners"][0]["proxy_from"] == ["10.0.0.0/8", "fd00::1/128"]
    assert shown["agents"]["a"]["migration"]["when"] == "now"
    assert shown["routes"][0]["session"] == {"source": "header", "name": "chat-id"}


def test_nothing_leads_to_a_secret(tmp_path: Path) -> None:
    secret = tmp_path / "trunk.secret"
    secret.write_text("hunter2")
    text = SAMPLE.read_text().replace("listen: 127.0.0.1:9071", f"listen: 127.0.0.1:9071\n  secret_file: {secret}")
    shown = redacted(parse(text, "f"))
    assert shown["trunk"]["secret_file"] == "***"
    assert shown["edge"]["seal_keys"] == [{"id": "k1", "file": "***"}]
    assert "hunter2" not in json.dumps(shown)


def test_keys_of_clients_are_known_by_their_names() -> None:
    shown = redacted(parse(with_line(
        f"policies: {{x: {{auth: {{api_keys: {{keys: [{{name: acme, sha256: {'ab' * 32}}}]}}}}}}}}"), "f"))
    assert shown["policies"]["x"]["auth"]["api_keys"] == {"header": "x-api-key", "names": ["acme"]}
    assert "abab" not in json.dumps(shown)


def test_what_is_not_set_is_not_hidden() -> None:
    assert redacted(parse(FULL, "f"))["trunk"]["secret_file"] is None
