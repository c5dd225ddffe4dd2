"""Text: JSON of each protocol, server-sent events, tokens, receipts, signals, orders, the configuration."""

import base64
import json
import time
from contextlib import suppress
from functools import partial

import orjson

from sbc.config import parse
from sbc.core import keys, provenance, screening
from sbc.core.abuse import Blotter
from sbc.core.receipt import GENESIS, seal_record
from sbc.core.seal import Seal
from sbc.core.tokens import BadToken, Tokens, key_set
from sbc.core.verdict import FAULTS_LISTED, verify_lines
from sbc.kernel import orders
from sbc.model.abuse import AbuseRules
from sbc.model.errors import ConfigError, Refusal
from sbc.model.http import Request, Response
from sbc.model.identity import Jwt
from sbc.model.ids import PrincipalId, SessionId
from sbc.model.route import KeySource, SessionKey
from sbc.nodes import signals
from sbc.protocols import events
from sbc.protocols.a2a import A2A
from sbc.protocols.agentcore import AgentCore
from sbc.protocols.events import Scanner
from sbc.protocols.mcp import Mcp
from sbc.protocols.openai import OpenAi
from sbc.protocols.protocol import Protocol
from sbc.protocols.realtime import Realtime
from sbc.protocols.sse import Sse
from tests.config.written import LEAST
from tests.core.test_tokens import Held
from tests.fuzz.subject import Subject, in_pieces, salt_of
from tests.support.issuer import AUDIENCE, ISSUER, Issuer

PRINCIPAL = PrincipalId("jwt:https://idp.example#ann")
SEAL = Seal({"k1": bytes(range(32))})
TOKEN = SEAL.seal(SessionId("s-1"), PRINCIPAL, bytes(12))
ISSUED = Issuer()
TOKENS = Tokens(Jwt("", ISSUER, AUDIENCE, ("ES256",), "sub", 30.0), Held(ISSUED))
GOOD = ISSUED.token("ann")
SEPARATOR = b"\xfe\xfd"
MCP = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":1}}}'
TASK = (b'{"jsonrpc":"2.0","id":1,"method":"SendStreamingMessage","params":{"message":{"messageId":"m","contextId":"c",'
       b'"taskId":"t","parts":[{"text":"x"}]}}}')
CHAT = (b'{"model":"m","stream":true,'
        b'"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"text":"x"}]}]}')
TARGETS = (
    b"/v1/chat/completions", b"/v1/responses", b"/v1/responses/r-1?stream=true&starting_after=2", b"/mcp", b"/",
    b"/message:stream", b"/tasks/t:subscribe", b"/invocations", b"/.well-known/agent-card.json",
)  # fmt: skip


def _protocol(name: str, data: bytes) -> None:
    """A client's request, the node's answer, and what the protocol makes of both."""
    protocol = PROTOCOLS[name]
    place, _, rest = data.partition(SEPARATOR)
    body, _, said = rest.partition(SEPARATOR)
    salt = salt_of(place)
    request = Request((b"POST", b"GET", b"DELETE")[salt % 3], TARGETS[salt // 3 % len(TARGETS)], b"a", [
        (b"accept", b"text/event-stream, application/json"), (b"content-type", b"application/json"),
        (b"mcp-session-id", place[:32]), (b"last-event-id", place[:64]), (b"a2a-version", place[1:5]),
    ], bodied=bool(body), length=len(body))  # fmt: skip
    whole = body if protocol.wants_body(request) else None
    try:
        reading = protocol.read(request, whole)
    except Refusal:
        return
    assert all(key.value is not None for key in reading.keys)
    conversation = protocol.converse()
    reading.joins(conversation)
    reading.outgoing(request, conversation)
    streamed = bool(salt & 64)
    kind = b"text/event-stream" if streamed else b"application/json"
    response = Response(200, [(b"content-type", kind), (b"mcp-session-id", place[:16])])
    reading.answered(response, lambda: b"token", conversation)
    if streamed:
        for event in Scanner(1 << 16).feed(said):
            reading.event(event)
        reading.complete()
        reading.resume(place[:32])
    elif reading.wants_answer:
        reading.whole_answer(said)
    reading.last_words(begun=streamed)
    reading.refusal(Refusal(503, "no_node", "none"))
    conversation.load(conversation.dump())
    listener = protocol.listener()
    if listener is not None:
        for side in (True, False):
            listener.said(side, body, 1.0)
            listener.said(not side, said, 2.0)


def sse(data: bytes) -> None:
    def cut(pieces: list[bytes]) -> tuple[list[object], bool]:
        """What the events say; comments, which are passed on at once, may stand alone or before one."""
        scanner = Scanner(2048)
        got: list[object] = []
        for piece in pieces:
            for event in scanner.feed(piece):
                assert len(event) <= 2048
                for reads in (events.event_name, events.event_data, events.has_data, events.without_id):
                    reads(event)
                numbered = b"id: sbc-1\n" + events.without_id(event)
                assert events.event_id(numbered) == b"sbc-1"
                if events.has_data(event):
                    got.append((events.event_id(event), events.event_name(event), events.event_data(event)))
        return got, bool(scanner.fault)
    whole, pieces = cut([data]), cut(list(in_pieces(data, salt_of(data))))
    assert whole == pieces, (whole, pieces)


def tokens(data: bytes) -> None:
    for token in (data, b".".join([data, *GOOD.encode().split(b".")[1:]])):
        try:
            identity = TOKENS.identify(token, time.time())
        except BadToken:
            continue
        assert token == GOOD.encode() and identity.principal == PRINCIPAL
    with suppress(ValueError):
        key_set(data)


def _segment(text: bytes) -> bytes:
    return base64.urlsafe_b64encode(text).rstrip(b"=")


def token_parts(data: bytes) -> None:
    """The header and the claims of a token, whatever JSON they are."""
    header, _, claims = data.partition(SEPARATOR)
    tokens(b".".join([_segment(header), _segment(claims), _segment(bytes(64))]))


def _octets(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.partition(".")[2] + "==")


def seals(data: bytes) -> None:
    text = data.decode("latin-1")
    for token in (text, "k1." + text, TOKEN[: len(TOKEN) // 2] + text):
        opened = SEAL.open(token, PRINCIPAL)
        assert opened is None or _octets(token) == _octets(TOKEN)
        assert SEAL.open_key(token, PRINCIPAL) is None
        SEAL.ours(token)


def receipts(data: bytes) -> None:
    verdict = verify_lines(data.splitlines(keepends=True), None)
    assert len(verdict.faults) <= FAULTS_LISTED


def trunk(data: bytes) -> None:
    try:
        message = signals.parse(data)
    except signals.Malformed:
        return
    assert signals.parse(orjson.dumps(message)) == message


def kernel(data: bytes) -> None:
    try:
        order = orders.decode(data)
    except orders.OrderError:
        return
    assert orders.decode(orders.encode(order)) == order


def configuration(data: bytes) -> None:
    for text in (data.decode("utf-8", "replace"), LEAST + data.decode("latin-1")):
        try:
            parse(text, "f")
        except ConfigError as error:
            assert error.faults and all("\n" not in fault for fault in error.faults)


def session_keys(data: bytes) -> None:
    value, _, body = data.partition(SEPARATOR)
    request = Request(b"POST", b"/a?" + value, b"a", [(b"cookie", value), (b"authorization", b"Bearer " + value),
                                                     (b"session-id", value)], bodied=True)  # fmt: skip
    for source, name in ((KeySource.COOKIE, "k"), (KeySource.QUERY, "k"), (KeySource.CLAIM, "sub"),
                         (KeySource.BODY, "a.b"), (KeySource.HEADER, "session-id"), (KeySource.PATH, "0")):  # fmt: skip
        with suppress(Refusal):
            keys.route_key(request, SessionKey(source, name), body)
        keys.minted([(b"set-cookie", value)], SessionKey(source, name))
    with suppress(Refusal):
        keys.session_token(request)


def addresses(data: bytes) -> None:
    for names in ((b"x-forwarded-for",), (b"forwarded",), (b"forwarded", b"x-forwarded-for")):
        fields = [(name, data) for name in names]
        request = Request(b"GET", b"/", b"a", fields, client="192.0.2.1")
        try:
            provenance.trace(request, 2)
        except Refusal:
            continue
        assert "\n" not in request.client
    Blotter(AbuseRules()).charge("malformed", data.decode("latin-1"), 1.0)
    with suppress(Refusal):
        screening.check_target(data.decode("latin-1"))


PROTOCOLS: dict[str, Protocol] = {
    "mcp": Mcp(trust_annotations=True), "a2a": A2A(deduplicates=True, prefix="/"), "openai": OpenAi(), "sse": Sse(),
    "agentcore": AgentCore(), "realtime": Realtime(),
}  # fmt: skip
SAID = (
    (MCP, b'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'),
    (TASK, b'data: {"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t","contextId":"c","status":{"state":1}}}}\n\n'),
    (CHAT, b'data: {"id":"r","choices":[{"delta":{"content":"x"}}]}\n\ndata: [DONE]\n\n'),
    (b'{"type":"response.create"}', b'{"type":"response.done","response":{"output":[{"type":"function_call"}]}}'),
)

SUBJECTS = (
    *(Subject(name, partial(_protocol, name), tuple(SEPARATOR.join((b"%d" % salt, *said)) for salt in (1, 77)
                                                    for said in SAID)) for name in PROTOCOLS),
    Subject("events", sse, (b"id: 1\r\nevent: x\r\ndata: y\r\n\r\n", b": c\n\ndata\n\n\xef\xbb\xbfdata: z\r\r")),
    Subject("tokens", tokens, (GOOD.encode(), json.dumps(ISSUED.jwks()).encode())),
    Subject("token_parts", token_parts, (b'{"alg":"ES256","kid":"k1"}' + SEPARATOR + b'{"sub":"x","exp":1e99}',
                                         b"[" * 5000 + SEPARATOR + b"{}")),
    Subject("seals", seals, (TOKEN.encode(), b"k1.AAAA")),
    Subject("receipts", receipts, (seal_record(GENESIS, {"session": "s"}, None)[0], b"{}\n")),
    Subject("trunk", trunk, (
        b'{"type":"checkpoint","session":"s","epoch":1,"received":2,"sent":3,"state":"x","answers":{"7":1}}',
        b'{"type":"register","node":"n","pool":"p","url":"http://h:1","checkpoints":true}', b'{"type":"heartbeat"}',
    )),
    Subject("kernel", kernel, (b'{"order":"block","source":"192.0.2.1","seconds":60}',
                               b'{"order":"shape","device":"eth0","rate":9000,"shares":[{"dscp":46,"rate":100}]}')),
    Subject("configuration", configuration, (LEAST.encode(), b"abuse: {refuse: 7, period: 1m, exempt: [10.0.0.0/8]}\n",
                                             b"policies: {p: {limits: {body: 1MiB}, access: {deny: []}}}\n")),
    Subject("session_keys", session_keys, (b"k=v; x=y" + SEPARATOR + b'{"a":{"b":7}}', GOOD.encode() + SEPARATOR)),
    Subject("addresses", addresses, (b"192.0.2.1, [2001:db8::1]:80, unknown", b'for="[::1]:4711";proto=https, for=_x')),
)  # fmt: skip
