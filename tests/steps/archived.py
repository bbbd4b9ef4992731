"""Archives as the stages really make them, in a store in memory."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.domain import chain, continuity, stitch
from pipeline.domain.annotation import Annotation
from pipeline.domain.archive import ArchiveState
from pipeline.domain.chain import ChainState, LinkAppended
from pipeline.domain.checkpoint import Checkpoint, checkpoint_document, checkpoint_key
from pipeline.domain.continuity import SourceState
from pipeline.domain.identity import RecordingId, Sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.stitch import Document, RecordingStitched
from pipeline.domain.time import WallMs
from pipeline.steps.archive import ArchiveStep
from pipeline.steps.digests import Digests
from tests.builders import SALT_KEY, SOURCE, T0, explanation, metadata, mp4, policy, session_ended
from tests.builders_archive import DAY_MS, Trusting, signer

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
        self._step = ArchiveStep(
            store=self.store,
            trust=Trusting(),
            clock=Noon(),
            signer=signer(),
            policy=policy(),
            records="records",
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
        data = checkpoint_document(made)
        until = WallMs(T0 + 2 * DAY_MS)
        digest = Sha256(hashlib.sha256(data).hexdigest())
        self.store.put_bytes("records", checkpoint_key(made), data, digest, retain_until=until)
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


class Archive(Stages):
    """Three recordings of one source, the first with a late file; with *checkpoints*, a fourth that is open, and what was
    locked while they were open."""

    def __init__(self, checkpoints: bool = False) -> None:
        super().__init__()
        self.links: dict[RecordingId, list[LinkAppended]] = {}
        for link in links_of([*self._day(), *(_STILL_OPEN if checkpoints else ())]):
            self.links.setdefault(link.recording_id, []).append(link)
            if link.kind == "close":
                self.archive(self.links[link.recording_id])
        for name, first, end in _KEPT if checkpoints else ():
            self.keep(self.links[name][first:end])

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
