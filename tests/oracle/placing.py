"""Placing: was everything that was announced put in exactly one place, and nothing else?

A topic may hold a record twice (delivery is at least once), but never two different records that claim one place. So an
announcement is *doubled* only when it stands in two places, and a place *conflicting* when it holds two contents.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Placed(NamedTuple):
    """One record as it was read: where it stands, what it says, and the announcement it carries (``None``: another kind of
    record). ``speaker`` numbers its announcements from 1."""

    place: Hashable
    content: Hashable
    speaker: Hashable = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """``missing`` and ``doubled``: announcements by speaker and number. ``repeats``: equal records beyond the first."""

    missing: tuple[tuple[Hashable, int], ...]
    doubled: tuple[tuple[Hashable, int], ...]
    invented: tuple[tuple[Hashable, int], ...]
    conflicting: tuple[Hashable, ...]
    repeats: int


def place(records: Iterable[Placed], announced: Mapping[Hashable, Collection[int]]) -> Placing:
    """Compare *records*, in any order, with what each speaker *announced*."""
    first: dict[Hashable, Placed] = {}
    conflicting, repeats = [], 0
    for record in records:
        known = first.setdefault(record.place, record)
        if known is not record:
            repeats += 1
            if known.content != record.content:
                conflicting.append(record.place)
    carried: dict[tuple[Hashable, int], int] = {}
    for record in first.values():
        if record.number is not None:
            name = (record.speaker, record.number)
            carried[name] = carried.get(name, 0) + 1
    wanted = {(speaker, number) for speaker, numbers in announced.items() for number in numbers}
    return Placing(
        missing=tuple(name for name in wanted if name not in carried),
        doubled=tuple(name for name, count in carried.items() if count > 1),
        invented=tuple(name for name in carried if name not in wanted),
        conflicting=tuple(conflicting),
        repeats=repeats,
    )
