"""The lane's broker in memory: topics as lists, failures on command."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pipeline.agents.broker import Claim, Write
from pipeline.agents.state_log import OWNER_KEY, Loaded, encode_owner
from pipeline.domain.errors import BrokerUnavailable


class MemoryBroker:
    """Offers what ``broker.Broker`` offers. ``log`` is every write in order."""

    def __init__(self) -> None:
        self.topics: dict[tuple[str, int | None], list[Write]] = defaultdict(list)
        self.log: list[Write] = []
        self.fail: dict[str, list[bool]] = defaultdict(list)
        """Per topic, for the next writes: ``True`` fails after the record is there, ``False`` before."""

    async def write(self, writes: Sequence[Write]) -> list[int]:
        offsets = []
        for write in writes:
            failing = self.fail[write.topic]
            lands = failing.pop(0) if failing else None
            if lands is not False:
                part = self.topics[write.topic, write.partition]
                part.append(write)
                self.log.append(write)
                offsets.append(len(part) - 1)
            if lands is not None:
                raise BrokerUnavailable("told to fail")
        return offsets

    async def claim(self, parts: Sequence[tuple[str, int]], owner: str) -> dict[tuple[str, int], Claim]:
        claims = {}
        for topic, number in parts:
            [epoch] = await self.write([Write(topic, number, OWNER_KEY, encode_owner(owner))])
            claims[topic, number] = Claim(await self.peek(topic, number), epoch)
        return claims

    async def peek(self, topic: str, partition: int) -> Loaded:
        loaded = Loaded()
        for write in self.topics[topic, partition]:
            loaded.add(write.key, write.value)
        return loaded

    def values(self, topic: str) -> list[bytes]:
        return [write.value for write in self.log if write.topic == topic]
