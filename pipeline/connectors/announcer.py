"""The announcer: a connector's voice on Kafka. Sent means every in-sync replica has it; nothing less is reported as sent.

The producer is idempotent, so its own repetitions make no doubles. What is sent again after a crash is the same message
with the same id, and the stages know it by its number.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.domain.annotation import Annotation
from pipeline.domain.errors import BrokerUnavailable
from pipeline.settings import Settings
from pipeline.wire import topics
from pipeline.wire.codec import decode, encode, headers, key
from pipeline.wire.topics import Topic

_REQUEST_TIMEOUT_MS: Final = 15_000
_PATIENCE_S: Final = 30


class Announcer:
    """Sends messages whose exact bytes are given. In order, one call after the other."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings) -> None:
        self._producer = producer
        self._settings = settings

    async def landed(self, values: Sequence[bytes]) -> None:
        """Send encoded ``SegmentLanded`` in order; raises ``BrokerUnavailable`` when any of them may not be there."""
        await self._send(topics.LANDED, values)

    async def annotations(self, values: Sequence[bytes]) -> None:
        """As :meth:`landed`, for encoded annotations."""
        await self._send(topics.ANNOTATION, values)

    async def annotation(self, said: Annotation) -> None:
        """Send one annotation."""
        await self.annotations([encode(said)])

    async def _send(self, topic: Topic, values: Sequence[bytes]) -> None:
        name = self._settings.topic(topic.name)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                # Asked first: sending to a topic that does not exist would wait instead of saying so.
                await self._producer.partitions_for(name)
                sent = []
                for value in values:
                    event = decode(topic.name, value)
                    sent.append(await self._producer.send(name, value, key=key(event), headers=list(headers(event))))
                await asyncio.gather(*sent)
        except (KafkaError, OSError, TimeoutError) as exc:
            raise BrokerUnavailable(
                f"a message may not be on the broker, have it running and its topics made (`unbroken topics apply`): "
                f"{type(exc).__name__} ({name} on {self._settings.kafka})"
            ) from exc


@asynccontextmanager
async def announcing(settings: Settings) -> AsyncIterator[Announcer]:
    """A connected announcer; raises ``BrokerUnavailable`` naming the address."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        enable_idempotence=True,
        acks="all",
        linger_ms=2,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
        client_id="unbroken-connector",
    )
    try:
        await producer.start()
    except (KafkaError, OSError) as exc:
        await producer.stop()
        raise BrokerUnavailable(
            f"kafka does not answer, start it or mend UNBROKEN_KAFKA: {exc} ({settings.kafka})"
        ) from exc
    try:
        yield Announcer(producer, settings)
    finally:
        await producer.stop()
