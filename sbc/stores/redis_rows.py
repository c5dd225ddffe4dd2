"""How the values of a session are written into the Redis store, and read back (redis_words.py)."""

from collections.abc import Sequence
from typing import Any

from sbc.model.binding import Binding, Checkpoint
from sbc.model.ids import AgentName, NodeId, PrincipalId, SessionId
from sbc.model.interfaces import Journals, Stored
from sbc.stores.rows import answers_in, answers_out

Words = tuple[str | bytes | int | float, ...]
"""A command as the server is given it."""


def written(words: Words) -> Words:
    """The same in bytes where it is not plain: JSON may spell half a surrogate pair, which is no UTF-8, and must harm
    nothing else of its batch."""
    return tuple([word.encode("utf-8", "surrogatepass") if isinstance(word, str) and not word.isascii() else word
                  for word in words])


def read(part: bytes) -> str:
    """What `written` has written."""
    return str(part, "utf-8", "surrogatepass")


def row(stored: Stored) -> Sequence[str | bytes | int | float]:
    """What redis.lua's `put` takes."""
    binding, checkpoint = stored.binding, stored.checkpoint
    covered = (checkpoint.received, checkpoint.sent, answers_out(checkpoint.answers)) if checkpoint else ("", "", "")
    return (binding.owner, binding.replica or "", binding.epoch, stored.agent, stored.route, stored.principal,
            repr(stored.created), *covered, *state_out(checkpoint.state if checkpoint else None),
            len(stored.keys), *map(name_out, stored.keys))


def state_out(state: str | None) -> tuple[str, bytes]:
    """Whether there is one, and which."""
    return ("0", b"") if state is None else ("1", state.encode("utf-8", "surrogatepass"))


def name_out(key: tuple[str, str]) -> str:
    """A key of a session, or of a revocation."""
    kind, value = key
    return f"{kind}\n{value}"


def name_in(name: bytes) -> tuple[str, str]:
    """What `name_out` has written."""
    kind, _, value = read(name).partition("\n")
    return kind, value


def claimed(session: SessionId, said: Any) -> tuple[Stored, Journals]:
    """A session that was claimed."""
    fields, state, names, journals = said
    *known, answers = fields
    owner, replica, epoch, agent, route, principal, created, received, sent = map(read, known)
    binding = Binding(session, NodeId(owner), NodeId(replica) if replica else None, int(epoch))
    checkpoint = None
    if received:
        text = None if state is None else read(state)
        checkpoint = Checkpoint(int(received), int(sent), text, answers_in(answers or b""))
    stored = Stored(binding, AgentName(agent), route, PrincipalId(principal), float(created), checkpoint,
                    tuple(name_in(name) for name in names))
    return stored, journals_of(journals)


def journals_of(said: Any) -> Journals:
    """The journals of a session that was read."""
    client_first, node_first, from_client, from_node, memory = said
    return Journals(_run(int(client_first), from_client), _run(int(node_first), from_node),
                    "" if memory is None else read(memory))


def _run(floor: int, entries: Sequence[Any]) -> tuple[int, Sequence[bytes]]:
    """The newest messages without a gap between them, from `floor` on, and the number of the first."""
    start, run = floor, list[bytes]()
    for written, (_, message) in entries:
        number = int(written.partition(b"-")[0])
        if number < floor:
            continue
        if number != start + len(run):
            start, run = number, []
        run.append(message)
    return start, run
