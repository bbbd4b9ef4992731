"""Continuity: is a recording whole, and if not, exactly where not?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.domain.annotation import Annotation, EndReason
from pipeline.domain.findings import Evidence, Finding
from pipeline.domain.identity import RecordingId, SourceId, SourceKind, about_recording, recording_id, source_id
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs

Verdict = Literal["continuous", "interrupted", "degraded", "not_testable", "unreadable"]
GapState = Literal["open", "explained", "unexplained"]
JudgedKind = Literal["segment", "annotation", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A maximal piece of the timeline with no interruption. Wall times are where the recording's clock puts it."""

    start: WallMs
    end: WallMs
    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Time that should be covered and is not. ``state`` stays ``open`` until the recording ends; ``reason`` is the
    explanation's code or the schedule's reason once explained. ``error_ms``: how exact start and end are."""

    start: WallMs
    end: WallMs
    size_ms: int
    error_ms: int
    evidence: Evidence
    state: GapState
    reason: str | None = None
    explained_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSegment:
    """A segment placed on its recording's timeline (``start``/``end`` are ``None`` where nothing places it: a photo, an
    unreadable file). ``findings``: the file's own and what arose against the recording so far, in that order."""

    probed: SegmentProbed
    start: WallMs | None
    end: WallMs | None
    duplicate: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded:
    """The whole recording's account at its end; ``revision`` counts ends from 1 (a late segment reopens and ends it anew).

    ``runs``, ``gaps`` and ``findings`` are in timeline order and depend on which segments came, not on their order of
    arrival. ``covered_ms`` is the union of the runs. ``bytes`` and ``segments`` count every announced segment.
    """

    recording_id: RecordingId
    source_id: SourceId
    source_kind: SourceKind
    unit: str
    revision: int
    reason: EndReason
    verdict: Verdict
    started_at: WallMs | None
    ended_at: WallMs | None
    covered_ms: int
    segments: int
    bytes: int
    expected_segments: int | None
    first_received_at: WallMs
    last_received_at: WallMs
    runs: tuple[Run, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[Finding, ...]
    policy_version: str

    def __post_init__(self) -> None:
        about_recording(self.source_id, self.unit, self.recording_id)
        if self.revision < 1:
            raise ValueError(f"revisions count from 1, found {self.revision}")
        if min(self.covered_ms, self.segments, self.bytes) < 0:
            raise ValueError(f"totals are not negative, found {self.covered_ms}, {self.segments}, {self.bytes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One item of a source's single ordered history; ``position`` counts them from 1 without a hole."""

    source_id: SourceId
    recording_id: RecordingId | None
    position: int
    kind: JudgedKind
    segment: JudgedSegment | None = None
    annotation: Annotation | None = None
    ended: RecordingEnded | None = None

    def __post_init__(self) -> None:
        present = [name for name in ("segment", "annotation", "ended") if getattr(self, name) is not None]
        if present != [self.kind]:
            raise ValueError(f"a judged {self.kind} carries exactly that, found {present or 'nothing'}")
        if self.position < 1:
            raise ValueError(f"positions count from 1, found {self.position}")
        source_id(self.source_id)
        if self.recording_id is not None:
            recording_id(self.recording_id)
