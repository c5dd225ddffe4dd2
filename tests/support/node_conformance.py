"""The server that the MCP conformance suite wants to talk to: its tools, resources and prompts, on the official SDK.

    python -m tests.support.node_conformance --name a --port 9001 --history FILE

What it has to do is said by the suite (`conformance server --help`, and the descriptions of its scenarios); both eras
are served at /mcp.
"""

import argparse
import base64
import json
from typing import Annotated, Any

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    AudioContent,
    Completion,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from tests.support.conformance_asking import ASKING, test_input_required_result_prompt
from tests.support.history import History
from tests.support.mcp_events import Events

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
WAV = base64.b64encode(b"RIFF\x26\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00"
                       b"\x02\x00\x10\x00data\x02\x00\x00\x00\x00\x00").decode()

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": {"$anchor": "addressDef", "type": "object",
                          "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
    "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
                   "contactMethod": {"type": "string", "enum": ["phone", "email"]},
                   "phone": {"type": "string"}, "email": {"type": "string"}},
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

mcp = MCPServer("conformance", version="1", log_level="CRITICAL")
low = mcp._lowlevel_server


def image() -> ImageContent:
    return ImageContent(data=PNG, mime_type="image/png")


def resource(uri: str, text: str, kind: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=kind, text=text))


# Plain tools.


@mcp.tool()
def test_simple_text() -> str:
    """Says a text."""
    return "This is a simple text response for testing."


@mcp.tool(structured_output=False)
def test_image_content() -> list[ImageContent]:
    """Gives an image."""
    return [image()]


@mcp.tool(structured_output=False)
def test_audio_content() -> list[AudioContent]:
    """Gives a sound."""
    return [AudioContent(data=WAV, mime_type="audio/wav")]


@mcp.tool(structured_output=False)
def test_embedded_resource() -> list[EmbeddedResource]:
    """Gives a resource."""
    return [resource("test://embedded-resource", "This is an embedded resource content.")]


@mcp.tool(structured_output=False)
def test_multiple_content_types() -> list[Any]:
    """Gives some of everything."""
    data = resource("test://mixed-content-resource", json.dumps({"test": "data", "value": 123}), "application/json")
    return [TextContent(text="Multiple content types test:"), image(), data]


@mcp.tool()
def test_error_handling() -> str:
    """Fails."""
    raise ValueError("This tool intentionally returns an error for testing")


@mcp.tool()
async def test_tool_with_logging(ctx: Context) -> str:
    """Logs what it does."""
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(text)
        await anyio.sleep(0.05)
    return "logged"


@mcp.tool()
async def test_logging_tool(ctx: Context) -> str:
    """Logs what it does, for whoever wants it."""
    await ctx.info("working")
    return "logged"


@mcp.tool()
async def test_tool_with_progress(ctx: Context) -> str:
    """Says how far it is."""
    for step in (0, 50, 100):
        await ctx.report_progress(step, 100)
        await anyio.sleep(0.05)
    return "done"


@mcp.tool()
async def test_reconnection(ctx: Context) -> str:
    """Closes its stream, and goes on."""
    await ctx.close_sse_stream()
    await anyio.sleep(0.1)
    return "Reconnection test completed"


@mcp.tool()
async def test_trigger_tool_change(ctx: Context) -> str:
    """Says that the tools have changed."""
    await ctx.notify_tools_changed()
    return "changed"


@mcp.tool()
async def test_trigger_prompt_change(ctx: Context) -> str:
    """Says that the prompts have changed."""
    await ctx.notify_prompts_changed()
    return "changed"


@mcp.tool()
def test_custom_headers(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "",
    priority: Annotated[int, Field(json_schema_extra={"x-mcp-header": "Priority"})] = 0,
) -> str:
    """Has parameters that stand in headers too."""
    return f"{region} {priority}"


# Resources and prompts.


@mcp.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


@mcp.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """An image."""
    return base64.b64decode(PNG)


@mcp.resource("test://watched-resource", mime_type="text/plain")
def watched() -> str:
    """Something to subscribe to."""
    return "watched"


@mcp.resource("test://template/{id}/data", mime_type="application/json")
def template(id: str) -> str:
    """One of many."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@mcp.prompt()
def test_simple_prompt() -> str:
    """Says a text."""
    return "This is a simple prompt for testing."


@mcp.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Says what it was given."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@mcp.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
    """Gives a resource."""
    return [UserMessage(resource(resourceUri, "Embedded resource content for testing.")),
            UserMessage("Please process the embedded resource above.")]


@mcp.prompt()
def test_prompt_with_image() -> list[UserMessage]:
    """Gives an image."""
    return [UserMessage(image()), UserMessage("Please analyze the image above.")]


@mcp.completion()
async def complete(*_: object) -> Completion:
    return Completion(values=["paris", "park", "party"], total=3, has_more=False)


def json_schema_2020_12_tool() -> str:
    """Tool with JSON Schema 2020-12 features."""
    return "ok"


mcp._tool_manager.add_tool(json_schema_2020_12_tool).parameters = SCHEMA
for tool in ASKING:
    mcp.add_tool(tool, structured_output=False)
mcp.prompt()(test_input_required_result_prompt)


async def agree(_: object, __: object) -> EmptyResult:
    return EmptyResult()


low.add_request_handler("resources/subscribe", SubscribeRequestParams, agree)
low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, agree)
low.add_request_handler("logging/setLevel", SetLevelRequestParams, agree)


@mcp.custom_route("/healthz", methods=["GET"])
async def health(_: Request) -> PlainTextResponse:
    return PlainTextResponse("well\n")


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--history", required=True)
    options = parser.parse_args()
    History(options.history).write("serving")
    app = mcp.streamable_http_app(event_store=Events(), retry_interval=200)
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
