"""The runner around its lanes: what is committed, timers, and the view timers have of the states."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
import structlog
from faust.types import TP

from pipeline.agents.broker import Broker
from pipeline.agents.runner import Output, Runner
from pipeline.agents.transport import build_app
from pipeline.domain.errors import BrokerUnavailable
from pipeline.domain.time import WallMs
from tests.agents import quarantine
from tests.agents.memory_broker import MemoryBroker
from tests.agents.test_lane import Faults, event, feed, summing, until


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def runner(broker: MemoryBroker) -> Runner:
    app = build_app("runner", kafka="127.0.0.1:1", prefix="t")
    made = Runner(
        app, kafka="127.0.0.1:1", quarantine_topic="q", encode_quarantine=quarantine.encode, now=lambda: WallMs(1)
    )
    made._broker = cast(Broker, broker)
    made._desk = replace(made._desk, broker=made._broker, end_process=lambda code: pytest.fail(f"exit {code}"))
    return made


def parts(*topics: str) -> dict[TP, int]:
    return {TP(topic, 3): 0 for topic in topics}


async def test_of_two_stages_on_one_source_the_slower_decides_what_is_committed(runner: Runner) -> None:
    quick, slow = summing(Faults()), replace(summing(Faults(), state=False), name="slow")
    runner.bind(quick)
    runner.bind(slow)

    await runner.take(parts("in", "also"))
    runner.resume({}, parts("in", "also"))
    await feed(runner._lanes["summing", 3], event(0), event(1))
    await until(lambda: runner._lanes["summing", 3].finished == {"in": 2})
    before = runner.positions()[TP("in", 3)]
    await feed(runner._lanes["slow", 3], event(0))
    await until(lambda: runner._lanes["slow", 3].finished == {"in": 1})
    after = runner.positions()[TP("in", 3)]
    await runner.settle()

    assert (before, after) == (0, 1)


async def test_lag_is_what_each_stage_has_not_finished_of_what_the_broker_has(runner: Runner) -> None:
    quick, slow = summing(Faults()), replace(summing(Faults(), state=False), name="slow")
    runner.bind(quick)
    runner.bind(slow)

    await runner.take(parts("in", "also"))
    runner.resume({}, parts("in", "also"))
    await feed(runner._lanes["summing", 3], event(0), event(1))
    await until(lambda: runner._lanes["summing", 3].finished == {"in": 2})
    lag = runner.lag({TP("in", 3): 5, TP("in", 4): 9})
    await runner.settle()

    assert lag == {"summing": 3, "slow": 5}


async def test_nothing_starts_before_the_states_are_loaded(runner: Runner) -> None:
    runner.bind(summing(Faults()))

    assert runner.resume({}, parts("in")) == {}
    assert not runner.ready


async def test_taking_gives_up_when_the_partitions_go_before_the_states_could_be_read(
    runner: Runner, broker: MemoryBroker
) -> None:
    runner.bind(summing(Faults()))
    broker.fail["state"] = [False] * 10**6

    taking = asyncio.create_task(runner.take(parts("in")))
    await asyncio.sleep(0.01)
    await runner.settle()
    await asyncio.wait_for(taking, 2)

    assert not runner.ready


async def test_a_timer_reads_states_and_its_outputs_go_where_the_key_lives(
    runner: Runner, broker: MemoryBroker
) -> None:
    stage = summing(Faults())
    runner.bind(stage)
    await runner.take(parts("in", "also"))
    runner.resume({}, parts("in", "also"))
    await feed(runner._lanes["summing", 3], event(0))
    await until(lambda: runner.states(stage))

    await runner._sweep("idle", lambda: [Output("notes", key.encode(), b"late") for key in runner.states(stage)])
    await runner._sweep("idle", lambda: [Output("notes", b"stranger", b"late")])
    await runner.settle()

    assert [(write.key, write.partition) for write in broker.log if write.topic == "notes"] == [
        (b"k", 3),
        (b"stranger", None),
    ]
    assert dict(runner.states(stage)) == {}


@pytest.mark.parametrize("error", [BrokerUnavailable("away"), TypeError("a defect")])
async def test_nothing_raises_out_of_a_timer(runner: Runner, error: Exception) -> None:
    def sweep() -> list[Output]:
        raise error

    with structlog.testing.capture_logs() as logs:
        runner._log = structlog.get_logger()
        await runner._sweep("idle", sweep)

    assert [(entry["event"], entry["timer"]) for entry in logs] == [("timer.failed", "idle")]


def test_a_stage_cannot_be_bound_twice(runner: Runner) -> None:
    runner.bind(summing(Faults()))

    with pytest.raises(ValueError, match="bound twice"):
        runner.bind(cast(Any, summing(Faults())))
