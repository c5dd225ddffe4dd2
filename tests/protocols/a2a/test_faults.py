"""Errors that the edge writes, as the official clients read them."""

import json

import httpx
import pytest
from a2a.client.client import ClientCallContext
from a2a.client.errors import A2AClientError
from a2a.client.transports.jsonrpc import JsonRpcTransport
from a2a.client.transports.rest import RestTransport
from a2a.compat.v0_3.jsonrpc_transport import CompatJsonRpcTransport
from a2a.compat.v0_3.rest_transport import CompatRestTransport
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import InternalError, TaskNotFoundError

from sbc.model.errors import Outcome, Refusal
from sbc.model.http import Request, Response
from sbc.protocols.a2a import A2A
from sbc.protocols.a2a.calls import Form
from sbc.protocols.protocol import Conversation, Reading
from tests.protocols.a2a.shapes import STATES, answer, get, result, task

TRANSPORTS = {Form.RPC_1: JsonRpcTransport, Form.REST_1: RestTransport, Form.RPC_03: CompatJsonRpcTransport,
              Form.REST_03: CompatRestTransport}


def client(form: Form, answered):
    """An official client; answered: what the edge does with a reading."""

    def send(request: httpx.Request) -> httpx.Response:
        fields = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
        ours = Request(request.method.encode(), request.url.raw_path, b"edge.example", fields)
        return answered(A2A().read(ours, request.content))

    card = a2a.AgentCard(name="x")
    return TRANSPORTS[form](httpx.AsyncClient(transport=httpx.MockTransport(send)), card, "http://edge.example/agent")


def request() -> a2a.SendMessageRequest:
    return a2a.SendMessageRequest(message=a2a.Message(message_id="m", role=a2a.ROLE_USER, parts=[a2a.Part(text="x")]))


def lost(reading: Reading) -> httpx.Response:
    words = reading.last_words(begun=False)
    return httpx.Response(words.status, content=words.body, headers={"content-type": words.content_type.decode()})


@pytest.mark.parametrize("form", list(Form))
async def test_an_unknown_outcome(form):
    with pytest.raises((InternalError, A2AClientError), match="it may have acted on this") as raised:
        await client(form, lost).send_message(request(), context=ClientCallContext())
    if not form.old:
        assert raised.value.data == {"outcome": "unknown"}


@pytest.mark.parametrize("form", list(Form))
async def test_an_unknown_outcome_in_a_stream(form):
    def answered(reading: Reading) -> httpx.Response:
        event = b"data: " + answer(form, result(form, task(STATES.TASK_STATE_WORKING))) + b"\n\n"
        kind = (b"content-type", b"text/event-stream")
        reading.answered(Response(200, [kind]), lambda: b"", Conversation())
        reading.event(event)
        return httpx.Response(200, content=event + reading.last_words(begun=True).body, headers=[kind])

    told = []
    with pytest.raises((InternalError, A2AClientError), match="it may have acted on this"):
        async for item in client(form, answered).send_message_streaming(request(), context=ClientCallContext()):
            told.append(item.WhichOneof("payload"))
    assert told == ["task"]


def refuse(status: int, code: str):
    def answered(reading: Reading) -> httpx.Response:
        response, body = reading.refusal(Refusal(status, code, "no"))
        assert response.length == len(body)
        return httpx.Response(response.status, content=body, headers=response.fields)

    return answered


@pytest.mark.parametrize("form", [Form.REST_1, Form.REST_03])
async def test_a_session_that_is_gone_is_a_task_that_is(form):
    with pytest.raises(TaskNotFoundError):
        await client(form, refuse(404, "session_gone")).get_task(
            a2a.GetTaskRequest(id="t"), context=ClientCallContext())


@pytest.mark.parametrize(("status", "name"), [
    (400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (429, "RESOURCE_EXHAUSTED"),
    (503, "UNAVAILABLE"), (504, "DEADLINE_EXCEEDED"), (500, "INTERNAL")])
def test_refusals_keep_their_status(status, name):
    refused = Refusal(status, "x", "no", outcome=Outcome.NOT_SENT)
    response, body = A2A().read(get("/agent/tasks/t"), None).refusal(refused)
    assert response.status == status
    error = json.loads(body)["error"]
    assert (error["code"], error["status"], error["message"]) == (status, name, "no")
    assert error["details"][0]["metadata"] == {"outcome": "not-sent", "taskId": "t"}


@pytest.mark.parametrize("form", [Form.RPC_1, Form.RPC_03])
async def test_refusals_over_json_rpc_carry_the_id(form):
    told = []

    def answered(reading: Reading) -> httpx.Response:
        told.append(json.loads(reading.refusal(Refusal(503, "shed", "no"))[1]) | {"asked": reading.call.rpc_id})
        return httpx.Response(503)

    with pytest.raises(A2AClientError):
        await client(form, answered).send_message(request(), context=ClientCallContext())
    assert told[0]["id"] == told[0]["asked"] is not None
    assert told[0]["error"]["code"] == -32603
