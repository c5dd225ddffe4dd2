"""The verbs that ask the running edge, but for those of revoke.py."""

import time
from typing import Annotated, Any

import typer

from sbc.cli import show as showing
from sbc.cli.edge import EdgeError, RunningEdge, find, segment
from sbc.cli.options import AdminAddress, AsJson, EdgeOf

LOOK = 0.5
"""Seconds between two looks at a node that is drained."""
UPGRADING = 90.0
"""Seconds for an edge to start a successor, which may take a minute to be ready."""

Session = Annotated[str, typer.Argument(metavar="SESSION", help="The session's plain id.")]
NODE_HELP = "pool/name, or a name that only one node has."
NodeName = Annotated[str, typer.Argument(metavar="NODE", help=NODE_HELP)]


def sessions(
    state: Annotated[str | None, typer.Option(help="early | confirmed | held | parked | ended")] = None,
    agent: Annotated[str | None, typer.Option(help="Of this agent.")] = None,
    node: Annotated[str | None, typer.Option(help="Owned by this node.")] = None,
    continuity: Annotated[
        str | None, typer.Option("--class", metavar="TEXT", help="synchronous | interactive | autonomous")] = None,
    limit: Annotated[int, typer.Option(help="So many at most, up to 1000.")] = 100,
    after: Annotated[str | None, typer.Option(metavar="SESSION", help="Those behind this one.")] = None,
    config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False,
) -> None:
    """List sessions."""
    query = {"state": state, "agent": agent, "node": node, "class": continuity, "limit": limit, "after": after}
    answer = find(config, admin).ask("GET", "/api/v1/sessions", query=query)
    if json:
        showing.as_json(answer)
        return
    rows = answer["sessions"]
    showing.table(rows, "no sessions")
    if len(rows) == limit:
        showing.complain(f"there may be more: --after {rows[-1]['session']}")


def nodes(config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False) -> None:
    """List nodes."""
    answer = find(config, admin).ask("GET", "/api/v1/nodes")
    if json:
        showing.as_json(answer)
    else:
        showing.table(answer["nodes"], "no nodes")


def edges(config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False) -> None:
    """List the edges that share the store."""
    answer = find(config, admin).ask("GET", "/api/v1/edges")
    if json:
        showing.as_json(answer)
    else:
        rows = [row | {"nodes": " ".join(node["node"] for node in row["nodes"])} for row in answer["edges"]]
        showing.table(rows, "no edges")


def show(session: Session, config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False) -> None:
    """Show one session."""
    _print(find(config, admin).ask("GET", f"/api/v1/sessions/{segment(session)}"), json)


def migrate(
    session: Session,
    to: Annotated[str | None, typer.Option(metavar="NODE", help="Where to; the best other node if not given.")] = None,
    config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False,
) -> None:
    """Move a session to another node, without its client noticing."""
    path = f"/api/v1/sessions/{segment(session)}/migrate"
    _print(find(config, admin).ask("POST", path, body={"to": to}), json)


def end(session: Session, config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False) -> None:
    """End a session."""
    _print(find(config, admin).ask("DELETE", f"/api/v1/sessions/{segment(session)}"), json)


def drain(
    node: Annotated[str | None, typer.Argument(metavar="NODE", help=NODE_HELP)] = None,
    whole: Annotated[bool, typer.Option("--edge", help="The edge itself, in the place of a node.")] = False,
    settle: Annotated[int, typer.Option(
        metavar="SECONDS", help="With --edge: for how long it serves on, so that balancers see it.")] = 5,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until no session is left there.")] = True,
    config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False,
) -> None:
    """Give a node no more sessions, and move those it has; or have the edge not ready, and send its clients away."""
    if whole == (node is not None):
        raise typer.BadParameter("a NODE, or --edge")
    edge = find(config, admin)
    if node is None:
        path, query = "/api/v1/drain", {"settle": settle}
        answer = edge.ask("POST", path, query=query)
        while wait and answer["state"] != "drained":
            time.sleep(LOOK)
            answer = edge.ask("POST", path, query=query)
    else:
        answer = edge.ask("POST", f"/api/v1/nodes/{segment(node)}/drain")
        if wait:
            answer = _wait_until_drained(edge, answer)
    _print(answer, json)


def undrain(node: NodeName, config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False) -> None:
    """Let a node have sessions again."""
    _print(find(config, admin).ask("POST", f"/api/v1/nodes/{segment(node)}/undrain"), json)


def abuse(
    limit: Annotated[int, typer.Option(help="So many at most, up to 1000.")] = 100,
    config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False,
) -> None:
    """List the sources that misbehaved lately, the worst first."""
    answer = find(config, admin).ask("GET", "/api/v1/abuse", query={"limit": limit})
    if json:
        showing.as_json(answer)
    else:
        showing.table(answer["sources"], "nobody")


def pardon(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="As `sbc abuse` names it.")],
    config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False,
) -> None:
    """Forget what a source did: it is let in again."""
    _print(find(config, admin).ask("DELETE", f"/api/v1/abuse/{segment(source)}"), json)


def reload(config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False) -> None:
    """Have the edge read its configuration again: whole or not at all."""
    _print(find(config, admin).ask("POST", "/api/v1/reload"), json)


def upgrade(config: EdgeOf = None, admin: AdminAddress = None, json: AsJson = False) -> None:
    """Have a new process of the program as it is installed now take the running one's place: nobody is refused."""
    _print(find(config, admin).ask("POST", "/api/v1/upgrade", timeout=UPGRADING), json)


def _wait_until_drained(edge: RunningEdge, row: dict[str, Any]) -> dict[str, Any]:
    """The node's row once it has no sessions, saying on stderr how many are left whenever that changes."""
    name, told = row["node"], None
    while True:
        found = [other for other in edge.ask("GET", "/api/v1/nodes")["nodes"] if other["node"] == name]
        if not found:  # its trunk closed: a node that joined by itself is gone when it has nothing left to do
            return {**row, "sessions": 0}
        row = found[0]
        if row["sessions"] == 0:
            return row
        if row["state"] == "up":
            raise EdgeError(f"{name} is no longer drained: it is up again, with {row['sessions']} sessions left")
        if row["sessions"] != told:
            told = row["sessions"]
            showing.complain(f"{name}: {told} session{'s' * (told != 1)} left")
        time.sleep(LOOK)


def _print(answer: dict[str, Any], json: bool) -> None:
    if json:
        showing.as_json(answer)
    else:
        showing.card(answer)
