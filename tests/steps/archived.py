"""Archives as the stages really make them, in a store in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.adapters.signing import Ed25519Signer
from pipeline.domain import chain, continuity, stitch
from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import ArchiveState
from pipeline.domain.breach import breach_document, breach_key
from pipeline.domain.canonical import canonical
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.checkpoint import Checkpoint, checkpoint_document, checkpoint_key
from pipeline.domain.continuity import SourceState
from pipeline.domain.identity import RecordingId, Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.seal import with_signature
from pipeline.domain.sla import report_key
from pipeline.domain.stitch import Document, RecordingStitched
from pipeline.domain.time import WallMs
from pipeline.steps.archive import ArchiveStep
from pipeline.steps.digests import Digests
from pipeline.steps.seal import Sealer
from tests.builders import SALT_KEY, SOURCE, T0, explanation, metadata, mp4, policy, session_ended, window
from tests.builders_archive import DAY_MS, Trusting, classified_as, held_for, keeper_of, released_from, signer
from tests.domain.test_breach import MISSED

FIRST, SECOND, THIRD, OPEN = (RecordingId(f"hall-1-{name}") for name in ("a", "b", "c", "d"))


class Noon:
    def now(self) -> WallMs:
        return WallMs(T0 + DAY_MS)


@dataclass(frozen=True)
class Received:
    event: RecordingStitched


def links_of(day: Iterable[SegmentProbed | Annotation]) -> Iterator[LinkAppended]:
    """What continuity and chain make of a source's *day*."""
    source, chains = SourceState(source_id=SOURCE), ChainState()
    for event in day:
        source, judged = continuity.step(source, event, policy())
        for item in judged:
            chains, appended = chain.step(chains, item, SALT_KEY)
            yield from appended


class Stages:
    """The stages' own code on a store in memory; ``store`` holds what was archived, under lock."""

    def __init__(self) -> None:
        self.store = MemoryObjects(Noon())
        for name, days in (("originals", 1), ("records", 1), ("derived", None)):
            self.store.make_bucket(name, days)
        self.sealer = Sealer(store=self.store, signer=signer(), records="records")
        self._step = ArchiveStep(
            store=self.store,
            trust=Trusting(),
            clock=Noon(),
            signer=signer(),
            keeper=keeper_of(self.store, policy()),
            derived="derived",
        )

    def original(self, number: int, suffix: str) -> ObjectRef:
        data = f"bytes of file {number}".encode() * 50
        found = Sha256(hashlib.sha256(data).hexdigest())
        stat = self.store.put_bytes("originals", f"sha256/{found[:2]}/{found}{suffix}", data, found, retain_until=None)
        return ObjectRef(
            bucket="originals", key=stat.key, version_id=stat.version_id, sha256=found, size_bytes=len(data)
        )

    def archive(self, links: Sequence[LinkAppended]) -> None:
        """The revision that the last of *links* closes."""
        account, close = stitch.account_of(links), links[-1]
        event = RecordingStitched(
            source_id=SOURCE,
            source_kind=close.source_kind,
            unit=close.unit,
            recording_id=close.recording_id,
            revision=account.revision,
            close_hash=close.hash,
            close_seq=close.seq,
            documents=tuple(self._stage(*item) for item in stitch.documents(links, "unbroken 0.1.0")),
            originals=stitch.originals_of(stitch.segments_of(links)),
            ended=account,
        )
        asyncio.run(self._step.step(ArchiveState(), Received(event)))

    def keep(self, links: Sequence[LinkAppended]) -> str:
        """A checkpoint with *links*; its key."""
        first, last = links[0], links[-1]
        made = Checkpoint(
            source_id=SOURCE,
            recording_id=first.recording_id,
            first_seq=first.seq,
            last_seq=last.seq,
            links=tuple(links),
        )
        self.sealer.put("a checkpoint", checkpoint_key(made), checkpoint_document(made), WallMs(T0 + 2 * DAY_MS))
        return checkpoint_key(made)

    def _stage(self, name: stitch.DocumentName, data: bytes) -> Document:
        found = Sha256(hashlib.sha256(data).hexdigest())
        self.store.put_bytes("derived", f"staged/{found}", data, found, retain_until=None)
        return Document(name=name, sha256=found, size_bytes=len(data), staged_key=f"staged/{found}")

    def copy(self, folder: Path) -> None:
        """The locked buckets side by side in *folder*, the public key beside them."""
        for bucket in ("originals", "records"):
            for stat in self.store.list(bucket, ""):
                path = folder / bucket / stat.key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.store.read(bucket, stat.key))
        (folder / "receipt-key.pub.pem").write_bytes(signer().public_pem)


_STILL_OPEN = [mp4(number, recording_id=OPEN, announcement=number) for number in (6, 7, 8)]
_KEPT = ((FIRST, 0, 2), (FIRST, 2, 6), (SECOND, 0, 3), (OPEN, 0, 1), (OPEN, 1, 3), (OPEN, 3, 4))
"""Which links of which recording a checkpoint has."""


def report_by(hand: Ed25519Signer, day: int, key_id: str | None = None) -> bytes:
    """As much of a daily report as says whose and of what it is."""
    until = {"start": f"2026-11-{day - 1}T16:00:00.000Z", "end": f"2026-11-{day}T16:00:00.000Z"}
    unsigned = {"format": "unbroken.sla-report.v1", "unit": None, **until, "key_id": key_id or hand.key_id}
    return with_signature(unsigned, hand.sign(canonical(unsigned)))


class Archive(Stages):
    """Three recordings of one source, the first with a late file; with *checkpoints*, a fourth that is open, what was locked
    while they were open, and what was said of them."""

    def __init__(self, checkpoints: bool = False) -> None:
        super().__init__()
        self.links: dict[RecordingId, list[LinkAppended]] = {}
        for link in links_of([*self._day(), *(_STILL_OPEN if checkpoints else ())]):
            self.links.setdefault(link.recording_id, []).append(link)
            if link.kind == "close":
                self.archive(self.links[link.recording_id])
        for name, first, end in _KEPT if checkpoints else ():
            self.keep(self.links[name][first:end])
        if checkpoints:
            self._say()

    def _say(self) -> None:
        """What lies beside the recordings: of each kind of record one at least."""
        held = held_for("court 7", recording_id=FIRST)
        for entry in (held, released_from(held, recording_id=FIRST), classified_as("10y", recording_id=SECOND)):
            keeper_of(self.store, policy()).add(entry)
        keeper_of(self.store, policy()).keep(window(0, 60_000), Noon().now())
        until = WallMs(T0 + 2 * DAY_MS)
        for state in ("missed", "late"):
            change = replace(MISSED, recording_id=THIRD, state=state)
            self.sealer.put("a miss", breach_key(change), breach_document(change), until)
        report = report_by(signer(), 24)
        digest = Sha256(hashlib.sha256(report).hexdigest())
        self.store.put_bytes("records", report_key("2026-11-24", None), report, digest, retain_until=until)

    def _day(self) -> list[SegmentProbed | Annotation]:
        return [
            self._file(0, FIRST),
            self._file(2, FIRST, announcement=2),
            explanation(10_000, 20_000, recording_id=FIRST),
            session_ended("end-a", recording_id=FIRST),
            self._file(3, SECOND, announcement=3),
            metadata(recording_id=SECOND),
            session_ended("end-b", recording_id=SECOND),
            self._file(4, THIRD, announcement=4),
            session_ended("end-c", recording_id=THIRD),
            self._file(1, FIRST, announcement=5),
            session_ended("end-a2", recording_id=FIRST),
        ]

    def _file(self, number: int, recording: RecordingId, announcement: int = 1) -> SegmentProbed:
        ref = self.original(number, ".mp4")
        digests = Digests(tree=True, sm3=True)
        digests.update(self.store.read(ref.bucket, ref.key))
        done = digests.done()
        made = mp4(number, object=ref, recording_id=recording, announcement=announcement)
        return replace(made, observed_sm3=done.sm3, chunk_root=done.chunk_root)


def link_copy(source: Path, target: Path) -> None:
    """A copy that costs nothing: names of its own for the same files. Change one by replacing it (:func:`put`)."""
    for path in source.rglob("*"):
        if path.is_file():
            other = target / path.relative_to(source)
            other.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, other)


def put(path: Path, data: bytes) -> None:
    """New bytes under this name only."""
    path.unlink()
    path.write_bytes(data)
