"""The Model Context Protocol over Streamable HTTP.

    protocol    tells the era of a request, and reads it           jsonrpc     messages, and errors in their form
    sessions    2025: what all requests of a session share; GET    stateless   2026: requests that stand for themselves
    posts       2025: messages, and the answers to them            listen      2026: subscriptions
    memory      2025: what a new owner has to live through         headers     2026: what headers say of the body
    ids         2025: whose question a client answers
    delivered   what the client has of an answer                   safety      what may be sent to another node too
"""

from sbc.protocols.mcp.protocol import Mcp

__all__ = ["Mcp"]
