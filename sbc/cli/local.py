"""The verbs that need no running edge: run, check, schema, demo, kernel."""

from pathlib import Path
from typing import Annotated

import typer

from sbc.cli.options import ConfigFile, config_file
from sbc.cli.show import as_json, complain


def run(config: ConfigFile = None) -> None:
    """Run the edge in the foreground."""
    from sbc.app import run as run_edge  # noqa: PLC0415  (the whole edge, which the other verbs do without)

    raise typer.Exit(run_edge(str(config_file(config))))


def demo(config: ConfigFile = None) -> None:
    """Run the edge with two demo agent nodes, ready to talk to."""
    from sbc.app import demo as run_demo  # noqa: PLC0415  (the whole edge, which the other verbs do without)

    raise typer.Exit(run_demo(str(config_file(config))))


def check(config: ConfigFile = None) -> None:
    """Check a configuration: every fault as file:line:column, exit status 1 if there is any."""
    from sbc.config import load, warnings  # noqa: PLC0415  (slow to import)

    file: Path = config_file(config)
    for warning in warnings(load(str(file))):
        complain(f"warning: {warning}")
    typer.echo(f"{file}: ok")


def schema() -> None:
    """Print the configuration's JSON Schema, for editors."""
    from sbc.config import json_schema  # noqa: PLC0415  (slow to import)

    as_json(json_schema())


def kernel(
    socket: Annotated[str, typer.Option(metavar="PATH", help="Where edges reach it, if systemd passes no socket.")] =
    "/run/sbc-kernel.sock",
    user: Annotated[str | None, typer.Option(metavar="NAME", help="Who may give orders, beside root and oneself.")] =
    None,
) -> None:
    """Carry out what edges order of the kernel: shaping, blocks, addresses. The one verb with a privilege."""
    from sbc.kernel.process import run as run_warden  # noqa: PLC0415  (netlink, which the other verbs do without)

    raise typer.Exit(run_warden(socket, user))
