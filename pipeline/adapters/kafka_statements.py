"""What was said under which id, read from the broker as it stands: so that whoever takes statements can refuse an id that
was used for another one. It reads the whole topic once and then follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.domain.annotation import Annotation
from pipeline.domain.errors import BrokerUnavailable, Malformed
from pipeline.domain.statement import SAID_BY_PEOPLE
from pipeline.settings import Settings
from pipeline.wire import codec, topics

MOST_KEPT: Final = 100_000
"""Statements remembered, the latest ones; some 50 MB. Of an older one the stages still know the id, while they remember its
recording."""
PATIENCE_S: Final = 15


class KafkaStatements:
    """The first statement under each id."""

    def __init__(self, consumer: AIOKafkaConsumer, settings: Settings) -> None:
        self._consumer = consumer
        self._places = [
            TopicPartition(settings.topic(topics.ANNOTATION.name), number)
            for number in range(settings.topic_partitions)
        ]
        self._first: dict[str, bytes] = {}

    async def first(self, ids: Collection[str]) -> Mapping[str, Annotation]:
        """Those of *ids* that were used before, with what was said; raises :class:`BrokerUnavailable`."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._read_on()
        except (KafkaError, OSError, TimeoutError) as exc:
            raise BrokerUnavailable(f"what was said before cannot be read: {type(exc).__name__}: {exc}") from exc
        return {name: codec.decode(topics.ANNOTATION.name, self._first[name]) for name in ids if name in self._first}

    async def _read_on(self) -> None:
        """Read up to where the topic ends now."""
        ends = await self._consumer.end_offsets(self._places)
        waiting = {place for place in self._places if await self._consumer.position(place) < ends[place]}
        while waiting:
            for batch in (await self._consumer.getmany(*waiting, timeout_ms=500)).values():
                for record in batch:
                    self._note(record.value)
            waiting = {place for place in waiting if await self._consumer.position(place) < ends[place]}

    def _note(self, value: bytes | None) -> None:
        try:
            said = codec.decode(topics.ANNOTATION.name, value)
        except Malformed:  # the stages set it aside, with its bytes
            return
        if said.kind in SAID_BY_PEOPLE and value is not None:
            self._first.setdefault(said.annotation_id, value)
            if len(self._first) > MOST_KEPT:
                del self._first[next(iter(self._first))]


@asynccontextmanager
async def following(settings: Settings) -> AsyncIterator[KafkaStatements]:
    """A reader at the topic's beginning; raises :class:`BrokerUnavailable` naming the address."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
    except (KafkaError, OSError) as exc:
        await consumer.stop()
        raise BrokerUnavailable(
            f"kafka does not answer, start it or mend UNBROKEN_KAFKA: {exc} ({settings.kafka})"
        ) from exc
    try:
        reader = KafkaStatements(consumer, settings)
        consumer.assign(reader._places)
        await consumer.seek_to_beginning(*reader._places)
        yield reader
    finally:
        await consumer.stop()
