"""Bodies and errors of the admin API."""

from pathlib import PurePath

import orjson
import pytest

from sbc.admin.answers import answer, fault


def test_what_json_has_no_form_for_is_written_as_text() -> None:
    body = answer({1: {2}, "path": PurePath("a")}).body
    assert orjson.loads(body if isinstance(body, bytes) else b"") == {"1": "{2}", "path": "a"}


@pytest.mark.parametrize(("faults", "keys"), [((), {"code", "message"}), (("a",), {"code", "message", "faults"})])
def test_an_error_has_one_form(faults: tuple[str, ...], keys: set[str]) -> None:
    response = fault(422, "bad", "why", faults=faults)
    assert isinstance(response.body, bytes)
    assert orjson.loads(response.body)["error"].keys() == keys
