"""Landing: a segment's bytes are in the store, and a connector claims what they are.

Nothing here is verified: times, names and order are the sender's word, kept as such. ``announcement`` counts the
messages of one connector for one source from 1 without a hole, so a lost or repeated message shows by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.domain.identity import RecordingId, Sha256, SourceId, SourceKind, about_recording, label, sha256
from pipeline.domain.time import ClaimedTime, WallMs

Ends = Literal["declared", "next_block", "idle"]
"""How this recording's end will be known: the connector declares it, the next block of a continuous camera begins, or
nothing arrives for the policy's idle time. The idle time-out applies to all three as the last resort."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRef:
    """Bytes in the store: where, which version, how many, which digest the sender computed while sending."""

    bucket: str
    key: str
    version_id: str
    sha256: Sha256
    size_bytes: int

    def __post_init__(self) -> None:
        if not (self.bucket and self.key):
            raise ValueError(f"an object has a bucket and a key, found {self.bucket!r} and {self.key!r}")
        sha256(self.sha256)
        if self.size_bytes < 0:
            raise ValueError(f"a size is not negative, found {self.size_bytes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLanded:
    """What the connector claims about one segment.

    ``sequence``: the recorder's own number if the name or an event gave one. ``run``: the recorder's run or stream id
    (a restart begins a new one). ``claimed_start``/``claimed_end``: the recorder's wall clock. ``clock_offset_ms``:
    recorder clock minus ours when it was last compared. ``original_name``: for people only; ids carry identity.
    """

    connector: str
    announcement: int
    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    object: ObjectRef
    original_name: str
    received_at: WallMs
    ends: Ends
    sequence: int | None = None
    run: str | None = None
    claimed_start: ClaimedTime | None = None
    claimed_end: ClaimedTime | None = None
    clock_offset_ms: int | None = None

    def __post_init__(self) -> None:
        if self.announcement < 1:
            raise ValueError(f"announcements count from 1, found {self.announcement}")
        label(self.connector, "connector")
        about_recording(self.source_id, self.unit, self.recording_id)
