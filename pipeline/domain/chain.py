"""Chain: each recording's items linked by hashes, in order of receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.domain.continuity import RecordingEnded
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, about_recording, sha256
from pipeline.domain.probe import MediaFacts

LinkKind = Literal["genesis", "segment", "gap", "explanation", "metadata", "late", "close"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAppended:
    """One entry of a recording's chain, with everything later stages need of it.

    ``record`` is the canonical JSON that was hashed, verbatim: ``hash = H(domain || record)``. The genesis is carried
    as seq -1 (kind ``genesis``), so that a chain document lists everything a verifier needs. ``facts`` (segment, late)
    hashes to ``record.facts_sha256``; ``ended`` comes with the close link and hashes to its ``account_sha256``.
    """

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    seq: int
    kind: LinkKind
    record: str
    hash: Sha256
    facts: MediaFacts | None = None
    ended: RecordingEnded | None = None

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)
        sha256(self.hash)
        if self.seq < -1:
            raise ValueError(f"links count from -1, found {self.seq}")
