"""Archive: what is locked where until when, and the receipt that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, about_recording, sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.time import WallMs

LockMode = Literal["COMPLIANCE", "GOVERNANCE", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedObject:
    """An object as the store itself reports it: lock mode and retain-until were read back, not assumed."""

    object: ObjectRef
    lock_mode: LockMode
    retain_until: WallMs


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingArchived:
    """The receipt: a recording's revision is archived. ``signature`` (base64 Ed25519) covers the canonical JSON of
    ``{recording_id, revision, close_hash, objects_sha256, archived_at, key_id}``; the receipt document holds the same."""

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    revision: int
    close_hash: Sha256
    archived_at: WallMs
    originals: tuple[LockedObject, ...]
    records: tuple[LockedObject, ...]
    objects_sha256: Sha256
    key_id: str
    signature: str
    ended_at: WallMs | None
    first_received_at: WallMs

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)
        sha256(self.close_hash)
        sha256(self.objects_sha256)
        if self.revision < 1:
            raise ValueError(f"revisions count from 1, found {self.revision}")
