"""Quarantine: an input that could not be carried on, with its bytes and the reason. Nothing is ever dropped."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.time import WallMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Where the input stood, its bytes verbatim (base64), and why. ``value_base64`` is ``None`` for a null value."""

    stage: str
    topic: str
    partition: int
    offset: int
    key_base64: str | None
    value_base64: str | None
    reason: str
    detail: str
    at: WallMs
