"""`sbc receipts`: what an auditor does with the session records, apart from any running edge."""

from pathlib import Path
from typing import Annotated

import typer

from sbc.cli.show import complain

app = typer.Typer(help="Session detail records.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Session detail records."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of records, one JSON line each.")],
    key: Annotated[Path | None, typer.Option(metavar="PUB", help="The edge's public key, for signatures.")] = None,
) -> None:
    """Tell whether any record was altered, removed, moved or put in; exit status 1 if so."""
    from sbc.telemetry.recordfile import verify_file  # noqa: PLC0415  (cryptography is slow to import)

    verdict = verify_file(file, key)
    for fault in verdict.faults:
        complain(f"{file}: {fault}")
    if verdict.faulty > len(verdict.faults):
        complain(f"{file}: and {verdict.faulty - len(verdict.faults)} more")
    if verdict.torn is not None:
        complain(f"{file}: line {verdict.torn}: not written to its end, as after a crash")
    if verdict.missing:
        complain(f"{file}: the edge itself declares {verdict.missing} records as lost")
    if not verdict.sound:
        raise typer.Exit(1)
    signed = "signatures checked" if key else "signatures not checked: no --key"
    typer.echo(f"{file}: {verdict.records} records, unbroken ({signed})")
    typer.echo(f"the last is number {verdict.end.number}, digest {verdict.end.digest}")
