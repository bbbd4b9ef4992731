"""Quarantine: an input that could not be carried on, with its bytes and the reason. Nothing is ever dropped.

A person decides what becomes of it, and the decision is a record of its own beside it: *released* sends the same bytes to
the same partition again, after what stopped them was mended; *discarded* leaves them where they are and says why nobody
needs them carried on. Neither takes anything out. An input that is released and fails again is set aside anew, at its new
place. Deciding the same twice changes nothing; the last decision stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pipeline.domain.identity import label
from pipeline.domain.time import WallMs

Decision = Literal["released", "discarded"]


class Place(NamedTuple):
    """Where an input stood, and which stage set it aside."""

    stage: str
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.stage}/{self.topic}/{self.partition}/{self.offset}"


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
        _exists(self.partition, self.offset)

    @property
    def place(self) -> Place:
        return Place(self.stage, self.topic, self.partition, self.offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineDecided:
    """What ``made_by`` decided about the input set aside at a place, and why."""

    stage: str
    topic: str
    partition: int
    offset: int
    decision: Decision
    grounds: str
    made_by: str
    at: WallMs

    def __post_init__(self) -> None:
        _exists(self.partition, self.offset)
        label(self.grounds, "decision's grounds")
        label(self.made_by, "decider's name")

    @property
    def place(self) -> Place:
        return Place(self.stage, self.topic, self.partition, self.offset)


class Standing(NamedTuple):
    """One input set aside and the decision on it that stands, if there is one."""

    item: Quarantined
    decided: QuarantineDecided | None


def standing(items: Sequence[Quarantined], decisions: Sequence[QuarantineDecided]) -> tuple[Standing, ...]:
    """Every input set aside once, oldest first. An input written twice by a worker that was killed counts once."""
    last: dict[Place, QuarantineDecided] = {}
    for decision in sorted(decisions, key=lambda decision: decision.at):
        last[decision.place] = decision
    once = {item.place: item for item in sorted(items, key=lambda item: -item.at)}
    return tuple(
        Standing(item, last.get(item.place)) for item in sorted(once.values(), key=lambda item: (item.at, item.place))
    )


def _exists(partition: int, offset: int) -> None:
    if partition < 0 or offset < 0:
        raise ValueError(f"partition and offset count from 0, found {partition} and {offset}")
