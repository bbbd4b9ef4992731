"""Policy: the numbers a bureau decides, as one frozen, versioned value. ``pipeline/policy.toml`` explains each one.

Judging code takes a :class:`Policy` as an argument and has no tolerance of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pipeline.domain.identity import SourceKind

LEAST_IN_FILE_MS: Final = 2
"""Matroska rounds each stamp to a millisecond, so a distance is off by two."""
LEAST_ACROSS_FILES_MS: Final = 50
"""How long a file's last frame lasts is not in it: at 25 frames a second, an interval and the quarter by which it varies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """What is too small to report. ``in_file_ms`` and ``in_file_intervals``: an in-file hole is a gap when it exceeds
    both; ``across_files_ms``: residual between two files on one media clock; ``wall_clock_ms``: least error bar of
    wall-clock evidence."""

    in_file_ms: int
    in_file_intervals: int
    across_files_ms: int
    wall_clock_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionClass:
    """How long a class of law-enforcement files is kept (article 12). ``hold``: for ever; the lock is renewed, and a legal
    hold stands beside it."""

    keep_s: int
    hold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every switch, with the article it serves in the TOML beside it."""

    version: str
    tolerance: Mapping[SourceKind, Tolerance]
    block_s: int
    idle_end_s: int
    next_block_grace_s: int
    deadline_s: int
    at_risk_before_s: int
    from_return: bool
    day_offset_minutes: int | None
    provisional_retention_s: int
    retention: Mapping[str, RetentionClass]
    checkpoint_s: int
    verify_within_s: int
    sm3: bool
    chunk_tree: bool
    voice_explanation_kinds: tuple[SourceKind, ...]
    voice_within_s: int
    uninterrupted_matters: tuple[str, ...]
    mandatory_fields: tuple[str, ...]
    unit_mandatory_fields: Mapping[str, tuple[str, ...]]
    standing_description_kinds: tuple[SourceKind, ...]
    remembered_closed_recordings: int

    def mandatory_of(self, unit: str | None) -> tuple[str, ...]:
        """The fields *unit* must fill in before a recording is complete: everybody's (article 9), then its own."""
        own = () if unit is None else self.unit_mandatory_fields.get(unit, ())
        return tuple(dict.fromkeys((*self.mandatory_fields, *own)))

    def tolerating(self, kind: SourceKind, ms: int) -> Policy:
        """This policy with *ms* for holes in and between the files of *kind*, as far as the evidence resolves that, and a
        version that says so: nobody shall take the number for the bureau's."""
        inside, across = max(ms, LEAST_IN_FILE_MS), max(ms, LEAST_ACROSS_FILES_MS)
        tolerance = replace(self.tolerance[kind], in_file_ms=inside, across_files_ms=across)
        told = f"{inside} ms" if inside == across else f"{inside} ms in files and {across} ms between them"
        version = f"{self.version}, but with a tolerance of {told}"
        return replace(self, version=version, tolerance={**self.tolerance, kind: tolerance})
