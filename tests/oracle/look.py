"""The oracle's eyes: everything :mod:`tests.oracle.judge` asks about, read from a stand on the real services.

Topics, buckets and journals are read past the product where that is possible; reports, extra versions and counters are
what the product itself says, since that is what is judged.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from pipeline.adapters.kafka_log import read_topic
from pipeline.adapters.objects_s3 import S3Objects, open_client
from pipeline.demo.stand import Stand
from pipeline.demo.truth import Truth, differences
from pipeline.domain.archive import RecordingArchived
from pipeline.domain.errors import Malformed
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef, SegmentLanded
from pipeline.domain.probe import SegmentProbed
from pipeline.policy import load_policy
from pipeline.wire import codec, topics
from pipeline.wire.topics import Topic
from tests.oracle.judge import RECORDINGS, Held, Journalled, World, broken

WAIT_S = 90


@dataclass(frozen=True)
class Verdict:
    """``wrong``: promises that do not hold. ``extra``: keys with more than one version, all of them told."""

    wrong: list[str]
    extra: int
    reports: Mapping[str, Mapping[str, Any]]


def settled(stand: Stand, truths: Sequence[Truth], wait_s: float = WAIT_S) -> Verdict:
    """The verdict once every report equals its truth or the time is over."""
    deadline = time.monotonic() + wait_s
    while True:
        reports = stand.recordings()
        left = any(differences(truth, reports.get(truth.recording_id)) for truth in truths)
        if not left or time.monotonic() > deadline:
            world = see(stand, truths)
            return Verdict(
                broken(world),
                len(world.extras),
                {truth.recording_id: reports.get(truth.recording_id, {}) for truth in truths},
            )
        time.sleep(0.5)


def see(stand: Stand, truths: Sequence[Truth]) -> World:
    """The stand as it is now. Of other sources than those of *truths*, only what names objects and what the counters count."""
    settings = stand.settings()
    sources = {truth.source_id for truth in truths}
    landed = [event for event in events(stand, topics.LANDED) if isinstance(event, SegmentLanded)]
    store = S3Objects(open_client(settings))
    named = {event.object.key: event.source_id for event in landed}

    def ours(key: str) -> bool:
        if key.startswith(RECORDINGS):
            return key.split("/")[1] in sources
        return named.get(key) in sources or key not in named

    held = [
        version for bucket in (settings.originals, settings.records) for version in held_versions(store, bucket, ours)
    ]
    receipts: dict[str, RecordingArchived] = {
        version.key: codec.decode(topics.ARCHIVED.name, store.read(settings.records, version.key))
        for version in held
        if version.key.startswith(RECORDINGS) and version.key.endswith("/receipt.json")
    }
    policy = load_policy(Path(stand.variables["UNBROKEN_POLICY"]))
    return World(
        truths=tuple(truths),
        reports=stand.recordings(),
        journals=tuple(journals(stand.folder / "journals", sources)),
        landed=tuple(event for event in landed if event.source_id in sources),
        links=tuple(event for event in events(stand, topics.LINK) if event.source_id in sources),
        archived=tuple(event for event in events(stand, topics.ARCHIVED) if event.source_id in sources),
        deadlines=tuple(events(stand, topics.DEADLINE)),
        receipts=receipts,
        held=tuple(held),
        records=settings.records,
        retention_ms=policy.provisional_retention_s * 1000,
        quarantined=frozenset(_quarantined(stand)),
        extras=frozenset(_extras(stand)),
        misses_counted=_misses(stand),
    )


def held_versions(store: S3Objects, bucket: str, wanted: Callable[[str], bool], prefix: str = "") -> Iterator[Held]:
    """Every version of the *wanted* keys under *prefix*, its bytes read and its lock asked for."""
    for item in store._client.list_objects(bucket, prefix=prefix, recursive=True, include_version=True):
        if item.is_delete_marker or not wanted(str(item.object_name)):
            continue
        key, version = str(item.object_name), str(item.version_id)
        stat = store.stat(bucket, key, version)
        digest = hashlib.sha256()
        ref = ObjectRef(bucket=bucket, key=key, version_id=version, sha256=Sha256("0" * 64), size_bytes=0)
        with store.open(ref) as body:
            while block := body.read(1 << 20):
                digest.update(block)
        yield Held(
            bucket=bucket,
            key=key,
            version_id=version,
            size_bytes=stat.size_bytes,
            sha256=Sha256(digest.hexdigest()),
            lock_mode=stat.lock_mode,
            retain_until=stat.retain_until,
        )


def journals(folder: Path, sources: set[Any]) -> Iterator[Journalled]:
    """The journals of *sources*, read as a file."""
    for path in sorted(folder.glob("*.sqlite")):
        if path.stem not in sources:
            continue
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            (name,) = file.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()
            rows = file.execute("SELECT value, delivered FROM announcements ORDER BY number").fetchall()
        announced = tuple(codec.decode(topics.LANDED.name, value) for value, _ in rows)
        undelivered = sum(not delivered for _, delivered in rows)
        yield Journalled(connector=f"folder-{name}", announced=announced, undelivered=undelivered)


def events(stand: Stand, topic: Topic) -> list[Any]:
    """What *topic* holds, in order, poison left out."""
    settings = stand.settings()
    found = []
    for record in asyncio.run(read_topic(settings.kafka, settings.topic(topic.name), settings.topic_partitions)):
        try:
            found.append(codec.decode(topic.name, record.value or b""))
        except Malformed:
            continue
    return found


def _quarantined(stand: Stand) -> Iterator[tuple[str, int]]:
    """The announcements that were set aside, as they landed or as they were probed."""
    for item in events(stand, topics.QUARANTINE):
        name = next((topic.name for topic in (topics.LANDED, topics.PROBED) if item.topic.endswith(topic.name)), None)
        if name is None or item.value_base64 is None or item.stage == "deadline":
            continue
        try:
            event = codec.decode(name, base64.b64decode(item.value_base64))
        except Malformed:
            continue
        landed = event.landed if isinstance(event, SegmentProbed) else event
        yield landed.connector, landed.announcement


def _extras(stand: Stand) -> Iterator[str]:
    for line in stand.call("store", "extras", allowed=(0, 1)).splitlines():
        count, found, where = line.partition(" versions  ")
        if found and int(count) > 1:
            yield where


def _misses(stand: Stand) -> int | None:
    """The running ledger worker's counter of missed deadlines; ``None`` when none runs."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{stand.ports['ledger']}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return None
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return int(
        sum(
            sample.value
            for sample in samples
            if sample.name == "unbroken_deadline_outcomes_total" and sample.labels["outcome"] == "missed"
        )
    )
