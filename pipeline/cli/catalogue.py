"""What is known now: ended recordings from the archive, open ones from the state topics, deadlines from their events.

There is no database here. The archive is asked first, because it is the truth; a state topic only tells what the archive
cannot know yet. Shared by ``recordings`` and ``status``.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_log import read_topic
from pipeline.adapters.objects_s3 import S3Objects, open_client
from pipeline.domain import continuity
from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import LockedObject, RecordingArchived
from pipeline.domain.canary import beat_at
from pipeline.domain.chain import ChainState
from pipeline.domain.continuity import RecordingEnded, SourceState
from pipeline.domain.docket import DeadlineChanged, SourceDeadlines
from pipeline.domain.errors import Malformed
from pipeline.domain.identity import RecordingId
from pipeline.domain.time import WallMs
from pipeline.domain.tracked import missing_fields, progress
from pipeline.policy import load_policy
from pipeline.ports import ObjectStore
from pipeline.reporting import states_of
from pipeline.settings import Settings
from pipeline.wire import codec, statements, topics
from pipeline.wire.reports import Awaited, Chained, Reported

_LOOKS_AT_ONCE: Final = 8
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_RECEIPT: Final = re.compile(r"r([1-9][0-9]*)/receipt\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The running state by source, the last word on each deadline by recording, all words on all of them, in order, and
    what the deadlines wait for that are neither met nor given up; ``dockets``: all deadlines by source."""

    sources: Mapping[str, SourceState]
    chains: Mapping[str, ChainState]
    deadlines: Mapping[RecordingId, DeadlineChanged]
    changes: tuple[DeadlineChanged, ...]
    awaited: Mapping[RecordingId, Awaited]
    dockets: Mapping[str, SourceDeadlines]


def recordings(settings: Settings, only: str | None = None, running: Running | None = None) -> list[Reported]:
    """Every recording but canaries, or the one named *only* (with its locks asked of the store now), in order of their ids.
    *running*: where the caller has read it already."""
    store = S3Objects(open_client(settings))
    running = asyncio.run(read_running(settings)) if running is None else running
    found: dict[RecordingId, Reported] = {}
    for receipt, manifest in archived(store, settings, only):
        account = codec.load_state(RecordingEnded, manifest["account"])
        chain = manifest["chain"]
        found[account.recording_id] = Reported(
            account=account,
            chain=Chained(links=chain["links"], head=chain["head"], closed=chain["closed"]),
            archived=receipt if only is None else _asked_now(store, receipt),
            deadline=running.deadlines.get(account.recording_id),
            ended=True,
            statements=tuple(statements.archived(manifest)),
            awaited=running.awaited.get(account.recording_id),
        )
    for reported in _remembered(settings, running):
        name = reported.recording_id
        held = found.get(name)
        if only in (None, name) and (held is None or held.account.revision < reported.account.revision):
            found[name] = reported
    return [found[name] for name in sorted(found) if only is not None or beat_at(name) is None]


async def read_running(settings: Settings) -> Running:
    """Read the state topics and the deadline events to their ends."""
    sources, chains, dockets, events = await asyncio.gather(
        states_of(settings, "continuity", SourceState),
        states_of(settings, "chain", ChainState),
        states_of(settings, "deadline", SourceDeadlines),
        read_topic(settings.kafka, settings.topic(topics.DEADLINE.name), settings.topic_partitions),
    )
    changes = [codec.decode(topics.DEADLINE.name, record.value) for record in events]
    last = {change.recording_id: change for change in changes}
    policy, now = load_policy(settings.policy), SystemClock().now()
    awaited = {
        name: Awaited(progress(tracked, policy), missing_fields(tracked, now, policy))
        for docket in dockets.values()
        for name, tracked in docket.open.items()
    }
    return Running(
        sources=sources, chains=chains, deadlines=last, changes=tuple(changes), awaited=awaited, dockets=dockets
    )


def archived(
    store: ObjectStore, settings: Settings, only: str | None
) -> list[tuple[RecordingArchived, Mapping[str, Any]]]:
    """The newest archived revision of each recording: its receipt and its manifest."""
    newest: dict[str, int] = {}
    for listed in store.list(settings.records, "recordings/"):
        folder, _, name = listed.key.rpartition("/")
        recording, _, revision = folder.rpartition("/r")
        if name == "receipt.json" and only in (None, recording.rpartition("/")[2]):
            newest[recording] = max(int(revision), newest.get(recording, 0))

    def read(folder: str) -> tuple[RecordingArchived, Mapping[str, Any]]:
        receipt = codec.decode(topics.ARCHIVED.name, store.read(settings.records, f"{folder}/receipt.json"))
        return receipt, json.loads(store.read(settings.records, f"{folder}/manifest.json"))

    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        return list(pool.map(read, (f"{recording}/r{last}" for recording, last in sorted(newest.items()))))


def _asked_now(store: ObjectStore, archived: RecordingArchived) -> RecordingArchived:
    """*archived* with every lock as the store reports it at this moment."""

    def ask(locked: LockedObject) -> LockedObject:
        stat = store.stat(locked.object.bucket, locked.object.key, locked.object.version_id)
        return replace(locked, lock_mode=stat.lock_mode, retain_until=stat.retain_until or WallMs(0))

    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        originals = tuple(pool.map(ask, archived.originals))
        records = tuple(pool.map(ask, archived.records))
    return replace(archived, originals=originals, records=records)


def _remembered(settings: Settings, running: Running) -> Iterator[Reported]:
    """What the running state knows of each recording, as of its next revision while it is open, its last when ended."""
    policy = load_policy(settings.policy)
    for source, state in running.sources.items():
        heads = running.chains[source].heads if source in running.chains else {}
        for name, recording in state.recordings.items():
            if recording.kind is None:
                continue
            account = continuity.so_far(state, RecordingId(name), policy)
            head = heads.get(name)
            yield Reported(
                account=replace(account, revision=recording.revision) if recording.closed else account,
                chain=Chained(
                    links=head.seq + 2 if head else 0,
                    head=head.hash if head else None,
                    closed=head is not None and head.closed,
                ),
                archived=None,
                deadline=running.deadlines.get(RecordingId(name)),
                ended=recording.closed,
                awaited=running.awaited.get(RecordingId(name)),
            )


def statements_about(settings: Settings, named: Sequence[tuple[str, str]]) -> dict[str, tuple[Annotation, ...]]:
    """What people said of the recordings *named* (source and recording), on the broker and in the archive, each once."""
    store = S3Objects(open_client(settings))
    found: dict[str, dict[str, Annotation]] = {recording: {} for _, recording in named}

    def kept(name: tuple[str, str]) -> list[Annotation]:
        if not all(_ID.fullmatch(part) for part in name):
            return []
        place = f"recordings/{name[0]}/{name[1]}/"
        numbers = [
            int(match[1])
            for listed in store.list(settings.records, place)
            if (match := _RECEIPT.fullmatch(listed.key[len(place) :]))
        ]
        if not numbers:
            return []
        manifest = json.loads(store.read(settings.records, f"{place}r{max(numbers)}/manifest.json"))
        return list(statements.archived(manifest))

    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        for said in (one for many in pool.map(kept, named) for one in many):
            found[str(said.recording_id)].setdefault(said.annotation_id, said)
    name = settings.topic(topics.ANNOTATION.name)
    for record in asyncio.run(read_topic(settings.kafka, name, settings.topic_partitions)):
        try:
            said = codec.decode(topics.ANNOTATION.name, record.value)
        except Malformed:  # the stages set it aside, with its bytes
            continue
        if said.kind in ("metadata", "explanation") and said.recording_id in found:
            found[said.recording_id].setdefault(said.annotation_id, said)
    return {recording: tuple(said.values()) for recording, said in found.items()}
