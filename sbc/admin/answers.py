"""How the admin API says yes and no: JSON bodies, and errors with the honest status (docs/DESIGN.md section 5.6)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from sbc.model.errors import ConfigError, Refusal, StoreError
from sbc.telemetry import logs

_log = logs.get("sbc.admin")

_CODES = {404: "not_found", 405: "wrong_method", 413: "too_big"}


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON body; what JSON has no form for is written as text."""
    body = orjson.dumps(value, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")


def fault(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, faults: Sequence[str] = (),
) -> web.Response:
    """An error in the one form that all of them have; `faults` are the lines of a faulty configuration."""
    error: dict[str, Any] = {"code": code, "message": message}
    if faults:
        error["faults"] = list(faults)
    return answer({"error": error}, status, headers)


def bad_request(message: str) -> Refusal:
    """The asker's mistake; `message` says what would be right."""
    return Refusal(400, "bad_request", message)


@web.middleware
async def honest(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns everything that goes wrong into an error in JSON."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return fault(refusal.status, refusal.code, refusal.detail, headers=_refusal_headers(refusal))
    except ConfigError as error:
        count = len(error.faults)
        message = f"the configuration has {count} fault{'s' * (count != 1)}: nothing was changed"
        return fault(422, "bad_config", message, faults=error.faults)
    except StoreError as error:
        return fault(503, "store_failed", str(error), headers={"Retry-After": "1"})
    except web.HTTPException as error:
        return _of_http(request, error)
    except Exception as error:  # convention 9 bent: here it is the only way to answer in JSON, and it is logged
        _log.crash("admin_crashed", error, method=request.method, path=request.path)
        return fault(500, "internal", "the edge failed to do this; its log says why")


async def plain_head(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer: what is asked here is never to be cached, sniffed or framed."""
    response.headers["Server"] = "sbc"
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"


def _of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    match error:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            return fault(405, _CODES[405], f"{request.method} does not apply to {request.path}: {allowed} does",
                         headers={"Allow": allowed})
        case web.HTTPNotFound():
            return fault(404, _CODES[404], f"there is nothing at {request.path}")
        case _:
            return fault(error.status, _CODES.get(error.status, "bad_request"), error.text or error.reason)


def _refusal_headers(refusal: Refusal) -> dict[str, str]:
    headers = dict(refusal.headers)
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(refusal.retry_after))
    return headers
