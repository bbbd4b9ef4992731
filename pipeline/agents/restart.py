"""Restart: a broker that lost everything is given what the archive knows, so that workers go on from there.

Links of recordings that may still grow are put on the link topic again, because stitch reads a chain from there when it is
closed: first those that are archived, which stitch and checkpoint are told they have followed, then those that are not,
which stitch follows as if they were new. Every state is written as if nothing had ever been read: the topics begin anew.
Doing it twice does no harm: of links and states the later ones count, and the readers know repeats.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from pipeline.agents.stage import Stage
from pipeline.agents.state_log import OWNER_KEY, Record, encode_owner, encode_record
from pipeline.domain.chain import LinkAppended
from pipeline.domain.checkpoint import CheckpointState
from pipeline.domain.errors import BrokerUnavailable
from pipeline.domain.identity import SourceId
from pipeline.domain.policy import Policy
from pipeline.domain.rebuild import Rebuilt
from pipeline.domain.stitch import StitchState, follow
from pipeline.settings import Settings
from pipeline.steps.stitch import remembered
from pipeline.wire import codec, topics
from pipeline.wire.events import Event

_IN_FLIGHT = 500


async def restart(
    settings: Settings, stages: Mapping[str, Stage[Any, Any]], sources: Mapping[SourceId, Rebuilt], policy: Policy
) -> None:
    """Write links, deadlines' changes and every state of *sources*. The workers must stand still.

    Raises :class:`BrokerUnavailable` when not all of it may be there: run it again.
    """
    async with _writing(settings) as writer:
        for source, rebuilt in sources.items():
            archived = await writer.say(rebuilt.archived_links)
            later = await writer.say(rebuilt.open_links)
            await writer.say(rebuilt.changes)
            link = settings.topic(topics.LINK.name)
            states = {
                "continuity": (rebuilt.continuity, {}),
                "chain": (rebuilt.chain, {}),
                "checkpoint": (CheckpointState(), _through(link, [*archived, *later])),
                "stitch": (
                    _followed(rebuilt.archived_links, archived, policy),
                    _through(link, archived),
                ),
                "archive": (rebuilt.archive, {}),
                "deadline": (rebuilt.deadline, {}),
            }
            for name, (state, applied) in states.items():
                stage = stages[name]
                if applied or state != stage.initial(source):
                    record = Record(stage.dump(state), applied, 1, 0, (), stage.state_format)
                    await writer.remember(str(stage.state_topic), source, record)


def _through(topic: str, offsets: Sequence[int]) -> dict[str, int]:
    """What a state says that holds everything up to the last of *offsets*."""
    return {topic: offsets[-1]} if offsets else {}


def _followed(links: Sequence[LinkAppended], offsets: Sequence[int], policy: Policy) -> StitchState:
    """What stitch remembers of *links*, which lie at *offsets* now."""
    state = StitchState()
    for link, offset in zip(links, offsets, strict=True):
        state, _ = follow(state, link, offset, remembered(policy))
    return state


class _Writer:
    """Writes where a worker would write: to the partition of the source's key."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings) -> None:
        self._producer = producer
        self._settings = settings
        self._owner = encode_owner(f"rebuild-{uuid.uuid4().hex}")
        self._epochs: dict[tuple[str, int], int] = {}

    def _partition(self, key: bytes) -> int:
        numbers = list(range(self._settings.topic_partitions))
        return int(DefaultPartitioner()(key, numbers, numbers))

    async def say(self, events: Sequence[Event]) -> list[int]:
        """Put *events* on their topics, in order; returns their offsets."""
        offsets: list[int] = []
        for first in range(0, len(events), _IN_FLIGHT):
            sent = [
                await self._producer.send(
                    self._settings.topic(codec.event_topic(event).name),
                    codec.encode(event),
                    key=codec.key(event),
                    headers=list(codec.headers(event)),
                    partition=self._partition(codec.key(event)),
                )
                for event in events[first : first + _IN_FLIGHT]
            ]
            offsets += [(await each).offset for each in sent]
        return offsets

    async def remember(self, topic: str, source: str, record: Record) -> None:
        """Put a source's state; before the first of a partition, the owner record that makes it count."""
        key = source.encode()
        place = topic, self._partition(key)
        if place not in self._epochs:
            sent = await self._producer.send_and_wait(topic, self._owner, key=OWNER_KEY, partition=place[1])
            self._epochs[place] = sent.offset
        value = encode_record(replace(record, epoch=self._epochs[place]))
        await self._producer.send_and_wait(topic, value, key=key, partition=place[1])


@asynccontextmanager
async def _writing(settings: Settings) -> AsyncIterator[_Writer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, acks="all", enable_idempotence=True, max_request_size=8 << 20
    )
    try:
        await producer.start()
        yield _Writer(producer, settings)
    except (KafkaError, OSError) as exc:
        raise BrokerUnavailable(f"not all of it may be written, run it again: {exc!r} ({settings.kafka})") from exc
    finally:
        await producer.stop()
