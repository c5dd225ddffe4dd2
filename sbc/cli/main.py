"""The command `sbc`: its verbs, and what becomes of everything that goes wrong.

Exit status: 0 done; 1 refused, unreachable or faulty, with the reason on stderr; 2 a command line that makes no sense.
What a verb needs is imported when it is called: `sbc sessions` must not wait for the edge's own modules.
"""

from typing import Annotated

import typer

from sbc import __version__
from sbc.cli import local, operate, receipts, revoke
from sbc.cli.show import complain
from sbc.model.errors import ConfigError, SbcError

app = typer.Typer(
    name="sbc", help="A session border controller for AI-agent sessions.", no_args_is_help=True, add_completion=False,
    rich_markup_mode=None, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"sbc {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    pass


for verb in (local.run, local.check, local.schema, local.demo, local.kernel):
    app.command()(verb)
for order in (operate.sessions, operate.nodes, operate.edges, operate.show, operate.migrate, operate.end, operate.drain,
              operate.undrain, operate.abuse, operate.pardon, operate.reload, operate.upgrade, revoke.revoke,
              revoke.forgive, revoke.revocations):
    app.command()(order)
app.add_typer(receipts.app, name="receipts")


def main() -> int:
    """Run the command line; the answer is the exit status. Never shows a traceback."""
    try:
        app(prog_name="sbc")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    except ConfigError as error:
        for fault in error.faults:
            complain(fault)
    except SbcError as error:
        complain(f"sbc: {error}")
    except OSError as error:
        complain(f"sbc: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
    except Exception as error:  # the last line of defence: a person is told in one line, whatever it was
        complain(f"sbc: internal error: {type(error).__name__}: {error}")
    return 1
