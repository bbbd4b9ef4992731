"""Annotations: what people, case systems, connectors and our own timers say about a recording.

Append-only and idempotent by ``annotation_id``; a correction is a new annotation. Exactly the body that ``kind`` names
is present. Timers speak here too (``session_ended`` by idle time-out, ``deadline_due``), so that every stage remains a
fold over topics and no timer ever changes state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pipeline.domain.identity import RecordingId, SourceId, label, recording_id, source_id
from pipeline.domain.time import WallMs

AnnotationKind = Literal["metadata", "explanation", "session_ended", "schedule_window", "deadline_due"]

ReasonCode = Literal["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R9"]
"""Article 8: R1 fault, R2 damage, R3 severe weather, R4 battery, R5 storage space, R6 obstruction, R7 change of place,
R9 other objective cause (needs text)."""

EndReason = Literal["declared", "next_block", "idle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Article 9's fields (``stored_date`` is ours and not here) and any further ones a unit asks for."""

    case_name: str | None = None
    party_name: str | None = None
    recorded_date: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why there is a gap between two instants. ``voice_start``/``voice_end``: where the reason is spoken after the restart."""

    gap_start: WallMs
    gap_end: WallMs
    reason: ReasonCode
    text: str = ""
    voice_start: WallMs | None = None
    voice_end: WallMs | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """No more segments are expected. ``expected_segments``: how many the sender sent for it, duplicates included."""

    reason: EndReason
    expected_segments: int | None = None
    ended_at: WallMs | None = None

    def __post_init__(self) -> None:
        if self.expected_segments is not None and self.expected_segments < 0:
            raise ValueError(f"a number of segments is not negative, found {self.expected_segments}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleWindow:
    """A planned interval in which the source does not record (maintenance, closing hours)."""

    start: WallMs
    end: WallMs
    reason: str


_BODY: Final = {
    "metadata": "metadata",
    "explanation": "explanation",
    "session_ended": "ended",
    "schedule_window": "window",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One statement: who said what about which source and recording, and when."""

    annotation_id: str
    kind: AnnotationKind
    source_id: SourceId
    made_at: WallMs
    made_by: str
    recording_id: RecordingId | None = None
    unit: str | None = None
    metadata: Metadata | None = None
    explanation: Explanation | None = None
    ended: SessionEnded | None = None
    window: ScheduleWindow | None = None

    def __post_init__(self) -> None:
        label(self.annotation_id, "annotation id")
        label(self.made_by, "maker")
        source_id(self.source_id)
        if self.recording_id is not None:
            recording_id(self.recording_id)
        if self.unit is not None:
            label(self.unit, "unit")
        bodies = {
            "metadata": self.metadata,
            "explanation": self.explanation,
            "ended": self.ended,
            "window": self.window,
        }
        present = {name for name, body in bodies.items() if body is not None}
        wanted = {_BODY[self.kind]} if self.kind in _BODY else set()
        if present != wanted:
            raise ValueError(
                f"a {self.kind} annotation carries {sorted(wanted) or 'no body'}, found {sorted(present) or 'none'}"
            )
        if self.kind != "schedule_window" and self.recording_id is None:
            raise ValueError(f"a {self.kind} annotation names its recording")
        if self.explanation is not None and self.explanation.reason == "R9" and not self.explanation.text.strip():
            raise ValueError("reason R9 (other) needs a text (article 8)")
