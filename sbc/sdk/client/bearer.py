"""Who the client is: a bearer token, got afresh for each hello, and again before the edge has to end the session."""

import asyncio
from collections.abc import Awaitable, Callable

from sbc.sdk.client.contract import Unreachable

Token = Callable[[], Awaitable[str]]
"""Gets a token that is good for a while; OSError: not now."""

RENEWED = 0.8
"""After which share of its time a token is replaced."""


class Bearer:
    """Shows the tokens of one session. token: None: it has none to show."""

    def __init__(self, token: Token | None) -> None:
        self._token = token
        self.expires: float | None = None
        """For how many seconds the edge knows who we are, from the last hello on; None: for good."""

    async def fields(self) -> dict[str, str]:
        """What a hello says of it. Raises Unreachable: there is none to be had at the moment."""
        if self._token is None:
            return {}
        try:
            return {"authorization": f"Bearer {await self._token()}"}
        except OSError as fault:
            raise Unreachable(f"no token: {fault}") from None

    async def fades(self) -> None:
        """Return when it is time to show another one."""
        if self._token is None or self.expires is None:
            await asyncio.get_running_loop().create_future()
        else:
            await asyncio.sleep(self.expires * RENEWED)
