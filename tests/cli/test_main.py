"""The command itself: what it says of itself, and of what goes wrong."""

import pytest

from sbc import __version__
from sbc.cli import main
from sbc.model.errors import ConfigError, SbcError
from tests.cli.command import sbc


async def test_version_and_help() -> None:
    ran = await sbc("--version")
    assert (ran.status, ran.out) == (0, f"sbc {__version__}\n")
    ran = await sbc("-h")
    assert ran.status == 0
    for verb in ("run", "check", "schema", "demo", "sessions", "nodes", "show", "migrate", "end", "drain", "undrain",
                 "reload", "receipts"):
        assert f"\n  {verb} " in ran.out


@pytest.mark.parametrize("arguments", [["drian"], ["show"], ["sessions", "--limit", "many"], ["nodes", "--loud"]])
async def test_a_command_line_that_makes_no_sense(arguments: list[str]) -> None:
    ran = await sbc(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert "Error: " in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(("error", "told"), [
    (ConfigError(["f:1:2: one", "f:2:1: two\x1b[2J"]), "f:1:2: one\nf:2:1: two\\u001b[2J\n"),
    (SbcError("no"), "sbc: no\n"),
    (FileNotFoundError(2, "No such file or directory", "sbc.yaml"), "sbc: No such file or directory: sbc.yaml\n"),
    (KeyError("x"), "sbc: internal error: KeyError: 'x'\n"),
])
def test_nobody_ever_sees_a_traceback(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(main, "app", fails)
    assert main.main() == 1
    assert capsys.readouterr().err == told
