"""Archive: what is locked where until when, and the receipt that says so.

Rule 1: a revision's documents stand beside each other under ``recordings/<source>/<recording>/r<revision>/``; a later
revision gets its own folder and nothing is overwritten.
Rule 2: retain-until is computed from the recording and what was said of it (:mod:`pipeline.domain.keeping`), never from
now, so a repeated archiving asks for the same lock or a longer one.
Rule 3: the receipt is the last document written. Where it stands, the revision is archived, and whoever archives it again
finds it and says the same again, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pipeline.domain.canonical import Json, canonical, digest, plain
from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, about_recording, sha256
from pipeline.domain.landing import ObjectRef
from pipeline.domain.stitch import DocumentName, RecordingStitched
from pipeline.domain.time import WallMs, to_rfc3339

LockMode = Literal["COMPLIANCE", "GOVERNANCE", "none"]

RECEIPT_FORMAT: Final = "unbroken.receipt.v1"
REMEMBERED: Final = 64
"""Archived recordings of a source whose repeats are known without asking the store."""
PROMPT_MS: Final = 4 * 3600 * 1000
"""The goal we set ourselves, a sixth of article 9's day: what takes longer is a warning long before a deadline is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedObject:
    """An object as the store itself reports it: lock mode and retain-until were read back, not assumed."""

    object: ObjectRef
    lock_mode: LockMode
    retain_until: WallMs


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingArchived:
    """The receipt: a recording's revision is archived. ``signature`` (base64 Ed25519) covers the canonical JSON of
    ``{recording_id, revision, close_hash, objects_sha256, archived_at, key_id}``; the receipt document holds the same.
    ``records``: the other documents of the revision, in the order of their names."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What is remembered of a recording: its newest archived revision and that revision's close."""

    revision: int
    close_hash: Sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveState:
    """A source's recently archived recordings, oldest first."""

    done: dict[RecordingId, Archived] = field(default_factory=dict)


def is_prompt(receipt: RecordingArchived) -> bool:
    """Archived within :data:`PROMPT_MS` after it had ended and its first segment was here: what we answer for ourselves."""
    begun = max(receipt.first_received_at, receipt.ended_at or receipt.first_received_at)
    return receipt.archived_at - begun <= PROMPT_MS


def is_repeat(state: ArchiveState, stitched: RecordingStitched) -> bool:
    """This revision, or one after it, was archived before. A different close of the same revision is not a repeat."""
    last = state.done.get(stitched.recording_id)
    if last is None or stitched.revision > last.revision:
        return False
    return stitched.revision < last.revision or stitched.close_hash == last.close_hash


def remember(state: ArchiveState, stitched: RecordingStitched) -> ArchiveState:
    """*state* after *stitched* was archived."""
    others = {name: entry for name, entry in state.done.items() if name != stitched.recording_id}
    kept = dict(list(others.items())[-(REMEMBERED - 1) :])
    kept[stitched.recording_id] = Archived(revision=stitched.revision, close_hash=stitched.close_hash)
    return ArchiveState(done=kept)


def record_key(source: SourceId, recording: RecordingId, revision: int, name: DocumentName) -> str:
    """Key in the records bucket of one document of one revision."""
    return f"recordings/{source}/{recording}/r{revision}/{name}"


def objects_digest(originals: Sequence[LockedObject], records: Sequence[LockedObject]) -> Sha256:
    """What ``objects_sha256`` of a receipt is: SHA-256 of the canonical JSON of ``{originals, records}``."""
    listed: Json = {"originals": plain(tuple(originals)), "records": plain(tuple(records))}
    return Sha256(digest(listed))


def receipt_message(stitched: RecordingStitched, objects_sha256: Sha256, archived_at: WallMs, key_id: str) -> bytes:
    """The bytes a receipt's signature covers."""
    return canonical(
        {
            "recording_id": stitched.recording_id,
            "revision": stitched.revision,
            "close_hash": stitched.close_hash,
            "objects_sha256": objects_sha256,
            "archived_at": to_rfc3339(archived_at),
            "key_id": key_id,
        }
    )


def signed_message(receipt: RecordingArchived) -> bytes:
    """What the signature of *receipt* must cover, from its own fields and its own list of objects."""
    signed: dict[str, Json] = {
        "recording_id": receipt.recording_id,
        "revision": receipt.revision,
        "close_hash": receipt.close_hash,
        "objects_sha256": objects_digest(receipt.originals, receipt.records),
        "archived_at": to_rfc3339(receipt.archived_at),
        "key_id": receipt.key_id,
    }
    return canonical(signed)


def receipt_document(archived: RecordingArchived) -> bytes:
    """``receipt.json``: the fields of the event and ``format``, as canonical JSON."""
    fields = plain(archived)
    assert isinstance(fields, dict)
    return canonical({"format": RECEIPT_FORMAT, **fields})
