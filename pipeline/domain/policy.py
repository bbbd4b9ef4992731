"""Policy: the numbers a bureau decides, as one frozen, versioned value. ``pipeline/policy.toml`` explains each one.

Judging code takes a :class:`Policy` as an argument and has no tolerance of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.domain.identity import SourceKind


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
class Policy:
    """Every switch, with the article it serves in the TOML beside it."""

    version: str
    tolerance: Mapping[SourceKind, Tolerance]
    block_s: int
    idle_end_s: int
    next_block_grace_s: int
    deadline_s: int
    at_risk_before_s: int
    provisional_retention_s: int
    voice_explanation_kinds: tuple[SourceKind, ...]
    mandatory_fields: tuple[str, ...]
    standing_description_kinds: tuple[SourceKind, ...]
    remembered_closed_recordings: int
