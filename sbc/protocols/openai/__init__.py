"""The OpenAI API, as inference servers speak it.

    protocol    its exchanges: what is learned, how streams end, go on and fail
    calls       which call a request is, which conversation it belongs to, whether it leaves anything behind
"""

from sbc.protocols.openai.protocol import OpenAi

__all__ = ["OpenAi"]
