"""The way to the issuers of bearer tokens: their public keys (RFC 7517), fetched from a URL. F3: a door like any other.

What is fetched decides who may come in: redirections are not followed, proxies of the environment are not asked, and
what is longer than a key set can sensibly be is not read.
"""

import asyncio
import ssl
from typing import Final

import aiohttp
from joserfc.jwk import KeySet

from sbc.core.tokens import key_set

LONGEST_JWKS: Final = 1024 * 1024
"""Bytes."""
FETCH_TIMEOUT: Final = 5.0
"""Seconds for all of it."""


def trusted(ca: str | None) -> ssl.SSLContext:
    """Whom to believe that he is the issuer's host: the authorities in a PEM file, or the system's. Raises OSError or
    ssl.SSLError."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def fetch(url: str, trust: ssl.SSLContext) -> KeySet:
    """The keys that are published at a URL. Raises OSError, whose text says why there are none."""
    try:
        async with asyncio.timeout(FETCH_TIMEOUT), aiohttp.ClientSession(trust_env=False) as http, http.get(
                url, ssl=trust, allow_redirects=False, headers={"Accept": "application/jwk-set+json, application/json"}
        ) as answer:
            if answer.status != 200:
                raise OSError(f"{url}: answered with status {answer.status}")
            text = await answer.content.read(LONGEST_JWKS + 1)
            while len(text) <= LONGEST_JWKS and (more := await answer.content.read(LONGEST_JWKS + 1 - len(text))):
                text += more
    except TimeoutError:
        raise OSError(f"{url}: no answer within {FETCH_TIMEOUT:g}s") from None
    except aiohttp.ClientError as error:
        raise OSError(f"{url}: {error or type(error).__name__}") from None
    return read(text, url)


def read(text: bytes, whence: str) -> KeySet:
    """The keys in a text. Raises OSError with whence it is."""
    if len(text) > LONGEST_JWKS:
        raise OSError(f"{whence}: more than {LONGEST_JWKS} bytes")
    try:
        return key_set(text)
    except ValueError as error:
        raise OSError(f"{whence}: {error}") from None
