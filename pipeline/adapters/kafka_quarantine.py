"""Which inputs wait in quarantine for a decision, kept up to date by reading only what is new on the broker."""

from __future__ import annotations

from typing import Any

from pipeline.adapters.kafka_log import read_topic
from pipeline.domain.quarantine import Place
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from pipeline.wire import codec, topics
from pipeline.wire.topics import Topic


class QuarantineWatch:
    """Remembers where each input stood and since when it waits, never its bytes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._next: dict[str, dict[int, int]] = {}
        self._since: dict[Place, WallMs] = {}
        self._decided: set[Place] = set()

    async def waiting(self) -> dict[Place, WallMs]:
        """Every input nobody has decided on, with when it was set aside. Raises ``BrokerUnavailable``."""
        # Decisions first: each of them is about an input that was there before it, and so is read after it.
        self._decided.update([decision.place for decision in await self._further(topics.DECIDED)])
        for item in await self._further(topics.QUARANTINE):
            self._since[item.place] = min(item.at, self._since.get(item.place, item.at))
        return {place: at for place, at in self._since.items() if place not in self._decided}

    async def _further(self, topic: Topic) -> list[Any]:
        settings, begun = self._settings, self._next.setdefault(topic.name, {})
        records = await read_topic(settings.kafka, settings.topic(topic.name), settings.topic_partitions, since=begun)
        found = [codec.decode(topic.name, record.value) for record in records]
        begun.update({record.partition: record.offset + 1 for record in records})
        return found
