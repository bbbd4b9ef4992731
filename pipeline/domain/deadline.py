"""Deadline: 24 hours from the end of a recording to archive it with its case data (article 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.domain.identity import RecordingId, SourceId, SourceKind, recording_id, source_id
from pipeline.domain.time import WallMs

DeadlineState = Literal["tracked", "at_risk", "met", "missed", "late"]
Cause = Literal["not_docked", "transfer", "metadata", "store", "pipeline", "clock", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineChanged:
    """A recording's deadline moved to ``state``. A miss stays a miss: what arrives afterwards is ``late``, not ``met``.

    ``at``: T0 + the policy's deadline. ``changed_at``: the event time that decided it (never the reader's clock).
    """

    source_id: SourceId
    source_kind: SourceKind
    unit: str
    recording_id: RecordingId
    at: WallMs
    state: DeadlineState
    changed_at: WallMs
    cause: Cause | None = None
    missing_fields: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        source_id(self.source_id)
        recording_id(self.recording_id)
