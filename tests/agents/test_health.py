"""The small port: what it says, and when it says that a restart would help."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry, Counter

from pipeline.agents.health import NO_PROGRESS_S, Health, Progress
from pipeline.agents.runner import Runner
from pipeline.domain.errors import StoreFull

PART = TP("in", 0)


@dataclass
class FakeRunner:
    """What health asks of a runner."""

    ready: bool = False
    gone: list[tuple[str, int]] = field(default_factory=list)
    waits: dict[TP, Exception] = field(default_factory=dict)

    def dead(self) -> list[tuple[str, int]]:
        return self.gone

    def waiting(self) -> dict[TP, Exception]:
        return self.waits

    def positions(self) -> dict[TP, int]:
        return {}


@asynccontextmanager
async def served(runner: FakeRunner, registry: CollectorRegistry) -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    health = Health(None, cast(Runner, runner), port=port, registry=registry)
    async with health:
        yield f"http://127.0.0.1:{port}"


async def fetch(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await (answer.json() if "json" in answer.content_type else answer.text())


async def test_a_worker_is_live_before_it_is_ready() -> None:
    runner = FakeRunner()

    async with served(runner, CollectorRegistry()) as url:
        live, early = await fetch(f"{url}/livez"), await fetch(f"{url}/readyz")
        runner.ready = True
        late = await fetch(f"{url}/readyz")

    assert live == (200, {"live": True, "reasons": []})
    assert early == (503, {"ready": False, "waits": []})
    assert late == (200, {"ready": True, "waits": []})


async def test_a_stage_that_ended_by_a_defect_is_not_live_and_is_named() -> None:
    async with served(FakeRunner(gone=[("chain", 3)]), CollectorRegistry()) as url:
        answer = await fetch(f"{url}/livez")

    assert answer == (503, {"live": False, "reasons": ["chain stopped on partition 3"]})


async def test_what_partitions_wait_for_is_told_once_without_what_it_is_about() -> None:
    full = {TP("in", number): StoreFull(f"the store is full (records/cam-1/{number})") for number in (0, 1)}

    async with served(FakeRunner(ready=True, waits=cast(Any, full)), CollectorRegistry()) as url:
        answer = await fetch(f"{url}/readyz")

    assert answer == (200, {"ready": True, "waits": ["the store is full"]})


async def test_metrics_are_those_of_the_registry() -> None:
    registry = CollectorRegistry()
    Counter("unbroken_events", "Inputs.", ["stage"], registry=registry).labels("chain").inc(3)

    async with served(FakeRunner(), registry) as url:
        status, text = await fetch(f"{url}/metrics")

    assert status == 200
    assert 'unbroken_events_total{stage="chain"} 3.0' in text


@pytest.mark.parametrize(("after_s", "stalled"), [(-1, []), (0, [PART]), (1, [PART])])
def test_a_partition_with_inputs_that_does_not_move_is_stalled_after_a_while(after_s: float, stalled: list[TP]) -> None:
    progress = Progress()
    progress.observe({PART: 5}, {PART: 9}, frozenset(), 0)
    progress.observe({PART: 5}, {PART: 9}, frozenset(), 50)

    assert progress.stalled(NO_PROGRESS_S + after_s) == stalled


@pytest.mark.parametrize(
    ("positions", "ends", "waiting"),
    [
        ({PART: 6}, {PART: 9}, frozenset()),
        ({PART: 5}, {PART: 5}, frozenset()),
        ({PART: 5}, {PART: 9}, frozenset({PART})),
        ({}, {}, frozenset()),
    ],
    ids=["it moved", "nothing to read", "it waits on a known error", "it was given away"],
)
def test_a_partition_is_not_stalled_when(positions: Any, ends: Any, waiting: Any) -> None:
    progress = Progress()
    progress.observe({PART: 5}, {PART: 9}, frozenset(), 0)
    progress.observe(positions, ends, waiting, NO_PROGRESS_S)

    assert progress.stalled(NO_PROGRESS_S + 1) == []
