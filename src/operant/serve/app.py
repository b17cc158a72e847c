"""The routes. fastapi is imported when the server is made. No pages about the routes: they would fetch scripts."""

import functools
import json
import secrets
from collections.abc import Callable
from typing import Any

from operant.errors import MissingExtra, OperantError
from operant.serve import replies
from operant.serve.model import Served
from operant.serve.requests import BadRequest, parse_chat, parse_completion
from operant.serve.reward import Rewarded

LOCAL = ("localhost", "127.0.0.1", "[::1]")


def create_app(served: Served | None = None, rewarded: Rewarded | None = None, *, local: bool = True) -> Any:
    """An ASGI application. `local` refuses requests that were addressed to another host.

    A web page can make a browser send requests here; asking for JSON as content type and for our own host name keeps
    it from spending the model's time and from reading answers.
    """
    try:
        from fastapi import FastAPI
        from starlette.exceptions import HTTPException
        from starlette.middleware.trustedhost import TrustedHostMiddleware
    except ImportError:
        raise MissingExtra("fastapi", "serve") from None
    app = FastAPI(title="operant", docs_url=None, redoc_url=None, openapi_url=None)
    if local:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(LOCAL))
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _crashed)
    if served is not None:
        app.add_route("/v1/models", _get(functools.partial(_models, served)), methods=["GET"])
        app.add_route("/v1/chat/completions", _post(functools.partial(_chat, served)), methods=["POST"])
        app.add_route("/v1/completions", _post(functools.partial(_complete, served)), methods=["POST"])
    if rewarded is not None:
        app.add_route("/get_reward", _post(rewarded.run), methods=["POST"])
    return app


def _models(served: Served) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": served.name, "object": "model", "created": 0, "owned_by": "operant"}]}


def _chat(served: Served, body: Any) -> Any:
    asked = parse_chat(body, model=served.name)
    say: dict[str, str] = {"model": served.name, "name": f"chatcmpl-{secrets.token_hex(12)}"}
    drawn = served.run(asked)
    return replies.events(drawn, asked, **say, is_chat=True) if asked.stream else replies.chat(drawn, asked, **say)


def _complete(served: Served, body: Any) -> Any:
    asked = parse_completion(body, model=served.name)
    say: dict[str, str] = {"model": served.name, "name": f"cmpl-{secrets.token_hex(12)}"}
    drawn = served.run(asked)
    return (
        replies.events(drawn, asked, **say, is_chat=False) if asked.stream else replies.completion(drawn, asked, **say)
    )


def _get(make: Callable[[], Any]) -> Any:
    from fastapi.responses import JSONResponse

    async def handle(request: Any) -> Any:
        assert request.method in ("GET", "HEAD")
        return JSONResponse(make())

    return handle


def _post(work: Callable[[Any], Any]) -> Any:
    """A handler that reads a JSON body, works in a thread, and turns refusals into OpenAI's errors."""
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import JSONResponse, StreamingResponse

    async def handle(request: Any) -> Any:
        try:
            made = await run_in_threadpool(work, _parsed(request.headers.get("content-type", ""), await request.body()))
        except BadRequest as error:
            return JSONResponse(replies.error(str(error), param=error.param, code=error.code), error.status)
        except OperantError as error:
            return JSONResponse(replies.error(str(error)), 400)
        return JSONResponse(made) if isinstance(made, dict) else StreamingResponse(made, media_type="text/event-stream")

    return handle


def _parsed(kind: str, raw: bytes) -> Any:
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise BadRequest(f"the content type is {kind!r}; expected application/json", status=415)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None


async def _no_route(request: Any, error: Any) -> Any:
    from fastapi.responses import JSONResponse

    told = f"nothing at {request.method} {request.url.path}: {error.detail}"
    return JSONResponse(replies.error(told), error.status_code)


async def _crashed(request: Any, error: Exception) -> Any:
    from fastapi.responses import JSONResponse

    told = f"{request.url.path} failed with {type(error).__name__}; the server's log says where"
    return JSONResponse(replies.error(told, kind="server_error"), 500)
