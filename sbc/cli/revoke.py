"""The verbs about what is good no more: revoke, forgive, revocations."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from sbc.cli import show as showing
from sbc.cli.edge import find, segment
from sbc.cli.options import AdminAddress, AsJson, EdgeOf

Kind = Annotated[Literal["principal", "token", "session"], typer.Argument(
    metavar="KIND", help="What NAME is: principal, token or session.")]
Name = Annotated[str, typer.Argument(
    metavar="NAME", help="The principal; the token's id (jti, or its SHA-256 in hexadecimal); the session.")]


def revoke(
    kind: Kind, name: Name,
    lasts: Annotated[str, typer.Option("--for", metavar="DURATION", help="For how long: 90s, 15m, 8h, 7d.")] = "1d",
    config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False,
) -> None:
    """Have a principal, a token or a session be good no more; what is open by it ends now."""
    order = {kind: name, "seconds": _seconds(lasts)}
    _print(find(config, admin).ask("POST", "/api/v1/revocations", body=order), json)


def forgive(
    kind: Kind, name: Name, config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False,
) -> None:
    """Take a revocation back."""
    _print(find(config, admin).ask("DELETE", f"/api/v1/revocations/{kind}/{segment(name)}"), json)


def revocations(config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False) -> None:
    """List what is revoked."""
    answer = find(config, admin).ask("GET", "/api/v1/revocations")
    if json:
        showing.as_json(answer)
        return
    rows = [{"kind": row["kind"], "name": row["name"], "seconds left": round(row["until"] - time.time())}
            for row in answer["revocations"]]  # fmt: skip
    showing.table(rows, "nothing is revoked")


def _seconds(text: str) -> float:
    from sbc.config.faults import Wrong  # noqa: PLC0415  (slow to import, and needed here alone)
    from sbc.config.units import seconds  # noqa: PLC0415

    try:
        return seconds(text)
    except Wrong as wrong:
        raise typer.BadParameter(f"{wrong.what}: {wrong.right}", param_hint="--for") from None


def _print(answer: dict[str, Any], json: bool) -> None:
    if json:
        showing.as_json(answer)
    else:
        showing.card({name: _time(value) if name in ("since", "until") else value for name, value in answer.items()})


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
