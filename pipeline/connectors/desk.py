"""The desk: statements over HTTP, for case systems. ``POST /v1/statements`` takes ``schemas/annotation.made.v1``, one or a
list of them, and answers ``schemas/statements-told.v1``.

Rule 1: all of a request is taken or none of it. ``200`` means that every in-sync replica of the broker has all of it.
Rule 2: a sender that heard nothing sends the same again, with the same ``annotation_id``: only the first counts. Another
statement under an id that was used is refused, with both sides: a correction is a statement of its own.
Rule 3: a statement without ``made_at`` is dated when it is received; one dated otherwise is refused (article 9).
Rule 4: nobody speaks without the token, and no request is read beyond the limits. TLS is a proxy's business; the address is
this machine's own unless the settings say otherwise.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

import schemas
from pipeline.domain.annotation import Annotation
from pipeline.domain.errors import BrokerUnavailable
from pipeline.domain.policy import Policy
from pipeline.domain.statement import Language
from pipeline.domain.time import to_rfc3339
from pipeline.ports import Clock
from pipeline.wire.statements import Told, take, told_report, unlike

MOST_BYTES: Final = 1 << 20
MOST_AT_ONCE: Final = 1000
PATIENCE_S: Final = 15.0
"""For a request's body to arrive."""
LEAST_TOKEN_CHARS: Final = 16

_PROBLEMS: Final[Mapping[str, tuple[int, str, str]]] = {
    "token": (401, "send the token as `Authorization: Bearer …`", "请以 `Authorization: Bearer …` 提供令牌"),
    "path": (404, "there is nothing here; POST /v1/statements", "此处无内容；请使用 POST /v1/statements"),
    "method": (405, "this method is not taken here; POST /v1/statements", "不接受此方法；请使用 POST /v1/statements"),
    "slow": (408, "the request did not arrive in time", "请求未在时限内到达"),
    "large": (413, f"at most {MOST_BYTES} bytes and {MOST_AT_ONCE} statements", f"不得超过 {MOST_BYTES} 字节和 {MOST_AT_ONCE} 条"),
    "type": (415, "send application/json", "请发送 application/json"),
    "json": (400, "send one JSON object, or a list of them", "请发送一个 JSON 对象或其列表"),
    "refused": (422, "nothing is taken: mend what is said of the statements", "未收任何内容：请改正所列各项"),
    "broker": (503, "the broker does not answer; send the same again", "消息服务无响应；请原样重发"),
}  # fmt: skip
_OF_STATUS: Final = {404: "path", 405: "method", 413: "large"}


class Voice(Protocol):
    """What statements are handed on to: sent means kept; raises :class:`BrokerUnavailable`."""

    async def annotation(self, said: Annotation) -> None: ...


class Memory(Protocol):
    """What was said before; raises :class:`BrokerUnavailable` when that cannot be known."""

    async def first(self, ids: Collection[str]) -> Mapping[str, Annotation]: ...


def desk(voice: Voice, memory: Memory, policy: Policy, clock: Clock, token: str) -> web.Application:
    """The application; *token* is what callers must show."""
    schema = schemas.load("annotation.made.v1")
    turn = asyncio.Lock()  # so that nothing is said between the look at what was said and the saying

    async def statements(request: web.Request) -> web.Response:
        raws = await _raws(request)
        if isinstance(raws, web.Response):
            return raws
        now, spoken = clock.now(), language(request)
        told = []
        for number, raw in enumerate(raws):
            dated = raw if raw.get("made_at") is not None else {**raw, "made_at": to_rfc3339(now)}
            told.append(Told(f"statement {number}", *take(dated, now, policy)))
        try:
            async with turn:
                told = unlike(
                    told, await memory.first([one.annotation.annotation_id for one in told if one.annotation])
                )
                said = [one.annotation for one in told if one.annotation is not None]
                if len(said) < len(told):
                    return _answer(request, "refused", told)
                for annotation in said:
                    await voice.annotation(annotation)
        except BrokerUnavailable:
            return _answer(request, "broker")
        return web.json_response(told_report(told, spoken, sent=len(said)))

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def contract(_: web.Request) -> web.Response:
        return web.json_response(schema)

    application = web.Application(client_max_size=MOST_BYTES, middlewares=[_guard(token)])
    application.add_routes(
        [web.get("/livez", live), web.get("/v1/schema", contract), web.post("/v1/statements", statements)]
    )
    return application


def language(request: web.Request) -> Language:
    """The language a caller prefers of those we speak."""
    wishes = request.headers.get("Accept-Language", "").lower()
    places = {tag: wishes.find(tag) for tag in ("en", "zh") if tag in wishes}
    return "zh" if "zh" in places and places["zh"] <= places.get("en", places["zh"]) else "en"


def _guard(token: str) -> Middleware:
    wanted = f"Bearer {token}".encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if request.path != "/livez" and not hmac.compare_digest(shown, wanted):
            return _answer(request, "token")
        try:
            return await handler(request)
        except web.HTTPException as exc:
            return _answer(request, _OF_STATUS[exc.status]) if exc.status in _OF_STATUS else exc

    return guard


async def _raws(request: web.Request) -> list[dict[str, Any]] | web.Response:
    """The statements of a request, or why there are none."""
    if request.content_type != "application/json":
        return _answer(request, "type")
    try:
        async with asyncio.timeout(PATIENCE_S):
            body = json.loads(await request.read())
    except TimeoutError:
        return _answer(request, "slow")
    except (ValueError, RecursionError):
        return _answer(request, "json")
    raws = body if isinstance(body, list) else [body]
    if len(raws) > MOST_AT_ONCE:
        return _answer(request, "large")
    if not raws or not all(isinstance(raw, dict) for raw in raws):
        return _answer(request, "json")
    return raws


def _answer(request: web.Request, problem: str, told: list[Told] | None = None) -> web.Response:
    status, english, chinese = _PROBLEMS[problem]
    spoken = language(request)
    report = told_report(told or [], spoken, sent=0, problem=chinese if spoken == "zh" else english)
    headers = {"token": {"WWW-Authenticate": "Bearer"}, "broker": {"Retry-After": "10"}}.get(problem, {})
    return web.json_response(report, status=status, headers=headers)
