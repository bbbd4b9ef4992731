"""Policy file -> :class:`~pipeline.domain.policy.Policy`. Missing, unknown or impossible entries are named, all at once."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import get_args

import msgspec

from pipeline.domain.errors import Misconfigured
from pipeline.domain.identity import SourceKind
from pipeline.domain.policy import Policy, RetentionClass, Tolerance


class _Recording(msgspec.Struct, forbid_unknown_fields=True):
    block_s: int
    idle_end_s: int
    next_block_grace_s: int
    remembered_closed_recordings: int


class _Deadline(msgspec.Struct, forbid_unknown_fields=True):
    deadline_s: int
    at_risk_before_s: int
    from_return: bool
    from_end_of_day: str
    mandatory_fields: tuple[str, ...]
    unit_mandatory_fields: dict[str, tuple[str, ...]]
    standing_description_kinds: tuple[SourceKind, ...]


class _Archive(msgspec.Struct, forbid_unknown_fields=True):
    provisional_retention_s: int
    checkpoint_s: int
    verify_within_s: int
    sm3: bool
    chunk_tree: bool = True


class _Explanation(msgspec.Struct, forbid_unknown_fields=True):
    voice_kinds: tuple[SourceKind, ...]
    voice_within_s: int
    uninterrupted_matters: tuple[str, ...]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: str
    tolerance: dict[SourceKind, Tolerance]
    recording: _Recording
    deadline: _Deadline
    archive: _Archive
    retention: dict[str, RetentionClass]
    explanation: _Explanation


@cache
def load_policy(path: Path | None = None) -> Policy:
    """The policy at *path*, or the one shipped with the product; raises :class:`Misconfigured` naming file and entry."""
    where = str(path) if path else "the shipped policy.toml"
    try:
        text = path.read_text("utf-8") if path else (files("pipeline") / "policy.toml").read_text("utf-8")
        raw = msgspec.convert(tomllib.loads(text), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise Misconfigured(f"policy cannot be used: {exc} ({where})") from exc
    parts: tuple[msgspec.Struct | Tolerance | RetentionClass, ...] = (
        raw.recording,
        raw.deadline,
        raw.archive,
        raw.explanation,
        *raw.tolerance.values(),
        *raw.retention.values(),
    )
    bad = sorted({name for part in parts for name, value in _integers(part) if value <= 0})
    if bad:
        raise Misconfigured(f"policy needs positive numbers for {', '.join(bad)} ({where})")
    missing = sorted(set(get_args(SourceKind)) - set(raw.tolerance))
    if missing:
        raise Misconfigured(f"policy needs a tolerance for {', '.join(missing)} ({where})")
    return Policy(
        version=raw.version,
        tolerance=raw.tolerance,
        block_s=raw.recording.block_s,
        idle_end_s=raw.recording.idle_end_s,
        next_block_grace_s=raw.recording.next_block_grace_s,
        deadline_s=raw.deadline.deadline_s,
        at_risk_before_s=raw.deadline.at_risk_before_s,
        from_return=raw.deadline.from_return,
        day_offset_minutes=_offset(raw.deadline.from_end_of_day, where),
        provisional_retention_s=raw.archive.provisional_retention_s,
        retention=raw.retention,
        checkpoint_s=raw.archive.checkpoint_s,
        verify_within_s=raw.archive.verify_within_s,
        sm3=raw.archive.sm3,
        chunk_tree=raw.archive.chunk_tree,
        voice_explanation_kinds=raw.explanation.voice_kinds,
        voice_within_s=raw.explanation.voice_within_s,
        uninterrupted_matters=raw.explanation.uninterrupted_matters,
        mandatory_fields=raw.deadline.mandatory_fields,
        unit_mandatory_fields=raw.deadline.unit_mandatory_fields,
        standing_description_kinds=raw.deadline.standing_description_kinds,
        remembered_closed_recordings=raw.recording.remembered_closed_recordings,
    )


def _offset(text: str, where: str) -> int | None:
    """Minutes from UTC as in ``+08:00``; ``None`` for nothing."""
    match = re.fullmatch(r"([+-])(0\d|1[0-4]):([0-5]\d)", text, re.ASCII)
    if text and match is None:
        raise Misconfigured(f"policy needs from_end_of_day empty or like +08:00, found {text!r} ({where})")
    return None if match is None else int(match[1] + "1") * (int(match[2]) * 60 + int(match[3]))


def _integers(part: msgspec.Struct | Tolerance | RetentionClass) -> list[tuple[str, int]]:
    return [(name, value) for name, value in msgspec.to_builtins(part).items() if type(value) is int]
