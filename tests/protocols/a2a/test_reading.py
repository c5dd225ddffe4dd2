"""Whose a call is, when it may be sent again, and how a stream goes on at another node."""

import json

import pytest

from sbc.model.http import Response
from sbc.protocols.a2a import A2A
from sbc.protocols.a2a.calls import Form
from sbc.protocols.a2a.resume import MAX_TRIES
from sbc.protocols.events import event_name
from sbc.protocols.protocol import Conversation, Key, Reading, Rest
from tests.protocols.a2a.shapes import (
    CONTEXT,
    STATES,
    TASK,
    answer,
    artifact,
    bare,
    chunk,
    fault,
    get,
    message,
    post,
    result,
    results,
    rpc,
    sse,
    status,
    task,
)

WORKING, DONE, ASKING = STATES.TASK_STATE_WORKING, STATES.TASK_STATE_COMPLETED, STATES.TASK_STATE_INPUT_REQUIRED
FORMS = list(Form)
EVENTS = Response(200, [(b"content-type", b"text/event-stream; charset=utf-8")])
JSON = Response(200, [(b"content-type", b"application/json")])
TALK = Conversation()
A_MESSAGE = {"message": {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "hello"}]}}


def token() -> bytes:
    raise AssertionError("A2A has its own ids")


def asked(form: Form, verb: str = "stream", body=A_MESSAGE, **settings) -> Reading:
    version = "0.3" if form.old else "1.0"
    if form.rpc:
        names = {"stream": ("SendStreamingMessage", "message/stream"), "send": ("SendMessage", "message/send"),
                 "subscribe": ("SubscribeToTask", "tasks/resubscribe"), "get": ("GetTask", "tasks/get")}
        request, text = post(rpc(names[verb][form.old], body), version=version)
    else:
        base = "/agent/v1" if form.old else "/agent"
        paths = {"stream": "/message:stream", "send": "/message:send", "subscribe": f"/tasks/{TASK}:subscribe"}
        request, text = post(body, base + paths[verb], version=version)
    protocol = A2A(**settings)
    assert protocol.wants_body(request)
    return protocol.read(request, text)


def stream(form: Form, *events, **settings) -> Reading:
    """A stream that has begun."""
    reading = asked(form, **settings)
    reading.answered(EVENTS, token, TALK)
    for event in events:
        assert reading.event(sse(form, event)) == sse(form, event)
    return reading


# Whose it is


@pytest.mark.parametrize("form", FORMS)
def test_a_message_begins_a_session_whose_ids_the_answer_tells(form):
    reading = stream(form, task(WORKING), status(WORKING, 1))
    assert reading.begins
    assert reading.keys == ()
    assert reading.learned == [Key("task", TASK), Key("context", CONTEXT)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("event", [task(DONE), message("hi", "m-2")])
def test_ids_are_learned_from_a_whole_answer_too(form, event):
    reading = asked(form, "send")
    assert reading.wants_answer
    reading.answered(JSON, token, TALK)
    body = answer(form, result(form, event))
    assert reading.whole_answer(body) == body
    assert reading.learned == [Key("task", TASK), Key("context", CONTEXT)]


def test_task_comes_before_context_and_nothing_is_learned_twice():
    said = {"message": {**A_MESSAGE["message"], "taskId": TASK, "contextId": CONTEXT}}
    reading = stream(Form.RPC_1, task(WORKING), body=said)
    assert reading.keys == (Key("task", TASK), Key("context", CONTEXT))
    assert reading.learned == []


def test_a_hostile_agent_teaches_few_keys():
    reading = asked(Form.RPC_1)
    for number in range(100):
        reading.event(b'data: {"result": {"statusUpdate": {"taskId": "t%d", "contextId": "c"}}}\n\n' % number)
    assert len(reading.learned) == 8


def test_questions_belong_to_a_session_and_begin_none():
    reading = A2A().read(get(f"/agent/tasks/{TASK}"), None)
    assert reading.keys == (Key("task", TASK),)
    assert not reading.begins
    assert not reading.needs_session
    assert not reading.wants_answer


def test_what_is_not_a2a_is_opaque():
    request, body = post({"method": "other"})
    assert type(A2A().read(request, body)) is Reading
    grpc, _ = post({}, **{"content-type": "application/grpc"})
    assert not A2A().wants_body(grpc)
    packed, _ = post({}, **{"content-encoding": "gzip"})
    assert not A2A().wants_body(packed)


# What may be sent again


@pytest.mark.parametrize(("method", "safe"), [
    ("GetTask", True), ("ListTasks", True), ("SubscribeToTask", True), ("CancelTask", False), ("SendMessage", False),
    ("GetExtendedAgentCard", True), ("GetTaskPushNotificationConfig", True),
    ("DeleteTaskPushNotificationConfig", True), ("CreateTaskPushNotificationConfig", False)])
def test_questions_may_be_sent_again(method, safe):
    request, body = post(rpc(method, {"id": "t"} | A_MESSAGE))
    assert A2A().read(request, body).safe is safe


def test_a_message_may_be_if_the_agent_knows_it_again():
    assert asked(Form.RPC_1, "send", deduplicates=True).safe
    nameless = {"message": {"role": "ROLE_USER", "parts": []}}
    assert not asked(Form.RPC_1, "send", nameless, deduplicates=True).safe


def test_answers_that_are_read_are_not_compressed():
    request, body = post(rpc("SendMessage", A_MESSAGE), **{"accept-encoding": "gzip, br"})
    sent = A2A().read(request, body).outgoing(request, TALK)
    assert [value for name, value in sent.fields if name == b"accept-encoding"] == [b"identity"]


# When a stream is at its end


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("last", "complete"), [
    (task(WORKING), False), (task(DONE), True), (message("all", "m-9"), True), (status(WORKING, 2), False),
    (status(ASKING, 2), True), (status(STATES.TASK_STATE_CANCELED, 2), True), (chunk("a", "x", last=True), False)])
def test_only_a_terminal_or_interrupted_state_or_a_message_ends_a_stream(form, last, complete):
    assert stream(form, last).complete() is complete


def test_work_goes_on_after_a_question_was_answered_elsewhere():
    assert not stream(Form.RPC_1, status(ASKING, 1), status(WORKING, 2)).complete()


def test_what_follows_the_end_takes_nothing_back():
    assert stream(Form.RPC_1, status(DONE, 1), chunk("a", "x", append=False)).complete()


def test_an_agents_own_error_ends_a_stream():
    reading = stream(Form.RPC_1, task(WORKING))
    event = b"event: error\ndata: " + fault(Form.RPC_1) + b"\n\n"
    assert reading.event(event) == event
    assert reading.complete()


def test_what_is_no_item_passes():
    reading = stream(Form.RPC_1)
    for event in (b": ping\n\n", b"retry: 5\n\n", b"data: {}\n\n", b"data: x\n\n", b'data: {"result": 5}\n\n',
                  b"data: " + b"[" * 5000 + b"\n\n"):
        assert reading.event(event) == event
    assert not reading.complete()


# How it goes on


def refused_stream(form: Form, reading: Reading) -> None:
    """The agent says that the task has ended."""
    if form.rpc:
        assert reading.event(b"event: error\ndata: " + fault(form) + b"\n\n") is None
    else:
        assert reading.resume_answered(Response(400), fault(form)) == b""
    assert not reading.complete()
    assert reading.rest is Rest.SAME
    assert reading.retry == 0


def test_the_question_in_json_rpc():
    reading = stream(Form.RPC_1, task(WORKING), body={**A_MESSAGE, "tenant": "x"})
    request, body = reading.resume(None)
    assert json.loads(body) == rpc("SubscribeToTask", {"id": TASK, "tenant": "x"})
    assert (request.method, request.target, request.length, request.bodied) == (b"POST", b"/agent", len(body), True)
    assert request.first(b"a2a-version") == b"1.0"
    assert request.first(b"accept-encoding") == b"identity"


def test_the_question_in_json_rpc_0_3():
    reading = stream(Form.RPC_03, task(WORKING))
    assert json.loads(reading.resume(None)[1]) == rpc("tasks/get", {"id": TASK})
    assert reading.resume_answered(JSON, answer(Form.RPC_03, bare(Form.RPC_03, task(WORKING)))) == b""
    assert json.loads(reading.resume(None)[1]) == rpc("tasks/resubscribe", {"id": TASK})


def test_the_question_in_rest():
    reading = stream(Form.REST_1, task(WORKING))
    request, body = reading.resume(None)
    assert (request.method, request.target, body) == (b"POST", b"/agent/tasks/task-1:subscribe", b"{}")
    assert reading.resume_answered(Response(405), b"") == b""
    request, body = reading.resume(None)
    assert (request.method, request.target, body) == (b"GET", b"/agent/tasks/task-1:subscribe", b"")
    assert request.length is None
    assert not request.bodied
    refused_stream(Form.REST_1, reading)
    request, body = reading.resume(None)
    assert (request.method, request.target, body) == (b"GET", b"/agent/tasks/task-1", b"")


def test_the_question_in_rest_0_3():
    reading = stream(Form.REST_03, task(WORKING))
    request, _ = reading.resume(None)
    assert (request.method, request.target) == (b"GET", b"/agent/v1/tasks/task-1")


@pytest.mark.parametrize("form", [Form.RPC_1, Form.REST_1])
def test_only_the_difference_is_told(form):
    reading = stream(form, task(WORKING), chunk("a", "one ", append=False), chunk("a", "two "))
    assert reading.resume(None)
    now = task(WORKING, artifact("a", "one ", "two ", "three "), artifact("b", "new"))
    told = results(form, reading.event(sse(form, now)))
    assert [item["artifactUpdate"]["artifact"] for item in told] == [
        {"artifactId": "a", "parts": [{"text": "three "}]}, {"artifactId": "b", "parts": [{"text": "new"}]}]
    assert [item["artifactUpdate"].get("append", False) for item in told] == [True, False]
    assert not any("metadata" in item["artifactUpdate"] for item in told)
    later = chunk("a", "four", last=True)
    assert reading.event(sse(form, later)) == sse(form, later)
    assert reading.event(sse(form, status(DONE, 9))) == sse(form, status(DONE, 9))
    assert reading.complete()


@pytest.mark.parametrize("form", FORMS)
def test_a_task_that_has_ended_meanwhile_is_asked_for(form):
    reading = stream(form, task(WORKING), chunk("a", "one ", append=False))
    assert reading.resume(None)
    if not form.old:
        refused_stream(form, reading)
        assert reading.resume(None)
    end = task(DONE, artifact("a", "one ", "two"), at=5)
    told = results(form, reading.resume_answered(JSON, answer(form, bare(form, end))))
    assert reading.complete()
    assert len(told) == 2
    if form is Form.RPC_03:
        assert [item["kind"] for item in told] == ["artifact-update", "status-update"]
        assert told[1]["final"] is True
    else:
        assert told[0]["artifactUpdate"]["append"] is True
        assert ("final" in told[1]["statusUpdate"]) is form.old
        assert told[1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


def test_nothing_new_is_nothing_told():
    reading = stream(Form.RPC_1, task(WORKING, artifact("a", "x")), status(WORKING, 3))
    reading.resume(None)
    assert reading.event(sse(Form.RPC_1, task(WORKING, artifact("a", "x"), at=3))) is None


def test_what_an_agent_says_that_does_not_begin_with_the_task_is_marked():
    reading = stream(Form.RPC_1, task(WORKING), chunk("a", "one ", append=False))
    reading.resume(None)
    (told,) = results(Form.RPC_1, reading.event(sse(Form.RPC_1, status(WORKING, 5))))
    assert told["statusUpdate"]["metadata"] == {"sbc/gap": True}
    (told,) = results(Form.RPC_1, reading.event(sse(Form.RPC_1, chunk("a", "three"))))
    assert told["artifactUpdate"]["metadata"] == {"sbc/gap": True}
    again = chunk("a", "four")
    assert reading.event(sse(Form.RPC_1, again)) == sse(Form.RPC_1, again)


@pytest.mark.parametrize("form", [Form.RPC_03, Form.REST_03])
def test_of_a_0_3_agent_only_what_may_have_a_hole_is_marked(form):
    reading = stream(form, task(WORKING), chunk("a", "one ", append=False))
    reading.resume(None)
    assert reading.resume_answered(JSON, answer(form, bare(form, task(WORKING, artifact("a", "one "))))) == b""
    assert reading.resume(None)
    assert reading.event(sse(form, status(WORKING, 5))) == sse(form, status(WORKING, 5))
    (told,) = results(form, reading.event(sse(form, chunk("a", "three"))))
    assert (told if form.rpc else told["artifactUpdate"])["metadata"] == {"sbc/gap": True}
    assert reading.event(sse(form, chunk("b", "x", append=False))) == sse(form, chunk("b", "x", append=False))


def test_before_anything_was_seen_only_a_safe_request_is_sent_again():
    assert stream(Form.RPC_1).resume(None) is None
    reading = stream(Form.RPC_1, deduplicates=True)
    request, body = reading.resume(None)
    assert json.loads(body) == rpc("SendStreamingMessage", A_MESSAGE)
    assert request.length == len(body)
    whole = sse(Form.RPC_1, task(WORKING))
    assert reading.event(whole) == whole


@pytest.mark.parametrize("form", FORMS)
def test_a_subscription_is_asked_for_again_as_it_was(form):
    reading = asked(form, "subscribe", {"id": TASK})
    reading.answered(EVENTS, token, TALK)
    request, body = reading.resume(None)
    assert (request.method, request.target) == (b"POST", reading.request.target)
    assert not form.rpc or json.loads(body) == json.loads(reading.body or b"")
    whole = sse(form, task(WORKING, artifact("a", "x")))
    assert reading.event(whole) == whole


def test_an_error_is_the_answer_where_nothing_else_was():
    reading = asked(Form.RPC_1, "subscribe", {"id": TASK})
    reading.answered(EVENTS, token, TALK)
    reading.resume(None)
    (told,) = results(Form.RPC_1, reading.resume_answered(JSON, fault(Form.RPC_1)))
    assert told["error"]["code"] == -32004
    assert reading.complete()


def test_a_task_that_nobody_knows_has_no_rest():
    reading = stream(Form.RPC_1, task(WORKING))
    reading.resume(None)
    refused_stream(Form.RPC_1, reading)
    reading.resume(None)
    assert reading.resume_answered(JSON, fault(Form.RPC_1, -32001, "Task not found")) == b""
    assert reading.resume(None) is None


def test_a_message_has_no_rest():
    reading = asked(Form.RPC_1)
    reading.answered(EVENTS, token, TALK)
    said = b'data: {"jsonrpc": "2.0", "id": 7, "result": {"artifactUpdate": {"artifact": {"artifactId": "a"}}}}\n\n'
    assert reading.event(said) == said
    assert reading.resume(None) is None


def test_an_agent_that_tells_nothing_new_is_not_asked_for_ever():
    reading = stream(Form.RPC_1, task(WORKING))
    for _ in range(MAX_TRIES):
        assert reading.resume(None)
        assert reading.event(sse(Form.RPC_1, task(WORKING))) is None
        assert not reading.complete()
    assert reading.resume(None) is None


def test_two_nodes_lost_one_after_the_other():
    reading = stream(Form.RPC_1, task(WORKING), chunk("a", "1", append=False))
    for number in range(2, 20):
        assert json.loads(reading.resume(None)[1])["method"] == "SubscribeToTask"
        assert json.loads(reading.resume(None)[1])["method"] == "SubscribeToTask"
        now = task(WORKING, artifact("a", *(str(n) for n in range(1, number + 1))))
        (told,) = results(Form.RPC_1, reading.event(sse(Form.RPC_1, now)))
        assert told["artifactUpdate"]["artifact"]["parts"] == [{"text": str(number)}]


def test_what_the_task_may_hold_already_is_marked_or_not_said_again():
    reading = stream(Form.RPC_1, task(WORKING), chunk("a", "1", append=False))
    reading.resume(None)
    reading.event(sse(Form.RPC_1, task(WORKING, artifact("a", "1", "2", "3"), at=4)))
    assert reading.event(sse(Form.RPC_1, status(WORKING, 3))) is None
    for again in ("2", "3"):
        (told,) = results(Form.RPC_1, reading.event(sse(Form.RPC_1, chunk("a", again))))
        assert told["artifactUpdate"]["metadata"] == {"sbc/repeat": True}
    assert reading.event(sse(Form.RPC_1, status(WORKING, 4))) is None
    for later in (status(WORKING, 5), chunk("a", "3"), status(WORKING, 5)):
        assert reading.event(sse(Form.RPC_1, later)) == sse(Form.RPC_1, later)


def test_a_new_chunk_settles_what_is_later():
    reading = stream(Form.RPC_1, task(WORKING), chunk("a", "1", append=False))
    reading.resume(None)
    reading.event(sse(Form.RPC_1, task(WORKING, artifact("a", "1", "2"))))
    for later in ("3", "2"):
        assert reading.event(sse(Form.RPC_1, chunk("a", later))) == sse(Form.RPC_1, chunk("a", later))


@pytest.mark.parametrize("form", [Form.RPC_03, Form.REST_03])
def test_a_0_3_task_that_ends_between_two_questions(form):
    reading = stream(form, task(WORKING))
    reading.resume(None)
    assert reading.resume_answered(JSON, answer(form, bare(form, task(WORKING)))) == b""
    reading.resume(None)
    assert reading.resume_answered(Response(400), fault(form)) == b""
    reading.resume(None)
    assert reading.resume_answered(JSON, answer(form, bare(form, task(DONE, at=1))))
    assert reading.complete()


# Last words


@pytest.mark.parametrize("form", FORMS)
def test_last_words_before_an_answer(form):
    words = asked(form).last_words(begun=False)
    assert words.clean
    assert words.content_type == b"application/json"
    assert words.status == (200 if form.rpc else 502)
    error = json.loads(words.body)["error"]
    assert not form.rpc or error["code"] == -32603
    assert '"outcome": "unknown"' in json.dumps(error)


@pytest.mark.parametrize("form", FORMS)
def test_last_words_in_a_stream(form):
    words = stream(form, task(WORKING)).last_words(begun=True)
    assert words.clean
    (told,) = results(form, words.body)
    assert TASK in json.dumps(told["error"])
    assert event_name(words.body) == (b"" if form is Form.RPC_03 else b"error")


def test_an_answer_that_is_no_stream_is_cut_off():
    reading = asked(Form.RPC_1, "get", {"id": TASK})
    reading.answered(JSON, token, TALK)
    assert not reading.last_words(begun=True).clean
    assert reading.last_words(begun=True).body == b""
