"""Announcements: which of a connector's contiguous numbers came for a source, and which never did.

Kept as islands of numbers, so that what is remembered does not grow while nothing is missing. A hole belongs to the recording
of the number after it, and is forgiven when it fills.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.domain.findings import Finding
from pipeline.domain.oddities import ranges


class Island(NamedTuple):
    """Announcements ``first`` to ``last`` of a connector came; ``recording`` is the one ``first`` belongs to."""

    first: int
    last: int
    recording: str


def announced(islands: tuple[Island, ...], number: int, recording: str) -> tuple[Island, ...] | None:
    """*islands* with *number*, or ``None`` if it came before."""
    index = bisect_right(islands, number, key=_first)
    left = islands[index - 1] if index else None
    right = islands[index] if index < len(islands) else None
    if left is not None and number <= left.last:
        return None
    new = Island(number, number, recording)
    before, after = islands[:index], islands[index:]
    if left is not None and left.last + 1 == number:
        before, new = before[:-1], Island(left.first, number, left.recording)
    if right is not None and right.first == number + 1:
        after, new = after[1:], Island(new.first, right.last, new.recording)
    return (*before, new, *after)


def _first(island: Island) -> int:
    return island.first


def hole_before(islands: tuple[Island, ...], number: int) -> Finding | None:
    """The finding if announcements right before *number* are missing, as far as one can know when it arrives."""
    index = bisect_right(islands, number, key=_first)
    last = islands[index - 1].last if index else 0
    if last + 1 >= number or index < len(islands):
        return None
    return _missing([(last + 1, number - 1)], f"announcement {number}")


def holes_before(connectors: Mapping[str, tuple[Island, ...]], recording: str) -> Iterator[Finding]:
    """What is missing right before announcements of *recording*, a finding for each connector."""
    for connector, islands in sorted(connectors.items()):
        ends = [0, *(island.last for island in islands)]
        lost = [
            (end + 1, island.first - 1) for end, island in zip(ends, islands, strict=False) if end + 1 < island.first
        ]
        mine = [hole for hole in lost if any(i.first == hole[1] + 1 and i.recording == recording for i in islands)]
        if mine:
            yield _missing(mine, f"the later ones of {connector}")


def _missing(lost: list[tuple[int, int]], found: str) -> Finding:
    return Finding(
        kind="missing_sequence",
        level="degradation",
        evidence="sequence",
        expected=f"announcement {ranges(lost)}",
        found=found,
        count=sum(last - first + 1 for first, last in lost),
    )
