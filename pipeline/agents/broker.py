"""The two things the runner asks of Kafka beside Faust: writes it can wait for, and a log read to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError

from pipeline.agents.stage import Headers
from pipeline.agents.state_log import OWNER_KEY, Loaded, encode_owner
from pipeline.domain.errors import BrokerUnavailable

READ_STALL_S: Final = 30


class Write(NamedTuple):
    """One record to be written; ``partition`` is ``None`` when the key decides."""

    topic: str
    partition: int | None
    key: bytes
    value: bytes
    headers: Headers = ()


class Claim(NamedTuple):
    """A state partition after it was claimed: what it holds, and the offset of our owner record."""

    loaded: Loaded
    epoch: int


class Broker:
    """Writes through the app's idempotent producer; reads through short-lived consumers of its own."""

    def __init__(self, app: Any, kafka: str) -> None:
        self._app = app
        self._kafka = kafka

    async def write(self, writes: Sequence[Write]) -> list[int]:
        """Write in order and wait until every record is on the broker; return their offsets.

        Raises :class:`BrokerUnavailable` when one of them may not be there; any of the others may be.
        """
        client = self._app.producer.client
        outcomes = await self._send(writes)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                if not getattr(outcome, "retriable", False):
                    await self._renew(client)
                raise BrokerUnavailable(f"a record may not have been delivered: {outcome!r}") from outcome
        return [cast(Any, outcome).offset for outcome in outcomes]

    async def _send(self, writes: Sequence[Write]) -> Sequence[Any]:
        """Metadata or exception per record. A failed record lets those after it be sent: the caller redoes them all."""
        sent: list[Any] = []
        try:
            for w in writes:
                future = await self._app.producer.send(
                    topic=w.topic,
                    key=w.key,
                    value=w.value,
                    partition=w.partition,
                    timestamp=None,
                    headers=list(w.headers) or None,
                )
                sent.append(future)
        except (KafkaError, FaustError, OSError) as exc:
            return [*await asyncio.gather(*sent, return_exceptions=True), exc]
        return await asyncio.gather(*sent, return_exceptions=True)

    async def _renew(self, client: Any) -> None:
        try:
            await self._app.producer.renew(client)
        except (KafkaError, OSError) as exc:
            raise BrokerUnavailable(f"could not start a new producer: {exc!r}") from exc

    async def claim(self, parts: Sequence[tuple[str, int]], owner: str) -> dict[tuple[str, int], Claim]:
        """Become the writer of these ``(state topic, partition)``s and read each up to our claim."""
        epochs = await self.write([Write(topic, number, OWNER_KEY, encode_owner(owner)) for topic, number in parts])
        claimed = dict(zip(parts, epochs, strict=True))
        logs = await self._read({TopicPartition(*part): epoch + 1 for part, epoch in claimed.items()})
        return {part: Claim(logs[TopicPartition(*part)], epoch) for part, epoch in claimed.items()}

    async def peek(self, topic: str, partition: int) -> Loaded:
        """Read one state partition to its present end without claiming it."""
        part = TopicPartition(topic, partition)
        return (await self._read({part: None}))[part]

    async def _read(self, until: Mapping[TopicPartition, int | None]) -> dict[TopicPartition, Loaded]:
        logs = {part: Loaded() for part in until}
        if not until:
            return logs
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            consumer.assign(list(until))
            ends = await consumer.end_offsets(list(until))
            ends.update({part: end for part, end in until.items() if end is not None})
            await consumer.seek_to_beginning(*until)
            await self._drain(consumer, ends, logs)
        except (KafkaError, OSError, TimeoutError) as exc:
            raise BrokerUnavailable(f"could not read the state log: {exc!r}") from exc
        finally:
            await consumer.stop()
        return logs

    async def _drain(
        self, consumer: Any, ends: Mapping[TopicPartition, int], logs: Mapping[TopicPartition, Loaded]
    ) -> None:
        pending = {part for part, end in ends.items() if await consumer.position(part) < end}
        while pending:
            async with asyncio.timeout(READ_STALL_S):
                found: dict[TopicPartition, list[Any]] = {}
                while not found:
                    found = await consumer.getmany(*pending, timeout_ms=1000)
            for part, records in found.items():
                for record in records:
                    if record.offset < ends[part] and record.value is not None:
                        logs[part].add(record.key, record.value)
            pending = {part for part in pending if await consumer.position(part) < ends[part]}
