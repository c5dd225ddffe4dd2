"""Messages as the two public APIs document them, and as their clients write them."""

import base64
import json
import random

import pytest

from sbc.protocols.realtime import Realtime, RealtimeTurns

NOW = 1_760_000_000.0
AUDIO = base64.b64encode(bytes(12_000)).decode()


class Session:
    """A session that is listened to."""

    def __init__(self) -> None:
        self.turns = RealtimeTurns()

    def client(self, **message: object) -> bool:
        self.turns.said(True, json.dumps(message).encode(), NOW)
        return self.turns.under_way

    def server(self, **message: object) -> bool:
        self.turns.said(False, json.dumps(message, separators=(",", ":")).encode(), NOW)
        return self.turns.under_way


def done(*output: dict[str, object]) -> dict[str, object]:
    return {"type": "response.done", "event_id": "event_9", "response": {
        "object": "realtime.response", "id": "resp_1", "status": "completed", "output": list(output)}}


def test_a_route_has_a_listener_for_each_session():
    protocol = Realtime()
    assert protocol.turns
    assert protocol.listener() is not protocol.listener()


def test_a_turn_lasts_from_the_question_to_the_end_of_the_response():
    session = Session()
    assert not session.server(type="session.created", event_id="e", session={"id": "sess_1", "expires_at": 1760003600})
    assert session.turns.cap == 1760003600
    assert not session.client(type="conversation.item.create", item={"type": "message", "role": "user", "content": []})
    assert session.client(type="response.create")
    assert session.server(type="response.created", event_id="e", response={"id": "resp_1", "status": "in_progress"})
    assert session.server(type="response.output_audio.delta", event_id="e", delta=AUDIO)
    assert not session.server(**done({"type": "message", "role": "assistant"}))


def test_the_type_may_stand_anywhere():
    session = Session()
    assert session.client(event_id="event_1", type="response.create")
    assert session.server(event_id="e", response={"object": "realtime.response"}, type="response.created")
    assert not session.server(response={"type": "x", "output": [], "padding": AUDIO}, type="response.done")


def test_a_turn_lasts_while_the_client_computes_a_function():
    session = Session()
    session.client(type="response.create")
    session.server(type="response.created", response={})
    assert session.server(**done({"type": "function_call", "name": "weather", "call_id": "call_1"}))
    session.client(type="conversation.item.create", item={"type": "function_call_output", "call_id": "call_1"})
    assert session.client(type="response.create")
    session.server(type="response.created", response={})
    assert not session.server(**done({"type": "message"}))


def test_what_the_user_says_belongs_to_the_turn():
    session = Session()
    assert not session.client(type="input_audio_buffer.append", audio=AUDIO)
    assert session.server(type="input_audio_buffer.speech_started", audio_start_ms=100, item_id="item_1")
    assert session.server(type="input_audio_buffer.speech_stopped", audio_end_ms=900, item_id="item_1")
    assert session.server(type="input_audio_buffer.committed", item_id="item_1")
    assert session.server(type="response.created", response={})
    assert not session.server(**done())


@pytest.mark.parametrize("end", [
    "input_audio_buffer.cleared", "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed"])
def test_speech_that_nobody_answers_ends_when_it_was_written_down(end):
    session = Session()
    session.server(type="input_audio_buffer.speech_started")
    assert not session.server(type=end, item_id="item_1")


def test_a_transcription_does_not_end_a_response():
    session = Session()
    session.server(type="input_audio_buffer.speech_started")
    session.server(type="response.created", response={})
    assert session.server(type="conversation.item.input_audio_transcription.completed", transcript="hi")
    assert not session.server(**done())


def test_a_response_that_was_not_begun_is_not_waited_for():
    session = Session()
    session.client(type="response.create")
    assert not session.server(type="error", error={"type": "invalid_request_error", "code": "x", "message": "no"})
    assert session.turns.cap is None


def test_an_expired_session_is_at_its_cap():
    session = Session()
    session.server(type="error", error={"type": "invalid_request_error", "code": "session_expired", "message": "60 m"})
    assert session.turns.cap == NOW


def test_two_responses_at_once():
    session = Session()
    session.server(type="response.created", response={})
    session.server(type="response.created", response={})
    assert session.server(**done())
    assert not session.server(**done())
    assert not session.server(**done())


def test_only_the_side_that_may_say_it_is_believed():
    session = Session()
    assert not session.server(type="response.create")
    assert not session.client(type="response.created", response={})
    session.client(type="session.created", session={"expires_at": 1})
    assert session.turns.cap is None


def test_words_in_what_is_said_are_not_messages():
    session = Session()
    said = {"type": "response.created", "quote": '{"type": "response.create"}'}
    assert not session.client(type="conversation.item.create", item={"content": [{"text": json.dumps(said)}]})
    assert not session.client(item={"content": [{"text": json.dumps(said)}]}, type="conversation.item.create")


def test_a_new_owner_begins_anew():
    session = Session()
    session.server(type="session.created", session={"expires_at": 1760003600})
    session.client(type="response.create")
    session.turns.moved()
    assert not session.turns.under_way
    assert session.turns.cap is None


def test_gemini_a_turn_lasts_until_it_is_complete():
    session = Session()
    assert not session.client(setup={"model": "models/gemini-live"})
    assert not session.server(setupComplete={})
    assert not session.client(realtimeInput={"audio": {"data": AUDIO, "mimeType": "audio/pcm;rate=16000"}})
    audio = {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": AUDIO}}]}}
    assert session.server(serverContent=audio)
    assert session.server(serverContent=audio)
    assert session.server(serverContent={"generationComplete": True})
    assert not session.server(serverContent={"turnComplete": True}, usageMetadata={"totalTokenCount": 9})


@pytest.mark.parametrize("asked", [
    {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "hi"}]}], "turnComplete": True}},
    {"client_content": {"turns": [], "turn_complete": True}},
    {"realtimeInput": {"text": "hi"}},
    {"realtime_input": {"activity_start": {}}},
    {"toolResponse": {"functionResponses": [{"id": "1", "name": "f", "response": {}}]}},
])
def test_gemini_what_the_client_asks_begins_a_turn(asked):
    session = Session()
    assert session.client(**asked)
    assert session.server(serverContent={"interrupted": True})
    assert not session.server(usageMetadata={}, serverContent={"turnComplete": True})


def test_gemini_a_part_of_a_turn_is_not_a_question():
    assert not Session().client(clientContent={"turns": [{"role": "user", "parts": []}], "turnComplete": False})


def test_gemini_a_function_call_belongs_to_the_turn():
    session = Session()
    assert session.server(toolCall={"functionCalls": [{"id": "1", "name": "f", "args": {}}]})
    assert session.client(toolResponse={"functionResponses": []})
    assert not session.server(serverContent={"turnComplete": True})


def test_gemini_what_cannot_be_resumed_is_not_moved():
    session = Session()
    assert not session.server(sessionResumptionUpdate={"newHandle": "h1", "resumable": True})
    assert session.server(sessionResumptionUpdate={})
    assert not session.server(sessionResumptionUpdate={"newHandle": "h2", "resumable": True})


@pytest.mark.parametrize(("left", "cap"), [("50s", NOW + 50), ("9.500s", NOW + 9.5), ("soon", NOW), (None, NOW)])
def test_gemini_says_when_it_goes(left, cap):
    session = Session()
    session.server(goAway={"timeLeft": left})
    assert session.turns.cap == cap


def test_audio_is_not_parsed(monkeypatch):
    session, parsed = Session(), []
    session.server(serverContent={"modelTurn": {}})

    class Watched:
        JSONDecodeError = ValueError
        loads = staticmethod(parsed.append)

    monkeypatch.setattr("sbc.protocols.realtime.orjson", Watched)
    session.client(type="input_audio_buffer.append", audio=AUDIO)
    session.client(event_id="event_77", type="input_audio_buffer.append", audio=AUDIO)
    session.client(realtimeInput={"audio": {"data": AUDIO, "mimeType": "audio/pcm"}})
    session.server(type="response.output_audio.delta", event_id="e", delta=AUDIO)
    session.server(type="response.output_audio_transcript.delta", delta="response.done")
    session.server(serverContent={"modelTurn": {"parts": [{"inlineData": {"data": AUDIO}}]}})
    assert parsed == []


@pytest.mark.parametrize("payload", [
    b"", b"{", b"\xff\xfe\x00", b'{"type": "response.create"', b"[1]", b'{"type": "response.done", "response": 5}',
    b'{"type": "session.created", "session": {"expires_at": "x"}}', b'{"serverContent": {"turnComplete": 1}}',
    b'{"type": "response.done", "response": {"output": [null]}}', b'{"goAway": [1]}', b'{"type":' + b"[" * 5000,
    b'{"goAway":' + b'{"a":' * 5000, b'{"type": "session.created", "session": {"expires_at": true}}', b" " * 100_000])
def test_what_is_no_message_of_theirs_says_nothing(payload):
    turns = RealtimeTurns()
    for from_client in (True, False):
        turns.said(from_client, payload, NOW)
    assert not turns.under_way
    assert turns.cap is None


def test_no_octets_do_harm():
    turns, dice = RealtimeTurns(), random.Random(7)
    seeds = [b'{"type": "response.create"}', b'{"serverContent": {"modelTurn": {}}}', b'{"goAway": {"timeLeft": "5s"}}']
    for _ in range(3000):
        payload = bytearray(dice.choice(seeds))
        for _ in range(dice.randrange(4)):
            payload[dice.randrange(len(payload))] = dice.randrange(256)
        turns.said(dice.random() < 0.5, bytes(payload), NOW)
