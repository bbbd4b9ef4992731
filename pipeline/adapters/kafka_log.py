"""Reading the broker's logs from outside a consumer group: a range of one partition, or a whole topic as it stands now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.domain.errors import BrokerUnavailable, HistoryMissing

_PATIENCE_S = 30
"""How long a read may take without one new record before the broker counts as unavailable."""


def broker_away(kafka: str, exc: Exception) -> BrokerUnavailable:
    """What to say, and what to do, when no connection to *kafka* came about."""
    why = type(exc).__name__ if isinstance(exc, KafkaError) else str(exc)
    return BrokerUnavailable(f"kafka does not answer, start it or mend UNBROKEN_KAFKA: {why} ({kafka})")


@asynccontextmanager
async def _consumer(kafka: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="none")
    try:
        await consumer.start()
        yield consumer
    except (KafkaError, OSError) as exc:
        raise broker_away(kafka, exc) from exc
    finally:
        await consumer.stop()


class KafkaLinkHistory:
    """:class:`pipeline.ports.LinkHistory` over one topic. A connection per call: stitch reads once per closed recording."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic

    async def values(self, partition: int, first_offset: int, last_offset: int) -> Sequence[bytes]:
        place = TopicPartition(self._topic, partition)
        async with _consumer(self._kafka) as consumer:
            consumer.assign([place])
            beginning = (await consumer.beginning_offsets([place]))[place]
            if beginning > first_offset:
                raise HistoryMissing(
                    f"links are gone from the broker, rebuild from the archive: expected offset {first_offset}, "
                    f"oldest is {beginning} ({self._topic}/{partition})"
                )
            consumer.seek(place, first_offset)
            return [record.value or b"" for record in await _until(consumer, {place: last_offset + 1})]


async def read_topic(
    kafka: str,
    topic: str,
    partitions: int,
    *,
    last: int | None = None,
    since: Mapping[int, int] = MappingProxyType({}),
    written_since: int | None = None,
) -> list[ConsumerRecord[bytes, bytes]]:
    """Every record *topic* holds now in its *partitions*, one after the other; with *last*, only that many newest per partition;
    with *since*, only those from that offset of a partition on; with *written_since* (ms), only those the broker got from then on.

    Raises :class:`BrokerUnavailable` when the broker does not answer or does not know the topic.
    """
    async with _consumer(kafka) as consumer:
        if topic not in await consumer.topics():
            raise BrokerUnavailable(
                f"topic does not exist, create it with `unbroken topics apply` ({topic} on {kafka})"
            )
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        if written_since is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(places, written_since))
            begins = {
                place: ends[place] if at is None else max(begins[place], at.offset) for place, at in found.items()
            }
        for place in places:
            newest = 0 if last is None else ends[place] - last
            consumer.seek(place, max(begins[place], newest, since.get(place.partition, 0)))
        return await _until(consumer, {place: ends[place] for place in places if ends[place] > begins[place]})


async def never_written(kafka: str, topic: str, partitions: int) -> bool:
    """Whether nothing was ever written to *topic* since it was made; raises as :func:`read_topic` does."""
    async with _consumer(kafka) as consumer:
        if topic not in await consumer.topics():
            raise BrokerUnavailable(
                f"topic does not exist, create it with `unbroken topics apply` ({topic} on {kafka})"
            )
        ends = await consumer.end_offsets([TopicPartition(topic, number) for number in range(partitions)])
    return not any(ends.values())


@dataclass(frozen=True, slots=True)
class Kept:
    """What one partition holds now: its oldest offset still there, and every record from there on."""

    begin: int
    records: Sequence[ConsumerRecord[bytes, bytes]]


async def read_partition(kafka: str, topics: Sequence[str], number: int) -> dict[str, Kept]:
    """Partition *number* of each of *topics* as it stands now; raises as :func:`read_topic` does."""
    async with _consumer(kafka) as consumer:
        missing = sorted(set(topics) - await consumer.topics())
        if missing:
            raise BrokerUnavailable(
                f"topics do not exist, create them with `unbroken topics apply` ({', '.join(missing)} on {kafka})"
            )
        places = [TopicPartition(topic, number) for topic in topics]
        consumer.assign(places)
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, begins[place])
        found: dict[str, list[ConsumerRecord[bytes, bytes]]] = {topic: [] for topic in topics}
        for record in await _until(consumer, {place: ends[place] for place in places if ends[place] > begins[place]}):
            found[record.topic].append(record)
        return {place.topic: Kept(begins[place], found[place.topic]) for place in places}


async def _until(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> list[ConsumerRecord[bytes, bytes]]:
    """Read until each partition's position has reached its end; positions count, because compaction leaves holes."""
    records: list[ConsumerRecord[bytes, bytes]] = []
    waiting = {place for place, end in ends.items() if await consumer.position(place) < end}
    while waiting:
        async with asyncio.timeout(_PATIENCE_S):
            found = await consumer.getmany(*waiting, timeout_ms=1000)
        for place, batch in found.items():
            records += [record for record in batch if record.offset < ends[place]]
        waiting = {place for place in waiting if await consumer.position(place) < ends[place]}
    return sorted(records, key=lambda record: (record.partition, record.offset))
