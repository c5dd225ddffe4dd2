"""Options that several verbs have in common."""

from pathlib import Path
from typing import Annotated, Final

import typer

ConfigFile = Annotated[Path | None, typer.Option(
    "-c", "--config", metavar="FILE", help="The configuration; else config/sbc.yaml, else /etc/sbc/sbc.yaml.")]
EdgeOf = Annotated[Path | None, typer.Option(
    "-c", "--config", metavar="FILE", help="The configuration of the edge to ask: it says where that listens.")]
AdminAddress = Annotated[str | None, typer.Option(
    "--admin", metavar="URL", help="The edge to ask, HOST:PORT; else that of -c, of SBC_ADMIN, or 127.0.0.1:9070.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

HERE: Final = Path("config/sbc.yaml")
INSTALLED: Final = Path("/etc/sbc/sbc.yaml")


def config_file(given: Path | None) -> Path:
    """The file to use: the one given, else that of a checkout, else that of an installation."""
    if given is not None:
        return given
    return HERE if HERE.exists() else INSTALLED
