"""Findings: what was observed about continuity or integrity, as values with both sides.

A finding never stops anything. ``interruption`` means time that should be covered is not; ``degradation`` means it is
covered badly; ``note`` means a reader of the record should know. The evidence class says what the finding rests on, in
falling strength: an identity inside the file, a sequence number, one media clock, a wall clock with its error bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pipeline.domain.identity import Sha256, sha256
from pipeline.domain.time import WallMs

FindingKind = Literal[
    "gap",
    "partial_gap",
    "dropped_frames",
    "packet_loss",
    "overlap",
    "duplicate",
    "out_of_order",
    "timestamp_reset",
    "clock_step",
    "clock_drift",
    "hidden_loss",
    "truncated",
    "uneven_ends",
    "empty_stream",
    "declared_discontinuity",
    "format_change",
    "missing_sequence",
    "reader_disagreement",
    "unreadable",
    "not_testable",
]
Level = Literal["interruption", "degradation", "note"]
Evidence = Literal["identity", "sequence", "media_clock", "wall_clock", "bytes", "totals", "none"]

LEVEL_ORDER: Final[tuple[Level, ...]] = ("interruption", "degradation", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation.

    ``expected`` and ``found`` are short statements for people; the numbers beside them are for programs:
    ``size_ms`` is the length of missing, doubled or shifted time; ``count`` counts frames, packets or files;
    ``from_ms``/``to_ms`` are media time since the first sample of the file (in-file findings only);
    ``wall_start``/``wall_end`` place it on the recording's timeline where a wall clock is known;
    ``segment`` is the file it was seen in, or, between two files, the later one, with the earlier in ``previous``.
    """

    kind: FindingKind
    level: Level
    evidence: Evidence
    expected: str
    found: str
    segment: Sha256 | None = None
    previous: Sha256 | None = None
    stream: int | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    byte_offset: int | None = None
    size_ms: int | None = None
    count: int | None = None
    wall_start: WallMs | None = None
    wall_end: WallMs | None = None

    def __post_init__(self) -> None:
        for digest in (self.segment, self.previous):
            if digest is not None:
                sha256(digest)
