"""Annotations: what people, case systems, connectors and our own timers say about a recording.

Append-only and idempotent by ``annotation_id``; a correction is a new annotation. The same id with another body is no
correction: the first stays, and the other is set aside by whoever reads it. Exactly the body that ``kind`` names is present. Timers speak here too (``session_ended`` by idle time-out, ``deadline_due``, ``schedule_due``, ``outage``), so
that every stage remains a fold over topics and no timer ever changes state.

Some statements are about a source and no recording: a device that is handed out and comes back, a camera's hours, a time
in which it is not to record, a time in which nothing could be stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.domain.canonical import digest, plain
from pipeline.domain.errors import StatementDiffers
from pipeline.domain.identity import RecordingId, SourceId, SourceKind, label, recording_id, source_id
from pipeline.domain.schedule import Schedule
from pipeline.domain.time import WallMs

AnnotationKind = Literal[
    "metadata", "explanation", "session_ended", "schedule_window", "schedule", "issued", "returned", "deadline_due",
    "schedule_due", "outage",
]  # fmt: skip

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A device was handed to an officer (article 4), to be back by ``due_back``: until then it may record, and from then
    on the recording it made is expected (article 9)."""

    at: WallMs
    officer: str
    due_back: WallMs
    source_kind: SourceKind

    def __post_init__(self) -> None:
        label(self.officer, "officer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A device came back. ``recorded``: whether the officer says it recorded anything; if not, nothing is expected of it."""

    at: WallMs
    officer: str
    recorded: bool = True

    def __post_init__(self) -> None:
        label(self.officer, "officer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Nothing could be archived from ``start`` to ``end`` (``None``: still so): the store did not answer, or was not seen to
    keep its locks. Seen by the worker that would have archived."""

    start: WallMs
    end: WallMs | None = None


_BODY: Final = {
    "metadata": "metadata",
    "explanation": "explanation",
    "session_ended": "ended",
    "schedule_window": "window",
    "schedule": "schedule",
    "issued": "issue",
    "returned": "returned",
    "outage": "outage",
}
_OF_A_RECORDING: Final = ("metadata", "explanation", "session_ended", "deadline_due")
_OF_A_UNIT: Final = ("schedule", "issued")
"""A source that has not sent anything yet is counted with the unit that expects it to."""


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
    schedule: Schedule | None = None
    issue: Issue | None = None
    returned: Return | None = None
    outage: Outage | None = None

    def __post_init__(self) -> None:
        label(self.annotation_id, "annotation id")
        label(self.made_by, "maker")
        source_id(self.source_id)
        if self.recording_id is not None:
            recording_id(self.recording_id)
        if self.unit is not None:
            label(self.unit, "unit")
        present = {name for name in _BODY.values() if getattr(self, name) is not None}
        wanted = {_BODY[self.kind]} if self.kind in _BODY else set()
        if present != wanted:
            raise ValueError(
                f"a {self.kind} annotation carries {sorted(wanted) or 'no body'}, found {sorted(present) or 'none'}"
            )
        if self.kind in _OF_A_RECORDING and self.recording_id is None:
            raise ValueError(f"a {self.kind} annotation names its recording")
        if self.kind in _OF_A_UNIT and self.unit is None:
            raise ValueError(f"an annotation of kind {self.kind} names the unit")
        if self.explanation is not None and self.explanation.reason == "R9" and not self.explanation.text.strip():
            raise ValueError("reason R9 (other) needs a text (article 8)")


# -- the same id again ---------------------------------------------------------------------------------------------------

_MARK_CHARS: Final = 16
_BETWEEN: Final = "\t"
"""Between an id, which has no control character, and the digest of what was said under it."""


def mark(said: Annotation) -> str:
    """What is remembered of *said*, to know it again: its id, and what it says. Not when and by whom, because a repetition
    is dated anew, and a connector repeats what another one said."""
    body = _BODY.get(said.kind)
    content = digest([said.kind, plain(getattr(said, body)) if body else None])
    return f"{said.annotation_id}{_BETWEEN}{content[:_MARK_CHARS]}"


def is_repeat(said: Annotation, marks: Iterable[str]) -> bool:
    """Whether *said* is one of those remembered by *marks*; raises :class:`StatementDiffers` when another was said under its
    id. A mark that is an id alone was made when only ids were remembered."""
    known = [one for one in marks if one.partition(_BETWEEN)[0] == said.annotation_id]
    if not known:
        return False
    if known[0] in (said.annotation_id, mark(said)):
        return True
    raise StatementDiffers(
        f"something else was said under this id before, and stays; say it again under an id of its own: {said.kind} "
        f"{said.annotation_id}, by {said.made_by}, of {said.recording_id or said.source_id}"
    )
