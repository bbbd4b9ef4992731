"""One judge for every test of the runner: what was announced against what the links prove.

Whether each announcement stands in exactly one place is asked as of the product itself (:mod:`tests.oracle.placing`); that
the toy's links extend each other, in the order of announcement, is asked here.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.agents.toy import GENESIS, Names, kind_of
from tests.oracle.placing import Placed, place

Announced = Mapping[str, Mapping[str, int]]
"""Per key how many segments and notes were announced: ``{"k1": {"segment": 100, "note": 10}}``."""


@dataclass
class Verdict:
    """Empty lists and no missing announcements mean that every promise held."""

    missing: Counter[str] = field(default_factory=Counter)
    doubled: list[str] = field(default_factory=list)
    conflicting: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    repeats: int = 0
    links: int = 0

    @property
    def whole(self) -> bool:
        return not (self.missing or self.faults)

    @property
    def faults(self) -> list[str]:
        return [*self.doubled, *self.conflicting, *self.broken, *self.invented]

    def __str__(self) -> str:
        return (
            f"{self.links} links, {self.repeats} equal repeats, {sum(self.missing.values())} missing, "
            f"{len(self.doubled)} doubled, {len(self.conflicting)} conflicting, {len(self.broken)} broken, "
            f"{len(self.invented)} invented {self.faults[:5]} {dict(self.missing.most_common(5))}"
        )


def judge(links: Iterable[bytes], announced: Announced) -> Verdict:
    """Compare the link topic, in any order of partitions, with what was announced."""
    found = [msgspec.json.decode(value) for value in links]
    wanted: dict[Hashable, range] = {
        (key, kind): range(1, count + 1) for key, kinds in announced.items() for kind, count in kinds.items()
    }
    placing = place(map(_placed, found), wanted)
    verdict = Verdict(
        missing=Counter(key for (key, _kind), _number in cast(Any, placing.missing)),
        doubled=[str(name) for name in placing.doubled],
        conflicting=[str(name) for name in placing.conflicting],
        invented=[str(name) for name in placing.invented],
        repeats=placing.repeats,
    )
    chains: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for link in found:
        chains[link["key"]].setdefault(link["i"], link)
    for key, chain in chains.items():
        _prove(key, chain, verdict)
    return verdict


def _placed(link: dict[str, Any]) -> Placed:
    kind = kind_of(link)
    return Placed((link["key"], link["i"]), msgspec.json.encode(link), (link["key"], kind), link[kind])


def _prove(key: str, chain: Mapping[int, dict[str, Any]], verdict: Verdict) -> None:
    """Each link extends the one before it, and holds a later announcement than all before it."""
    head, seen = GENESIS, {"segment": 0, "note": 0}
    for number in range(1, max(chain) + 1):
        link = chain.get(number)
        if link is None:
            verdict.broken.append(f"{key} has no link {number}")
            return
        verdict.links += 1
        entry = {name: link[name] for name in link if name != "digest"}
        if link["prev"] != head or hashlib.sha256(msgspec.json.encode(entry)).hexdigest() != link["digest"]:
            verdict.broken.append(f"{key} link {number} does not extend link {number - 1}")
        head = link["digest"]
        kind = kind_of(link)
        if link[kind] <= seen[kind]:
            verdict.broken.append(f"{key} {kind} {link[kind]} comes after {seen[kind]}")
        seen[kind] = link[kind]


def read_all(kafka: str, topic: str) -> list[tuple[int, int, bytes, bytes]]:
    """Everything *topic* holds now, as (partition, offset, key, value)."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "oracle", "enable.auto.commit": False})
    try:
        parts = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {part: consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=10)[1] for part in parts}
        if not any(ends.values()):
            return []
        consumer.assign([TopicPartition(topic, part, 0) for part, end in ends.items() if end])
        records: list[tuple[int, int, bytes, bytes]] = []
        reached = {part: 0 for part, end in ends.items() if end}
        deadline = time.monotonic() + 60
        while any(at < ends[part] for part, at in reached.items()) and time.monotonic() < deadline:
            for message in consumer.consume(5000, timeout=0.2):
                if message.error() is None:
                    part, offset = cast(int, message.partition()), cast(int, message.offset())
                    records.append((part, offset, message.key() or b"", message.value() or b""))
                    reached[part] = offset + 1
        assert all(at >= ends[part] for part, at in reached.items()), f"{topic}: read {reached}, expected {ends}"
        return records
    finally:
        consumer.close()


def wait_until_whole(kafka: str, names: Names, announced: Announced, seconds: float) -> Verdict:
    """Judge again and again until nothing is missing or *seconds* have passed; faults end it at once."""
    deadline = time.monotonic() + seconds
    while True:
        verdict = judge((value for *_, value in read_all(kafka, names.links)), announced)
        _check_echoes(kafka, names, announced, verdict)
        if not verdict.missing or verdict.faults or time.monotonic() > deadline:
            return verdict
        time.sleep(0.5)


def _check_echoes(kafka: str, names: Names, announced: Announced, verdict: Verdict) -> None:
    """Every note must have come through the stage that shares its topic with another."""
    echoes = {
        (echo["key"], echo["note"]) for *_, v in read_all(kafka, names.echoes) for echo in [msgspec.json.decode(v)]
    }
    for key, counts in announced.items():
        lost = {(key, number) for number in range(1, counts["note"] + 1)} - echoes
        if lost:
            verdict.missing[f"echo of {key}"] += len(lost)


def quarantined(kafka: str, names: Names) -> list[dict[str, Any]]:
    """The quarantined inputs, each (topic, partition, offset) once."""
    found = [msgspec.json.decode(value) for *_, value in read_all(kafka, names.quarantine)]
    return list({(item["topic"], item["partition"], item["offset"]): item for item in found}.values())


def create_topics(kafka: str, names: Names, partitions: int) -> None:
    _create(kafka, names.data, partitions, {})
    create_states(kafka, names.states, partitions)


def create_states(kafka: str, topics: Sequence[str], partitions: int) -> None:
    _create(kafka, topics, partitions, {"cleanup.policy": "compact"})


def _create(kafka: str, topics: Sequence[str], partitions: int, config: dict[str, str]) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    wanted = [NewTopic(topic, partitions, 1, config=config) for topic in topics]
    for future in admin.create_topics(wanted).values():
        future.result()


def delete_topics(kafka: str, topics: Sequence[str]) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.delete_topics(list(topics)).values():
        future.result()


class Announcer:
    """Announces segments and notes with contiguous numbers; every ``note_every``-th segment is followed by a note."""

    def __init__(self, kafka: str, names: Names, partitions: int) -> None:
        self._producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5, "enable.idempotence": True})
        self._names = names
        self._partitions = partitions
        self.announced: dict[str, dict[str, int]] = {}

    def announce(self, key: str, segments: int, *, note_every: int = 10, **extra: Any) -> None:
        for _ in range(segments):
            counts = self.announced.setdefault(key, {"segment": 0, "note": 0})
            counts["segment"] += 1
            self.send(self._names.segments, key, {"key": key, "segment": counts["segment"], **extra})
            if counts["segment"] % note_every == 0:
                counts["note"] += 1
                self.send(self._names.notes, key, {"key": key, "note": counts["note"]})

    def send(self, topic: str, key: str | None, value: Any) -> None:
        """One record, on the key's partition; ``bytes`` and ``None`` go as they are."""
        body = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
        part = int(hashlib.sha256((key or "").encode()).hexdigest(), 16) % self._partitions
        self._producer.produce(topic, body, key, part)
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(60) == 0
