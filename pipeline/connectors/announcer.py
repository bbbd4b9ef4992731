"""The announcer: a connector's voice on Kafka. Sent means every in-sync replica has it; nothing less is reported as sent.

The producer is idempotent, so its own repetitions make no doubles. What is sent again after a crash is the same message
with the same id, and the stages know it by its number.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.errors import BrokerUnavailable
from pipeline.domain.quarantine import Quarantined, QuarantineDecided
from pipeline.settings import Settings
from pipeline.wire import topics
from pipeline.wire.codec import decode, encode, headers, key
from pipeline.wire.topics import Topic

_REQUEST_TIMEOUT_MS: Final = 15_000
_PATIENCE_S: Final = 30


class Message(NamedTuple):
    """One record as it is sent; ``partition`` is ``None`` where the key decides."""

    value: bytes | None
    key: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int | None


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

    async def archived(self, receipts: Sequence[RecordingArchived]) -> None:
        """Say again that these revisions are archived."""
        await self._send(topics.ARCHIVED, [encode(receipt) for receipt in receipts])

    async def decided(self, decision: QuarantineDecided) -> None:
        """Write down what becomes of an input in quarantine."""
        await self._send(topics.DECIDED, [encode(decision)])

    async def again(self, item: Quarantined) -> None:
        """Send an input that was set aside once more: the same bytes, key and headers to the same partition."""
        kept = [(name, base64.b64decode(raw)) for name, raw in item.headers_base64]
        await self._wait(
            item.topic,
            [Message(_bytes(item.value_base64), _bytes(item.key_base64), kept, item.partition)],
        )

    async def _send(self, topic: Topic, values: Sequence[bytes]) -> None:
        events = [decode(topic.name, value) for value in values]
        messages = [
            Message(value, key(event), list(headers(event)), None) for value, event in zip(values, events, strict=True)
        ]
        await self._wait(self._settings.topic(topic.name), messages)

    async def _wait(self, name: str, messages: Sequence[Message]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                # Asked first: sending to a topic that does not exist would wait instead of saying so.
                await self._producer.partitions_for(name)
                await asyncio.gather(*[await self._producer.send(name, **message._asdict()) for message in messages])
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


def _bytes(base64_text: str | None) -> bytes | None:
    return None if base64_text is None else base64.b64decode(base64_text)
