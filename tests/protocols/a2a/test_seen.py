"""After a handover a client's task is the agent's, whatever was said when, and every hole is marked."""

import random

import pytest
from a2a.server.tasks.task_manager import append_artifact_to_task
from a2a.types import a2a_pb2 as a2a
from google.protobuf.json_format import MessageToDict

from sbc.protocols.a2a.calls import Call, Form, Verb
from sbc.protocols.a2a.items import Item, Kind, event_of, read_item
from sbc.protocols.a2a.seen import MAX_ARTIFACTS, MAX_MESSAGES, Seen
from sbc.protocols.events import event_data
from tests.protocols.a2a.shapes import STATES, TASK, Client, artifact, chunk, message, sse, status, task

CALL = Call(Verb.STREAM, Form.RPC_1, 7, message="m-user")
WORKING, DONE = STATES.TASK_STATE_WORKING, STATES.TASK_STATE_COMPLETED


class Watched:
    """A client, and what the edge remembers of it."""

    def __init__(self, *events) -> None:
        self.client, self.seen = Client(), Seen(None, "m-user")
        self.take(*events)

    def take(self, *events) -> None:
        for event in events:
            text = sse(Form.RPC_1, event)
            self.client.take(text)
            item = read_item(Form.RPC_1, event_data(text) or b"")
            assert item is not None
            self.seen.watch(item)

    def brought(self, now: a2a.Task) -> list[Item]:
        """A handover: the new owner has the task like this."""
        told = MessageToDict(now)
        items = list(self.seen.difference(CALL, told))
        for item in items:
            self.client.take(event_of(CALL, item))
        self.seen.watch(Item(Kind.TASK, told))
        return items


def test_parts_are_appended():
    watched = Watched(task(WORKING), chunk("a", "1", append=False), chunk("a", "2"))
    (item,) = watched.brought(task(WORKING, artifact("a", "1", "2", "3", "4")))
    assert item.body["append"] is True
    assert watched.client.text("a") == "1234"
    assert watched.client.gaps == 0


def test_agents_may_join_chunks_of_text():
    watched = Watched(task(WORKING), chunk("a", "Hé", append=False), chunk("a", "llo"))
    watched.brought(task(WORKING, artifact("a", "Héllo world")))
    assert watched.client.text("a") == "Héllo world"
    assert watched.brought(task(WORKING, artifact("a", "Hél", "lo world"))) == []
    assert watched.client.gaps == 0


@pytest.mark.parametrize("now", [("1",), ("1", "x", "3"), (), ("something else",)])
def test_what_the_agent_does_not_have_is_replaced_and_marked(now):
    watched = Watched(task(WORKING), chunk("a", "1", append=False), chunk("a", "2"))
    watched.brought(task(WORKING, artifact("a", *now)))
    assert watched.client.text("a") == "".join(now)
    assert watched.client.gaps == 1


def test_parts_of_other_kinds_are_compared_too():
    files = [a2a.Part(raw=b"\0\1", media_type="x/y"), a2a.Part(url="http://x/"), a2a.Part(text="t")]
    files[2].metadata.update({"a": 1.5})
    first = a2a.TaskArtifactUpdateEvent(task_id=TASK, artifact=a2a.Artifact(artifact_id="a", parts=files[:2]))
    watched = Watched(task(WORKING), first)
    watched.brought(task(WORKING, a2a.Artifact(artifact_id="a", parts=files)))
    assert list(watched.client.task.artifacts[0].parts) == files
    assert watched.client.gaps == 0


def test_an_agent_that_does_not_keep_what_it_streams_leaves_a_gap():
    watched = Watched(task(WORKING), chunk("a", "1", append=False), chunk("b", "1", append=False, last=True))
    (item,) = watched.brought(task(WORKING))
    assert item.kind is Kind.STATUS
    assert item.body["metadata"] == {"sbc/gap": True, "sbc/artifacts": ["a"]}


def test_a_whole_artifact_that_is_not_kept_is_none():
    watched = Watched(task(WORKING), chunk("b", "1", append=False, last=True))
    assert watched.brought(task(WORKING)) == []
    assert watched.brought(task(WORKING, artifact("b", "1"))) == []
    assert watched.brought(task(WORKING)) == []


def test_an_older_status_is_no_news():
    watched = Watched(task(WORKING), status(WORKING, 5))
    assert watched.brought(task(WORKING, at=3)) == []
    (item,) = watched.brought(task(DONE, at=6))
    assert item.body["status"]["state"] == "TASK_STATE_COMPLETED"
    assert watched.seen.closed


def test_messages_that_were_missed_are_told_in_order():
    said = [message(f"step {n}", f"m-{n}") for n in range(6)]
    user = message("do it", "m-user", a2a.ROLE_USER)
    older = message("long ago", "m-old")
    watched = Watched(task(WORKING), status(WORKING, 1, said[0]), status(WORKING, 2, said[1]))
    watched.brought(task(WORKING, history=(older, user, *said[:4]), said=said[5], at=9))
    assert watched.client.messages == ["m-0", "m-1", "m-2", "m-3", "m-5"]
    assert watched.brought(task(WORKING, history=(older, user, *said[:4]), said=said[5], at=9)) == []


def test_a_history_in_which_nothing_is_known_is_not_told():
    watched = Watched(task(WORKING))
    assert watched.brought(task(WORKING, history=(message("x", "m-x"), message("y", "m-y")))) == []


def test_what_is_remembered_is_bounded():
    watched = Watched(*(chunk(f"a{n}", "1", append=False) for n in range(MAX_ARTIFACTS)))
    assert not watched.seen.full
    watched.take(chunk("more", "1", append=False))
    assert watched.seen.full
    watched = Watched(*(status(WORKING, n, message("x", f"m-{n}")) for n in range(MAX_MESSAGES)))
    assert watched.brought(task(WORKING, history=(message("x", "m-0"), message("y", "m-y")))) == []


def test_what_is_nested_too_deeply_is_not_compared():
    deep: dict = {}
    for _ in range(400):
        deep = {"data": deep}
    seen = Seen(None, None)
    seen.watch(Item(Kind.ARTIFACT, {"artifact": {"artifactId": "a", "parts": [deep]}}))
    assert seen.full


@pytest.mark.parametrize("body", [
    {"artifacts": 5, "history": {}, "status": []}, {"artifacts": [5, {}, {"artifactId": 7}], "history": [None, {}]},
    {"artifacts": [{"artifactId": "a", "parts": {}}], "status": {"state": 5, "timestamp": 7, "message": []}},
    {"status": {"timestamp": "2026"}}, {"status": {"timestamp": "2026-01-01T00:00:00"}}])
def test_bad_tasks_are_ordinary(body):
    seen = Seen("t", "m")
    for _ in range(2):
        list(seen.difference(CALL, body))
        seen.watch(Item(Kind.TASK, body))


def test_whatever_was_lost_the_client_has_what_the_agent_has():
    dice = random.Random(11)
    for _ in range(150):
        agent, watched, at = a2a.Task(), Watched(), 1
        first = task(WORKING)
        agent.CopyFrom(first)
        watched.take(first)
        listening = True
        for _ in range(dice.randrange(30)):
            name = f"a{dice.randrange(3)}"
            known = [kept.artifact_id for kept in agent.artifacts]
            if dice.random() < 0.2:
                at += 1
                event = status(WORKING, at)
                agent.status.CopyFrom(event.status)
            else:
                event = chunk(name, dice.choice(["x", "yé", "zzz"]), append=name in known and dice.random() < 0.9)
                append_artifact_to_task(agent, event)
            if dice.random() < 0.2:
                listening = False
            if listening:
                watched.take(event)
            elif dice.random() < 0.3:
                watched.brought(agent)
                listening = True
        watched.brought(agent)
        for kept in agent.artifacts:
            assert watched.client.text(kept.artifact_id) == "".join(part.text for part in kept.parts)
        assert watched.client.task.status == agent.status
        assert watched.brought(agent) == []
