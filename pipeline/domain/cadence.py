"""Cadence: where one stream's presentation times leave holes, in ticks, by the stream's own habits.

* A frame's length is the distance to the next presentation time, sorted; a stored duration may hide a hole.
* Usual is the greater of what came just before and what comes just after (medians of 8 intervals), or the median of the
  last 64 near the ends: a camera that turns to one frame a second has changed its rate, one that is silent for a
  second among many frames a second has a hole.
* A hole is ``interval - usual``. Beyond both of the policy's limits it is a hole in time; below, dropped frames, when half
  a frame or more is missing and no shorter neighbour makes up for it (that is jitter).
* In the reordering window at either end of the file, and in a first sample, it is an edge. Writers of fragments fold the
  distance between sound and picture into the first sample: there, if an even cadence follows, it is nothing at all.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from pipeline.domain.media import ratio_half_up

_WINDOW: Final = 64
_BESIDE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """A stream's sorted presentation times as runs: from ``starts[i]`` on, ``counts[i]`` intervals of ``intervals[i]``
    ticks follow each other (a run's intervals may differ by rounding; ``starts`` are exact). Parallel sequences, so
    that hours of jitter stay compact."""

    starts: Sequence[int] = ()
    intervals: Sequence[int] = ()
    counts: Sequence[int] = ()


class Limits(NamedTuple):
    """In ticks of the stream: ``rounding`` is no loss; ``hole`` and ``hole_intervals`` the policy's two limits; ``first``
    the longest first sample that is exempt; ``folded`` the longest that is not even an edge. In frames: ``untimed`` packets in a row may stand inside an interval;
    ``reorder`` is the depth of the reordering window."""

    rounding: int
    hole: int
    hole_intervals: int
    first: int = 0
    folded: int = 0
    untimed: int = 0
    reorder: int = 0


class Drop(NamedTuple):
    """Missing frames: the frame before, how long, how many."""

    at: int
    ticks: int
    frames: int


@dataclass(slots=True)
class Walk:
    """What walking one stream's cadence found. ``holes``: (end of the last frame, next frame). ``median``: of the last 64
    intervals, the length of the last frame."""

    median: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    edges: list[Drop] = field(default_factory=list)


class _Typical:
    """Median of the last 64 intervals."""

    def __init__(self, first: Iterable[int]) -> None:
        self._recent: deque[int] = deque(first)
        self._ranked = sorted(self._recent)

    def see(self, interval: int, count: int) -> None:
        if count >= _WINDOW:
            self._ranked = [interval] * _WINDOW
            self._recent = deque(self._ranked)
            return
        for _ in range(count):
            if len(self._recent) == _WINDOW:
                oldest = self._recent.popleft()
                del self._ranked[bisect_left(self._ranked, oldest)]
            self._recent.append(interval)
            insort(self._ranked, interval)

    @property
    def median(self) -> int:
        return self._ranked[(len(self._ranked) - 1) // 2] if self._ranked else 0


def walk(cadence: Cadence, limits: Limits) -> Walk:
    """Walk the whole cadence; time grows with its changes, not with its frames."""
    found, typical = Walk(), _Typical(islice(_after(cadence, -1), _WINDOW))
    total, place = sum(cadence.counts), 0
    for run, (start, interval, count) in enumerate(zip(cadence.starts, cadence.intervals, cadence.counts, strict=True)):
        usual = typical.median
        if 2 * interval > 3 * usual:
            usual = _usual(cadence, run, usual)
            if 2 * interval > 3 * usual and interval - usual > limits.rounding:
                for k in range(count):
                    edge = min(place + k, total - 1 - place - k)
                    _sort_out(found, cadence, run, start + k * interval, usual, edge, limits, first=place + k == 0)
        if interval > 0:
            typical.see(interval, count)
        place += count
    found.median = typical.median
    return found


def _sort_out(
    found: Walk, cadence: Cadence, run: int, at: int, usual: int, edge: int, limits: Limits, *, first: bool
) -> None:
    """Put one long interval where it belongs. *edge*: intervals between it and the nearer end of the file."""
    interval = cadence.intervals[run]
    missing = interval - usual
    if first and interval <= limits.folded and _even_after(cadence, run, usual):
        return
    drop = Drop(at, missing, max(1, ratio_half_up(missing, usual)) if usual else 1)
    if (edge < limits.reorder and drop.frames <= limits.reorder) or (first and interval <= limits.first):
        found.edges.append(drop)
    elif missing > max(limits.hole, limits.hole_intervals * usual) + limits.untimed * usual:
        found.holes.append((at + usual, at + interval))
    elif not limits.untimed and not _made_up_for(cadence, run, usual):
        found.drops.append(drop)


def _usual(cadence: Cadence, run: int, median: int) -> int:
    """The interval to expect where *run* has a long one."""
    before = sorted(islice(_before(cadence, run), _BESIDE))
    after = sorted(islice(_after(cadence, run), _BESIDE))
    sides = [side[(_BESIDE - 1) // 2] for side in (before, after) if len(side) == _BESIDE]
    return max(sides) if len(sides) == 2 else max([median, *sides])


def _after(cadence: Cadence, run: int) -> Iterator[int]:
    """Non-zero intervals after the first of *run* (all of them after -1)."""
    for i in range(max(run, 0), len(cadence.starts)):
        if cadence.intervals[i] > 0:
            for _ in range(cadence.counts[i] - (i == run)):
                yield cadence.intervals[i]


def _before(cadence: Cadence, run: int) -> Iterator[int]:
    """Non-zero intervals before *run*, nearest first."""
    for i in range(run - 1, -1, -1):
        if cadence.intervals[i] > 0:
            for _ in range(cadence.counts[i]):
                yield cadence.intervals[i]


def _even_after(cadence: Cadence, run: int, usual: int) -> bool:
    """Whether the intervals right after a first one are all as long as usual."""
    beside = list(islice(_after(cadence, run), _BESIDE))
    return len(beside) == _BESIDE and all(2 * interval <= 3 * usual for interval in beside)


def _made_up_for(cadence: Cadence, run: int, usual: int) -> bool:
    """Whether a neighbour of a long interval is so short that together they are as long as two: jitter."""
    if cadence.counts[run] > 1:
        return False
    beside = [cadence.intervals[i] for i in (run - 1, run + 1) if 0 <= i < len(cadence.intervals)]
    return any(2 * (cadence.intervals[run] + short) <= 5 * usual for short in beside)
