import pytest

from sbc.protocols.a2a.calls import MAX_ID, Call, Form, Verb, call_of
from tests.protocols.a2a.shapes import get, post, rpc

MESSAGE = {"message": {"messageId": "m1", "taskId": "t1", "contextId": "c1", "role": "ROLE_USER", "parts": []}}


def read(body, path="/agent", version="1.0", **fields):
    return call_of(*post(body, path, version, **fields))


@pytest.mark.parametrize(("method", "verb", "form"), [
    ("SendMessage", Verb.SEND, Form.RPC_1), ("SendStreamingMessage", Verb.STREAM, Form.RPC_1),
    ("message/send", Verb.SEND, Form.RPC_03), ("message/stream", Verb.STREAM, Form.RPC_03)])
def test_messages_over_json_rpc(method, verb, form):
    assert read(rpc(method, MESSAGE)) == Call(verb, form, 7, task="t1", context="c1", message="m1")


@pytest.mark.parametrize(("method", "params", "call"), [
    ("GetTask", {"id": "t1", "tenant": "x"}, Call(Verb.GET, Form.RPC_1, 7, task="t1", tenant="x")),
    ("ListTasks", {"contextId": "c1"}, Call(Verb.LIST, Form.RPC_1, 7, context="c1")),
    ("CancelTask", {"id": "t1"}, Call(Verb.CANCEL, Form.RPC_1, 7, task="t1")),
    ("SubscribeToTask", {"id": "t1"}, Call(Verb.SUBSCRIBE, Form.RPC_1, 7, task="t1")),
    ("GetTaskPushNotificationConfig", {"id": "cfg", "taskId": "t1"}, Call(Verb.READ_CONFIG, Form.RPC_1, 7, task="t1")),
    ("DeleteTaskPushNotificationConfig", {"id": "cfg"}, Call(Verb.DELETE_CONFIG, Form.RPC_1, 7)),
    ("CreateTaskPushNotificationConfig", {"taskId": "t1"}, Call(Verb.WRITE_CONFIG, Form.RPC_1, 7, task="t1")),
    ("GetExtendedAgentCard", None, Call(Verb.CARD, Form.RPC_1, 7)),
    ("tasks/get", {"id": "t1"}, Call(Verb.GET, Form.RPC_03, 7, task="t1")),
    ("tasks/cancel", {"id": "t1"}, Call(Verb.CANCEL, Form.RPC_03, 7, task="t1")),
    ("tasks/resubscribe", {"id": "t1"}, Call(Verb.SUBSCRIBE, Form.RPC_03, 7, task="t1")),
    ("tasks/pushNotificationConfig/set", {"taskId": "t1"}, Call(Verb.WRITE_CONFIG, Form.RPC_03, 7, task="t1")),
    ("tasks/pushNotificationConfig/list", {"id": "t1"}, Call(Verb.READ_CONFIG, Form.RPC_03, 7, task="t1")),
    ("agent/getAuthenticatedExtendedCard", {}, Call(Verb.CARD, Form.RPC_03, 7)),
])
def test_other_calls_over_json_rpc(method, params, call):
    assert read(rpc(method, params)) == call


@pytest.mark.parametrize(("version", "form"), [("1.0", Form.REST_1), ("", Form.REST_03), ("0.3", Form.REST_03)])
def test_messages_over_rest(version, form):
    assert read(MESSAGE, "/a/message:send", version) == Call(
        Verb.SEND, form, base=b"/a", task="t1", context="c1", message="m1")
    assert read({}, "/a/v1/message:stream?x=1", version) == Call(Verb.STREAM, form, base=b"/a/v1")


@pytest.mark.parametrize(("method", "path", "call"), [
    ("GET", "/a/tasks/t1?historyLength=2", Call(Verb.GET, Form.REST_1, base=b"/a", task="t1")),
    ("GET", "/tasks/t%201", Call(Verb.GET, Form.REST_1, base=b"", task="t 1")),
    ("POST", "/tenant/tasks/t1:cancel", Call(Verb.CANCEL, Form.REST_1, base=b"/tenant", task="t1")),
    ("POST", "/a/tasks/t1:subscribe", Call(Verb.SUBSCRIBE, Form.REST_1, base=b"/a", task="t1")),
    ("GET", "/a/tasks/t1%3Asubscribe", Call(Verb.SUBSCRIBE, Form.REST_1, base=b"/a", task="t1")),
    ("GET", "/a/tasks?status=x&contextId=c%2F1", Call(Verb.LIST, Form.REST_1, base=b"/a", context="c/1")),
    ("GET", "/a/tasks/t1/pushNotificationConfigs", Call(Verb.READ_CONFIG, Form.REST_1, task="t1")),
    ("POST", "/a/tasks/t1/pushNotificationConfigs", Call(Verb.WRITE_CONFIG, Form.REST_1, task="t1")),
    ("DELETE", "/a/tasks/t1/pushNotificationConfigs/c", Call(Verb.DELETE_CONFIG, Form.REST_1, task="t1")),
    ("GET", "/.well-known/agent-card.json", Call(Verb.CARD, Form.REST_1)),
    ("HEAD", "/a/.well-known/agent.json", Call(Verb.CARD, Form.REST_1)),
    ("GET", "/a/extendedAgentCard", Call(Verb.CARD, Form.REST_1)),
    ("GET", "/a/v1/card", Call(Verb.CARD, Form.REST_1)),
    ("GET", "/a/other", None),
    ("DELETE", "/a/tasks/t1", None),
    ("GET", "/a/message:send", None),
])
def test_other_calls_over_rest(method, path, call):
    assert call_of(get(path, method=method), None) == call


def test_the_version_may_be_in_the_query():
    request = get("/tasks/t1?A2A-Version=1.0&x=1")
    request.fields.clear()
    assert call_of(request, None) == Call(Verb.GET, Form.REST_1, task="t1")
    request.target = b"/tasks/t1"
    assert call_of(request, None) == Call(Verb.GET, Form.REST_03, task="t1")


@pytest.mark.parametrize("rpc_id", [None, "a", 3, 1.5])
def test_the_id_of_a_call(rpc_id):
    call = read(rpc("GetTask", {"id": "t1"}, rpc_id))
    assert call is not None
    assert call.rpc_id == rpc_id


@pytest.mark.parametrize("body", [
    [], "x", 5, None, {"method": 5}, {"method": "tools/call"}, [rpc("GetTask", {"id": "t1"})]])
def test_what_is_no_call(body):
    assert read(body) is None


@pytest.mark.parametrize("params", [None, [], {"id": 5}, {"id": ""}, {"id": "x" * (MAX_ID + 1)}, {"id": {"a": 1}}])
def test_what_is_no_id(params):
    assert read(rpc("GetTask", params)) == Call(Verb.GET, Form.RPC_1, 7)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"method": "GetTask", "id": true}'])
def test_bad_bodies_are_ordinary(body):
    request, _ = post({})
    assert call_of(request, body) in (None, Call(Verb.GET, Form.RPC_1))
    request, _ = post({}, "/message:send")
    assert call_of(request, body) == Call(Verb.SEND, Form.REST_1)


def test_grpc_is_not_read():
    assert read(rpc("GetTask", {"id": "t1"}), **{"content-type": "application/grpc+proto"}) is None
