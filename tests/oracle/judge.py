"""What must hold whatever breaks, as one function of what was planted and what is there now.

I1  every announced recording is archived or listed as not archived
I2  one version per key; a further one is named by the listing of extra versions and has the same bytes
I3  the store holds the bytes that were recorded
I4  every version is locked in COMPLIANCE, as long as whoever acknowledged it promised
I5  a recording is reported as it was planted: its unexplained gaps are the planted ones, exactly
I6  receipts name only objects that are there; objects are named by a receipt, an announcement or a journal
I7  a missed deadline is called once, for a deadline that was missed, and no counter counts more
I8  nothing vanishes: what journals hold was announced, what was announced stands in exactly one link or is quarantined
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.demo.truth import Truth, differences
from pipeline.domain.archive import LockMode, RecordingArchived
from pipeline.domain.chain import LinkAppended
from pipeline.domain.docket import DeadlineChanged
from pipeline.domain.identity import Sha256
from pipeline.domain.landing import ObjectRef, SegmentLanded
from pipeline.domain.time import WallMs
from tests.oracle.placing import Placed, place

RECORDINGS: Final = "recordings/"
"""Where revisions lie in the records; what else lies there belongs to no recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One version as the store itself has it; ``sha256`` is of the bytes it gave back."""

    bucket: str
    key: str
    version_id: str
    size_bytes: int
    sha256: Sha256
    lock_mode: LockMode
    retain_until: WallMs | None

    @property
    def place(self) -> str:
        return f"{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journalled:
    """What one connector's journal holds: its announcements, and how many of them it does not know to be delivered."""

    connector: str
    announced: tuple[SegmentLanded, ...]
    undelivered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything there is to know, once nothing moves any more. Topics with all their records, repeats too; ``quarantined``:
    the announcements set aside; ``receipts`` by key in the records; ``extras``: places the product lists as held more than
    once; ``misses_counted``: by the counter of the ledger worker that runs now."""

    truths: tuple[Truth, ...]
    reports: Mapping[str, Mapping[str, Any]]
    journals: tuple[Journalled, ...]
    landed: tuple[SegmentLanded, ...]
    links: tuple[LinkAppended, ...]
    archived: tuple[RecordingArchived, ...]
    deadlines: tuple[DeadlineChanged, ...]
    receipts: Mapping[str, RecordingArchived]
    held: tuple[Held, ...]
    records: str
    retention_ms: int
    quarantined: frozenset[tuple[str, int]] = frozenset()
    extras: frozenset[str] = field(default_factory=frozenset)
    misses_counted: int | None = None


def broken(world: World) -> list[str]:
    """Every promise that does not hold, each line with its number and both sides; empty when all do."""
    return [
        *_reported(world),
        *_versions(world),
        *_acknowledged(world),
        *_named(world),
        *_deadlines(world),
        *_accounted(world),
    ]


def wrong_version(held: Held, sha256: Sha256, until: WallMs) -> Iterator[str]:
    """What is wrong with one version that must hold *sha256* under lock until *until* (I3, I4)."""
    if held.sha256 != sha256:
        yield f"I3 {held.place}: expected bytes of {sha256}, found {held.size_bytes} of {held.sha256}"
    if held.lock_mode != "COMPLIANCE" or held.retain_until is None or held.retain_until < until:
        yield f"I4 {held.place}: expected COMPLIANCE until {until}, found {held.lock_mode} until {held.retain_until}"


def _reported(world: World) -> Iterator[str]:
    for recording in sorted({event.recording_id for event in world.landed}):
        if recording not in world.reports:
            yield f"I1 {recording}: announced, and neither archived nor listed"
    for truth in world.truths:
        report = world.reports.get(truth.recording_id)
        for line in differences(truth, report):
            yield f"{'I1' if line.startswith(('archive', 'not reported')) else 'I5'} {truth.recording_id}: {line}"


def _versions(world: World) -> Iterator[str]:
    """Of each key: one version, or equal ones that are told."""
    by_place: dict[str, list[Held]] = defaultdict(list)
    for held in world.held:
        by_place[held.place].append(held)
        if held.bucket != world.records and held.sha256 not in held.key:
            yield f"I3 {held.place}: holds {held.size_bytes} bytes of {held.sha256}"
        if held.lock_mode != "COMPLIANCE" or held.retain_until is None:
            yield f"I4 {held.place} version {held.version_id}: {held.lock_mode} until {held.retain_until}"
    for where, versions in by_place.items():
        if len(versions) > 1 and where not in world.extras:
            yield f"I2 {where}: {len(versions)} versions, and no listing tells"
        if len({held.sha256 for held in versions}) > 1:
            yield f"I2 {where}: versions with different bytes"
    keys = {held.key for held in world.held}
    for truth in world.truths:
        yield from (f"I3 {truth.recording_id}: {key} is not there" for key in truth.originals if key not in keys)


def _acknowledged(world: World) -> Iterator[str]:
    """What a connector announced and a receipt lists is there, as it was said."""
    index = {(held.place, held.version_id): held for held in world.held}
    promised: dict[ObjectRef, WallMs] = {}
    for event in world.landed:
        promised[event.object] = WallMs(event.received_at + world.retention_ms)
    for receipt in world.receipts.values():
        for item in (*receipt.originals, *receipt.records):
            promised[item.object] = max(item.retain_until, promised.get(item.object, item.retain_until))
    for ref, until in promised.items():
        held = index.get((f"{ref.bucket}/{ref.key}", ref.version_id))
        if held is None:
            yield f"I6 {ref.bucket}/{ref.key} version {ref.version_id}: acknowledged, and not there"
        else:
            yield from wrong_version(held, ref.sha256, WallMs(until // 1000 * 1000))


def _named(world: World) -> Iterator[str]:
    """No object lies there that nobody names; receipts in the store and on the topic are the same."""
    known = {f"{event.object.bucket}/{event.object.key}" for event in world.landed}
    known |= {f"{e.object.bucket}/{e.object.key}" for journal in world.journals for e in journal.announced}
    for key, receipt in world.receipts.items():
        known.add(f"{world.records}/{key}")
        known |= {f"{item.object.bucket}/{item.object.key}" for item in (*receipt.originals, *receipt.records)}
    for held in world.held:
        if held.place not in known and (held.bucket != world.records or held.key.startswith(RECORDINGS)):
            yield f"I6 {held.place}: there, and named by no receipt, announcement or journal"
    standing = {(receipt.recording_id, receipt.revision): receipt for receipt in world.receipts.values()}
    for event in world.archived:
        if standing.get((event.recording_id, event.revision)) != event:
            yield f"I6 {event.recording_id} r{event.revision}: its receipt on the topic is not the one in the store"


def _deadlines(world: World) -> Iterator[str]:
    missed: dict[str, set[DeadlineChanged]] = defaultdict(set)
    for event in world.deadlines:
        if event.state == "missed":
            missed[event.recording_id].add(event)
    for recording, calls in missed.items():
        if len(calls) > 1:
            yield f"I7 {recording}: missed was called {len(calls)} times in different words"
    for truth in world.truths:
        expected, found = truth.deadline in ("missed", "late"), truth.recording_id in missed
        if expected != found:
            yield f"I7 {truth.recording_id}: expected {'a miss' if expected else 'no miss'}, found the opposite"
    if world.misses_counted is not None and world.misses_counted > len(missed):
        yield f"I7 the counter says {world.misses_counted} misses, {len(missed)} were called"


def _accounted(world: World) -> Iterator[str]:
    heard = {(event.connector, event.announcement): event for event in world.landed}
    for event in world.landed:
        if heard[event.connector, event.announcement] != event:
            yield f"I8 {event.connector} {event.announcement}: announced twice, in different words"
    for journal in world.journals:
        if journal.undelivered:
            yield f"I8 {journal.connector}: {journal.undelivered} announcements never delivered"
        numbers = [event.announcement for event in journal.announced]
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"I8 {journal.connector}: its journal counts {numbers}"
        for event in journal.announced:
            if heard.get((event.connector, event.announcement)) != event:
                yield f"I8 {event.connector} {event.announcement}: in the journal, and not so on the topic"
    placing = place(map(_placed, world.links), _by_connector(heard.keys() - world.quarantined))
    for what in ("missing", "doubled", "invented", "conflicting"):
        yield from (f"I8 {what} in the links: {name}" for name in getattr(placing, what))


def _placed(link: LinkAppended) -> Placed:
    where, content = (link.source_id, link.recording_id, link.seq), (link.hash, link.record)
    if link.kind not in ("segment", "late"):
        return Placed(where, content)
    said = json.loads(link.record)
    return Placed(where, content, said["connector"], said["announcement"])


def _by_connector(names: set[tuple[str, int]]) -> dict[Any, set[int]]:
    numbers: dict[Any, set[int]] = defaultdict(set)
    for connector, number in names:
        numbers[connector].add(number)
    return numbers
