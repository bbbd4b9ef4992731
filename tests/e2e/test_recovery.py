"""State that was lost, or is older than the work already done, is found again from the topics: same state, same work after."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from pipeline.adapters.kafka_log import read_topic
from pipeline.adapters.kafka_topics import admin
from pipeline.agents.state_log import Loaded
from pipeline.demo.stand import Stand
from pipeline.settings import Settings
from pipeline.wire import topics
from tests.e2e.conftest import Film
from tests.e2e.test_main_job import DATE, _truths
from tests.oracle.look import settled

pytestmark = pytest.mark.stack

Snapshot = dict[tuple[str, str], Any]


async def _logs(settings: Settings) -> dict[str, list[Any]]:
    return {
        topic.name: await read_topic(settings.kafka, settings.topic(topic.name), settings.topic_partitions)
        for topic in topics.STATES
    }


async def _snapshot(settings: Settings) -> Snapshot:
    """Every state by stage and source, as a worker would load it."""
    found: Snapshot = {}
    for name, records in (await _logs(settings)).items():
        parts: dict[int, Loaded] = {}
        for record in records:
            parts.setdefault(record.partition, Loaded()).add(record.key, record.value)
        found |= {(name, key): each.state for part in parts.values() for key, each in part.records.items()}
    return found


async def _delete_states(settings: Settings) -> None:
    names = [settings.topic(topic.name) for topic in topics.STATES]
    async with admin(settings) as client:
        await client.delete_topics(names)
        for _ in range(50):
            if not set(names) & set(await client.list_topics()):
                return
            await asyncio.sleep(0.2)
    raise AssertionError("the topics are still there")


async def _put_back_the_older_half(settings: Settings, logs: dict[str, list[Any]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    for name, records in logs.items():
        for record in records[: len(records) // 2]:
            await producer.send(settings.topic(name), record.value, key=record.key, partition=record.partition)
    await producer.stop()


def _rebuild(stand: Stand, *options: str) -> dict[str, int]:
    """How many states stand how, as ``unbroken rebuild`` says."""
    answer: Sequence[dict[str, Any]] = json.loads(stand.call("rebuild", "--json", *options, allowed=(0, 1)))
    words = [each["state"] for each in answer]
    print(*(f"{each['state']} {each['stage']} {each['why']}" for each in answer if each["state"] != "equal"), sep="\n")
    return {word: words.count(word) for word in sorted(set(words))}


def _disagreements(stand: Stand) -> list[dict[str, Any]]:
    """What ``unbroken reconcile`` says needs action, or cannot be said."""
    answer = json.loads(stand.call("reconcile", "--json", allowed=(0, 1, 3)))
    return [item for item in answer["items"] if item["level"] in ("act", "not_covered")]


def _stop(stand: Stand) -> None:
    assert set(stand.stop().values()) <= {0}
    time.sleep(1)


def test_lost_and_older_state_topics_are_rebuilt_as_they_were(working: Stand, film: Film) -> None:
    settings, shots = working.settings(), film()
    for shot in shots:
        working.announce_window(shot)
        working.bring_in(shot, shot.files, DATE)
    time.sleep(8)
    while_working = _rebuild(working)
    _stop(working)
    before = asyncio.run(_snapshot(settings))
    logs = asyncio.run(_logs(settings))

    asyncio.run(_delete_states(settings))
    working.call("topics", "apply")
    lost = _rebuild(working)
    restored = _rebuild(working, "--write")
    after_loss = asyncio.run(_snapshot(settings))
    asyncio.run(_delete_states(settings))
    working.call("topics", "apply")
    asyncio.run(_put_back_the_older_half(settings, logs))
    older = _rebuild(working)
    _rebuild(working, "--write")
    after_age = asyncio.run(_snapshot(settings))

    assert set(while_working) == {"equal"}
    assert after_loss == before
    assert after_age == before
    assert _rebuild(working) == while_working
    assert lost["lost"] == sum(lost.values()) == sum(restored.values())
    assert {"lost", "behind"} & set(older)

    for which in working.ports:
        working.start(which)
        working.ready(which)
    for shot in shots:
        if shot.late:
            working.bring_in(shot, shot.late, DATE)
    verdict = settled(working, _truths(shots))

    assert (verdict.wrong, verdict.extra) == ([], 0)
    assert _disagreements(working) == []
