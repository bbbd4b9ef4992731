"""Stitch: a recording's links become the documents that describe it: manifest, timeline, playlist, chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.domain.continuity import RecordingEnded
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, about_recording, sha256
from pipeline.domain.landing import ObjectRef

DocumentName = Literal["manifest.json", "timeline.json", "playlist.m3u8", "chain.jsonl", "receipt.json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One produced document: its name beside the recording and the object that holds its staged bytes."""

    name: DocumentName
    sha256: Sha256
    size_bytes: int
    staged_key: str

    def __post_init__(self) -> None:
        sha256(self.sha256)
        if self.size_bytes < 0 or not self.staged_key:
            raise ValueError(f"a document has a size and a key, found {self.size_bytes} and {self.staged_key!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStitched:
    """A closed revision of a recording, described. ``originals``: each distinct object once, in timeline order."""

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    revision: int
    close_hash: Sha256
    close_seq: int
    documents: tuple[Document, ...]
    originals: tuple[ObjectRef, ...]
    ended: RecordingEnded

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)
        sha256(self.close_hash)
        if self.revision < 1 or self.close_seq < 0:
            raise ValueError(f"revisions count from 1 and links from 0, found {self.revision} and {self.close_seq}")
