"""Quarantine: an input that could not be carried on, with its bytes and the reason. Nothing is ever dropped."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.time import WallMs


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """Where the input stood, its bytes verbatim (base64), and why. ``value_base64`` is ``None`` for a null value;
    ``headers_base64``: name and base64 of each header, in order."""

    stage: str
    topic: str
    partition: int
    offset: int
    key_base64: str | None
    value_base64: str | None
    reason: str
    detail: str
    at: WallMs
    headers_base64: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.partition < 0 or self.offset < 0:
            raise ValueError(f"partition and offset count from 0, found {self.partition} and {self.offset}")
