"""Tools of the conformance server (node_conformance.py) that need something of their client: asked for in the middle of
a call in the era with sessions, by a result that says what is missing in the era without.
"""

import json
from typing import Any

from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

MISSING_CAPABILITY = -32021

# What asks the client, in the era with sessions.


async def test_sampling(ctx: Context, prompt: str) -> str:
    """Has the client's model say something."""
    question = SamplingMessage(role="user", content=TextContent(text=prompt))
    said = await ctx.session.create_message([question], max_tokens=100, related_request_id=ctx.request_id)
    return f"LLM response: {said.content}"


async def elicit(ctx: Context, message: str, properties: dict[str, Any], required: list[str]) -> ElicitResult:
    schema = {"type": "object", "properties": properties, "required": required}
    return await ctx.session.elicit_form(message, schema, related_request_id=ctx.request_id)


async def test_elicitation(ctx: Context, message: str) -> str:
    """Asks the user."""
    said = await elicit(ctx, message, {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }, ["username", "email"])
    return f"User response: action: {said.action}, content: {said.content}"


async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
    """Asks the user, with defaults."""
    said = await elicit(ctx, "Please review", {
        "name": {"type": "string", "default": "John Doe"}, "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5}, "verified": {"type": "boolean", "default": True},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    }, [])
    return f"Elicitation completed: action={said.action}, content={json.dumps(said.content)}"


async def test_elicitation_sep1330_enums(ctx: Context) -> str:
    """Asks the user to choose."""
    plain = ["option1", "option2", "option3"]
    titled = [{"const": f"value{at}", "title": f"{name} Option"} for at, name in enumerate(("First", "Second"), 1)]
    said = await elicit(ctx, "Please choose", {
        "untitledSingle": {"type": "string", "enum": plain},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"],
                       "enumNames": ["Option One", "Option Two", "Option Three"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": plain}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    }, [])
    return f"Elicitation completed: action={said.action}, content={json.dumps(said.content)}"


# What asks the client, in the era without.


def form(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(text: str, tokens: int = 100) -> CreateMessageRequest:
    question = SamplingMessage(role="user", content=TextContent(text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[question], max_tokens=tokens))


def missing(ctx: Context, state: str | None = None, **asked: Any) -> InputRequiredResult | None:
    """What is still to be asked; None: all of it is here."""
    answers = ctx.input_responses or {}
    if all(name in answers for name in asked):
        return None
    return InputRequiredResult(input_requests=asked, request_state=state)


def answer(ctx: Context, name: str) -> Any:
    """What was answered. Raises MCPError for what cannot be an answer."""
    said = (ctx.input_responses or {})[name]
    return getattr(said, "content", None) or getattr(said, "roots", said)


async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
    """Needs a name."""
    return missing(ctx, user_name=form("What is your name?", "name")) or f"Hello, {answer(ctx, 'user_name')}!"


async def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
    """Needs a model."""
    return missing(ctx, capital_question=sampling("What is the capital of France?")) or str(
        answer(ctx, "capital_question"))


async def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
    """Needs roots."""
    return missing(ctx, client_roots=ListRootsRequest()) or f"roots: {answer(ctx, 'client_roots')}"


async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
    """Has its state carried by the client."""
    asked = missing(ctx, "state", confirm=form("Please confirm", "ok", "boolean"))
    return asked or ("state-ok" if ctx.request_state == "state" else "no state")


async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
    """Has its state carried by the client, who must not touch it."""
    return missing(ctx, "state", confirm=form("Please confirm", "ok", "boolean")) or "state-ok"


async def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
    """Needs all sorts of things."""
    asked = missing(ctx, "state", user_name=form("What is your name?", "name"),
                    greeting=sampling("Generate a greeting", 50), client_roots=ListRootsRequest())
    return asked or "all here"


async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
    """Asks twice."""
    if ctx.request_state is None:
        return missing(ctx, "1", step1=form("Step 1: What is your name?", "name")) or "no state"
    if ctx.request_state == "1":
        return missing(ctx, "2", step2=form("Step 2: What is your favorite color?", "color")) or "no state"
    return "done"


async def test_input_required_result_capabilities(ctx: Context) -> str | InputRequiredResult:
    """Asks for what the client can do."""
    can = ctx.client_capabilities
    asked: dict[str, Any] = {}
    if can is not None and can.sampling is not None:
        asked["sampled"] = sampling("Say something")
    if can is not None and can.elicitation is not None:
        asked["told"] = form("What is your name?", "name")
    return missing(ctx, **asked) or "done"


async def test_streaming_elicitation(ctx: Context) -> str | InputRequiredResult:
    """Says how far it is, and asks."""
    await ctx.report_progress(1, 2)
    return missing(ctx, told=form("What is your name?", "name")) or "done"


async def test_missing_capability(ctx: Context) -> str:
    """Cannot do without a model."""
    can = ctx.client_capabilities
    if can is None or can.sampling is None:
        raise MCPError(MISSING_CAPABILITY, "sampling is needed", {"requiredCapabilities": {"sampling": {}}})
    return "done"


async def test_input_required_result_prompt(ctx: Context) -> Any:
    """Needs to know more."""
    return missing(ctx, user_context=form("What context should the prompt use?", "context")) or "Go."


ASKING = (
    test_sampling,
    test_elicitation,
    test_elicitation_sep1034_defaults,
    test_elicitation_sep1330_enums,
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
    test_streaming_elicitation,
    test_missing_capability,
)
