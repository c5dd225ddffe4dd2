"""The verbs that need no running edge: run, check, schema, demo."""

from pathlib import Path

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
