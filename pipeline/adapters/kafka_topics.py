"""The broker's view of our topics: create them, compare them, and say how far each group has come.

Only ``unbroken topics apply`` creates; it never changes the partition count of a topic that exists, because that would
send a source's events to two partitions and break their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.structs import OffsetAndMetadata

from pipeline.adapters.kafka_log import broker_away
from pipeline.domain.errors import BrokerUnavailable, Misconfigured
from pipeline.settings import Settings
from pipeline.wire import topics
from pipeline.wire.topics import FoundTopic, Topic

_TIMEOUT_MS = 10_000
_TOPIC_EXISTS = 36
"""TOPIC_ALREADY_EXISTS in Kafka's protocol error codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A group's committed offset and the log's end on one partition; ``lag`` is what it has not finished."""

    topic: str
    partition: int
    committed: int | None
    end: int

    @property
    def lag(self) -> int:
        """Events not yet finished; all of them when nothing was ever committed."""
        return self.end - (self.committed or 0)


@asynccontextmanager
async def admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client; raises :class:`BrokerUnavailable` naming the address and what to do."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, request_timeout_ms=_TIMEOUT_MS)
    try:
        try:
            await client.start()
        except (KafkaError, OSError, ValueError) as exc:
            raise broker_away(settings.kafka, exc) from exc
        yield client
    finally:
        await client.close()


async def apply_topics(settings: Settings) -> tuple[str, ...]:
    """Create what is missing; returns the names created. Raises :class:`Misconfigured` if an existing one differs."""
    async with admin(settings) as client:
        found = await _found(client, settings)
        missing = [topic for topic in topics.ALL if settings.topic(topic.name) not in found]
        if missing:
            answer = await client.create_topics([_new(topic, settings) for topic in missing], timeout_ms=_TIMEOUT_MS)
            for name, code, *text in answer.topic_errors:
                if code not in (0, _TOPIC_EXISTS):
                    raise Misconfigured(
                        f"topic could not be created: {for_code(code).__name__} {text[0] if text else ''} ({name})"
                    )
            await _wait_for_leaders(client, [settings.topic(topic.name) for topic in missing])
        _refuse(await _differences(client, settings))
    return tuple(settings.topic(topic.name) for topic in missing)


async def _wait_for_leaders(client: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """A topic is there for clients a moment after it was created: when every partition has a leader."""
    for _ in range(100):
        described = await client.describe_topics(list(names))
        partitions = [partition for item in described for partition in item["partitions"] or [{"leader": -1}]]
        if len(described) == len(names) and all(partition["leader"] >= 0 for partition in partitions):
            return
        await asyncio.sleep(0.1)
    raise BrokerUnavailable(f"new topics have no leader after 10 s, look at the broker's log ({', '.join(names)})")


async def check_topics(settings: Settings) -> tuple[str, ...]:
    """Every difference between the broker's topics and ours, one line each; empty when all is well."""
    async with admin(settings) as client:
        return await _differences(client, settings)


async def members(settings: Settings, group: str) -> int:
    """How many workers *group* has now; a killed one counts until the group's session time is over."""
    async with admin(settings) as client:
        await _committed(client, group)  # waits for the coordinator
        answers = await client.describe_consumer_groups([group])
    return sum(len(found[5]) for answer in answers for found in answer.groups)


async def committed(settings: Settings, group: str) -> dict[tuple[str, int], int]:
    """The offsets *group* has committed, by topic and partition."""
    async with admin(settings) as client:
        found = await _committed(client, group)
    return {(tp.topic, tp.partition): each.offset for tp, each in found.items() if each.offset >= 0}


async def progress(settings: Settings, group: str, names: Sequence[str]) -> tuple[Progress, ...]:
    """How far *group* has come on each partition of the topics *names*, as the broker knows it."""
    async with admin(settings) as client:
        absent = sorted(set(names) - set(await client.list_topics()))
        if absent:
            raise BrokerUnavailable(
                f"topic does not exist, create it with `unbroken topics apply` ({absent[0]} on {settings.kafka})"
            )
        done = await _committed(client, group)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(name, number) for name in names for number in range(settings.topic_partitions)]
        ends = await consumer.end_offsets(partitions)
    except KafkaError as exc:
        raise BrokerUnavailable(f"kafka did not say where its topics end: {exc} ({settings.kafka})") from exc
    finally:
        await consumer.stop()
    return tuple(
        Progress(
            topic=tp.topic,
            partition=tp.partition,
            committed=done[tp].offset if tp in done and done[tp].offset >= 0 else None,
            end=end,
        )
        for tp, end in sorted(ends.items())
    )


async def _committed(client: AIOKafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """A broker makes its own topic of offsets when it is first asked, and has no coordinator until that is done."""
    for _ in range(50):
        try:
            found: dict[TopicPartition, OffsetAndMetadata] = await client.list_consumer_group_offsets(group)
            return found
        except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError, GroupLoadInProgressError):
            await asyncio.sleep(0.2)
    raise BrokerUnavailable(f"kafka has no coordinator for the group after 10 s, look at the broker's log ({group})")


def _new(topic: Topic, settings: Settings) -> NewTopic:
    return NewTopic(
        settings.topic(topic.name), settings.topic_partitions, settings.topic_replication, topic_configs=topic.config()
    )


def _refuse(differences: tuple[str, ...]) -> None:
    if differences:
        raise Misconfigured(
            "the broker's topics differ from ours; existing topics are never changed, so mend the settings or the topic: "
            + " | ".join(differences)
        )


async def _differences(client: AIOKafkaAdminClient, settings: Settings) -> tuple[str, ...]:
    found = await _found(client, settings)
    if not found:
        return (
            f"none of our {len(topics.ALL)} topics exists on {settings.kafka}, create them with `unbroken topics apply`",
        )
    lines = [
        topics.difference(
            topic,
            settings.topic(topic.name),
            settings.topic_partitions,
            settings.topic_replication,
            found.get(settings.topic(topic.name)),
        )
        for topic in topics.ALL
    ]
    return tuple(line for line in lines if line is not None)


async def _found(client: AIOKafkaAdminClient, settings: Settings) -> dict[str, FoundTopic]:
    wanted = {settings.topic(topic.name) for topic in topics.ALL}
    present = sorted(wanted & set(await client.list_topics()))
    if not present:
        return {}
    described = await client.describe_topics(present)
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in present])
    configs = {
        resource[3]: {entry[0]: str(entry[1]) for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
    return {
        item["topic"]: FoundTopic(
            name=item["topic"],
            partitions=len(item["partitions"]),
            replication=min(len(partition["replicas"]) for partition in item["partitions"]),
            config=configs.get(item["topic"], {}),
        )
        for item in described
    }
