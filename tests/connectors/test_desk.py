"""The desk as a case system meets it, over real HTTP; where statements go is a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from pipeline.connectors import desk as desks
from pipeline.connectors.desk import MOST_AT_ONCE, MOST_BYTES, desk
from pipeline.domain.annotation import Annotation, Metadata
from pipeline.domain.errors import BrokerUnavailable
from pipeline.domain.time import WallMs, from_rfc3339
from pipeline.wire.codec import encode
from tests.builders import T0, explanation, metadata, policy
from tests.wire.contract import validator

TOKEN = "a-token-of-twenty-chars"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


class Set:
    """A clock that stands."""

    def __init__(self, at: WallMs = T0) -> None:
        self.at = at

    def now(self) -> WallMs:
        return self.at


class Kept(list[Annotation]):
    """What was handed on; ``away`` makes the broker not answer."""

    away = False

    async def annotation(self, said: Annotation) -> None:
        if self.away:
            raise BrokerUnavailable("kafka does not answer")
        self.append(said)

    async def first(self, ids: Collection[str]) -> Mapping[str, Annotation]:
        """Of what was handed on and is remembered."""
        if self.away:
            raise BrokerUnavailable("kafka does not answer")
        return {said.annotation_id: said for said in reversed(self) if said.annotation_id in ids}


@asynccontextmanager
async def caller(kept: Kept, now: WallMs = T0) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(desk(kept, kept, policy(), Set(now), TOKEN))) as client:
        yield client


def raw(annotation: Annotation, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(annotation))
    return {**found, **changes}


async def post(client: TestClient[Any, Any], body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    async with client.post("/v1/statements", json=body, headers={**AUTH, **headers}) as answer:
        told = await answer.json()
    assert [error.message for error in validator("statements-told.v1").iter_errors(told)] == []
    return answer.status, told


async def test_a_statement_is_handed_on_and_answered_with_its_id() -> None:
    said = metadata(made_at=T0)
    kept = Kept()

    async with caller(kept) as client:
        status, told = await post(client, raw(said))

    assert (status, kept) == (200, [said])
    assert (told["sent"], told["statements"][0]["annotation_id"]) == (1, said.annotation_id)


@pytest.mark.parametrize("without", [{"made_at": None}, {}])
async def test_a_statement_without_a_date_counts_from_when_it_is_received(without: dict[str, Any]) -> None:
    body = {**raw(metadata(made_at=T0)), **without}
    if not without:
        del body["made_at"]
    kept = Kept()

    async with caller(kept) as client:
        status, _ = await post(client, body)

    assert (status, [said.made_at for said in kept]) == (200, [T0])


async def test_of_a_list_all_are_taken_or_none() -> None:
    good, bad = raw(metadata(made_at=T0)), raw(metadata("case-2", made_at=T0), made_by=" ")
    kept = Kept()

    async with caller(kept) as client:
        refused = await post(client, [good, bad])
        none = list(kept)
        taken = await post(client, [good, {**bad, "made_by": "Wu"}])

    assert (refused[0], refused[1]["sent"], refused[1]["refused"], none) == (422, 0, 1, [])
    assert [(one["place"], one["refused"]) for one in refused[1]["statements"]] == [
        ("statement 0", False),
        ("statement 1", True),
    ]
    assert (taken[0], len(kept)) == (200, 2)


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "必须填写"),
        ("en", "not blank"),
        ("en-GB,zh;q=0.5", "not blank"),
        ("fr", "not blank"),
    ],
)
async def test_what_is_wrong_is_said_in_the_callers_language_with_rule_and_article(wish: str, word: str) -> None:
    body = raw(metadata(made_at=T0), metadata={"case_name": " "})

    async with caller(Kept()) as client:
        status, told = await post(client, body, **{"Accept-Language": wish})

    (said,) = told["statements"][0]["said"]
    assert (status, said["field"], said["rule"], said["article"]) == (422, "metadata.case_name", "not_blank", 9)
    assert word in said["text"]


async def test_a_statement_cannot_be_dated_back_over_a_deadline() -> None:
    async with caller(Kept()) as client:
        status, told = await post(client, raw(metadata(made_at=WallMs(T0 - 86_400_000))))

    assert (status, told["statements"][0]["said"][0]["rule"]) == (422, "said_now")


async def test_another_statement_under_a_used_id_is_refused_with_both_sides_and_the_same_is_taken_again() -> None:
    first = metadata("case-7", made_at=T0)
    other = raw(metadata("case-7", made_at=T0, metadata=Metadata(case_name="another")))
    kept = Kept()

    async with caller(kept) as client:
        statuses = [(await post(client, raw(first)))[0] for _ in range(2)]
        status, told = await post(client, [other, raw(metadata("case-8", made_at=T0))])

    (said,) = told["statements"][0]["said"]
    assert (statuses, status, kept) == ([200, 200], 422, [first, first])
    assert (said["field"], said["rule"], said["article"]) == ("annotation_id", "same_words", 10)
    assert "case-7" in said["text"]
    assert "metadata.case_name '案 1', now 'another'" in said["text"]
    assert not told["statements"][1]["refused"]


async def test_of_one_request_two_statements_under_one_id_are_refused_unless_they_are_the_same() -> None:
    same, other = raw(metadata(made_at=T0)), raw(explanation(-20_000, -10_000, "case-1", made_at=T0))

    async with caller(Kept()) as client:
        assert [(await post(client, body))[0] for body in ([same, other], [same, same])] == [422, 200]


async def test_two_callers_at_once_do_not_use_one_id_for_two_things() -> None:
    bodies = [raw(metadata("case-7", made_at=T0, metadata=Metadata(case_name=name))) for name in "abcd"]
    kept = Kept()

    async with caller(kept) as client:
        told = await asyncio.gather(*(post(client, body) for body in bodies))

    assert (sorted(status for status, _ in told), len(kept)) == ([200, 422, 422, 422], 1)


@pytest.mark.parametrize("name", ["issued", "returned-without-a-recording", "schedule", "schedule-window-of-a-source"])
async def test_devices_and_hours_are_stated_over_http_in_the_same_shape(name: str) -> None:
    path = Path(__file__).parents[2] / f"schemas/examples/annotation.made.v1/valid/{name}.json"
    example = json.loads(path.read_bytes())
    kept = Kept()

    async with caller(kept, WallMs(from_rfc3339(example["made_at"]) + 86_400_000)) as client:
        status, told = await post(client, {**example, "made_at": None})

    assert (status, told["refused"], len(kept)) == (200, 0, 1), told


@pytest.mark.parametrize("kind", ["deadline_due", "schedule_due"])
async def test_nobody_speaks_for_our_timers(kind: str) -> None:
    kept = Kept()

    async with caller(kept) as client:
        status, _ = await post(client, raw(metadata(made_at=T0), kind=kind, metadata=None))

    assert (status, kept) == (422, [])


async def test_a_remark_comes_with_a_statement_that_is_taken() -> None:
    async with caller(Kept()) as client:
        status, told = await post(client, raw(explanation(-20_000, -10_000, voice=None, made_at=T0)))

    assert (status, told["sent"]) == (200, 1)
    assert [(one["rule"], one["refuses"]) for one in told["statements"][0]["said"]] == [("voice_missing", False)]


@pytest.mark.parametrize("shown", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"])
@pytest.mark.parametrize("path", ["/v1/statements", "/v1/schema", "/nowhere"])
async def test_nobody_is_heard_without_the_token(shown: str | None, path: str) -> None:
    kept = Kept()

    async with (
        caller(kept) as client,
        client.post(path, json=raw(metadata(made_at=T0)), headers={"Authorization": shown} if shown else {}) as answer,
    ):
        told = await answer.json()

    assert (answer.status, answer.headers["WWW-Authenticate"], kept) == (401, "Bearer", [])
    assert "token" in told["problem"]


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status"),
    [
        ("GET", "/v1/statements", b"", "application/json", 405),
        ("POST", "/v2/statements", b"{}", "application/json", 404),
        ("POST", "/v1/statements", b"{}", "text/csv", 415),
        ("POST", "/v1/statements", b"", "application/json", 400),
        ("POST", "/v1/statements", b"{", "application/json", 400),
        ("POST", "/v1/statements", b"\xff", "application/json", 400),
        ("POST", "/v1/statements", b"[" * 100_000, "application/json", 400),
        ("POST", "/v1/statements", b"[]", "application/json", 400),
        ("POST", "/v1/statements", b"[7]", "application/json", 400),
        ("POST", "/v1/statements", b" " * (MOST_BYTES + 1), "application/json", 413),
        ("POST", "/v1/statements", b"[" + b"{}," * MOST_AT_ONCE + b"{}]", "application/json", 413),
    ],
)
async def test_what_is_no_statement_is_answered_and_not_guessed_at(
    method: str, path: str, body: bytes, kind: str, status: int
) -> None:
    async with (
        caller(Kept()) as client,
        client.request(method, path, data=body, headers={**AUTH, "Content-Type": kind}) as answer,
    ):
        told = await answer.json()

    assert answer.status == status
    assert [error.message for error in validator("statements-told.v1").iter_errors(told)] == []
    assert told["problem"]


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "PATIENCE_S", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)

    async with (
        caller(Kept()) as client,
        client.post("/v1/statements", data=never(), headers={**AUTH, "Content-Type": "application/json"}) as answer,
    ):
        assert answer.status == 408


async def test_a_broker_that_is_away_is_told_so_that_the_same_is_sent_again() -> None:
    kept = Kept()
    kept.away = True

    async with (
        caller(kept) as client,
        client.post("/v1/statements", json=raw(metadata(made_at=T0)), headers=AUTH) as answer,
    ):
        told = await answer.json()

    assert (answer.status, answer.headers["Retry-After"], told["sent"]) == (503, "10", 0)


async def test_anyone_may_ask_whether_it_lives_and_a_caller_for_the_schema() -> None:
    async with caller(Kept()) as client:
        async with client.get("/livez") as live:
            pass
        async with client.get("/v1/schema", headers=AUTH) as schema:
            described = await schema.json()

    assert (live.status, described["$id"]) == (200, "urn:unbroken:schema:annotation.made.v1")
