"""Marks: a wall clock that a recorder wrote into the file again and again, beside the media's own time.

Media time can be written anew by whoever cuts a file; then nothing in it shows the cut. Only a clock inside the file does:
``offset = wall - media`` stays what it is while both run. Rules, mark by mark in order of media time:

* a step of the offset beyond both marks' error bars, the policy's in-file limit and what a cheap clock drifts meanwhile
  (500 ppm) is a step; less is drift or jitter, and nothing is said;
* ahead, the wall clock ran on while media is missing or was cut out: ``hidden_loss``, a degradation, because a clock that
  was set forward looks the same; back, somebody set the clock: ``clock_step``, a note;
* where most of the steps are too long the clock does not run with the media (a file written at once): it proves nothing,
  and does not tell when the file began either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import Final, Literal, NamedTuple

from pipeline.domain.drift import MOST_PPM
from pipeline.domain.findings import Finding, Level
from pipeline.domain.policy import Tolerance
from pipeline.domain.time import MAX_WALL_MS, ClaimedTime, WallMs

_TOO_FEW_TO_DOUBT: Final = 3
_MOST_TOLD: Final = 16
"""More steps than these are told as one."""


class Mark(NamedTuple):
    """At *media_ms* of *stream* the clock showed *wall_ms*, give or take *error_ms*."""

    stream: int
    media_ms: int
    wall_ms: int
    error_ms: int


class _Step(NamedTuple):
    earlier: Mark
    later: Mark

    @property
    def size_ms(self) -> int:
        return (self.later.wall_ms - self.later.media_ms) - (self.earlier.wall_ms - self.earlier.media_ms)

    def is_beyond(self, tolerance: Tolerance) -> bool:
        apart_ms = self.later.media_ms - self.earlier.media_ms
        drift_ms = apart_ms * MOST_PPM // 1_000_000
        return abs(self.size_ms) > self.earlier.error_ms + self.later.error_ms + tolerance.in_file_ms + drift_ms


def steps(marks: Iterable[Mark], zero_ms: int, tolerance: Tolerance) -> Iterator[Finding]:
    """What the marks of one file show. *zero_ms*: media time of its first sample."""
    for series in _series(marks):
        taken, found = _steps(series, tolerance)
        if _stands(taken, found):
            yield Finding(
                kind="not_testable",
                level="note",
                evidence="wall_clock",
                expected="a clock in the file that runs with its media",
                found=f"{len(found)} of {len(taken)} steps of it are too long or too short",
                stream=series[0].stream,
            )
            continue
        yield from _told("hidden_loss", "degradation", [step for step in found if step.size_ms > 0], zero_ms)
        yield from _told("clock_step", "note", [step for step in found if step.size_ms < 0], zero_ms)


def begun(marks: Iterable[Mark], zero_ms: int, tolerance: Tolerance) -> tuple[ClaimedTime, ...]:
    """When the first sample was taken, by the first mark of each stream."""
    found = []
    for series in _series(marks):
        first = series[0]
        at = first.wall_ms - (first.media_ms - zero_ms)
        if 0 < at <= MAX_WALL_MS and not _stands(*_steps(series, tolerance)):
            found.append(ClaimedTime(at=WallMs(at), origin="media", error_ms=first.error_ms))
    return tuple(found)


def _series(marks: Iterable[Mark]) -> Iterator[list[Mark]]:
    for _, series in groupby(sorted(marks), key=lambda mark: mark.stream):
        yield list(series)


def _steps(series: list[Mark], tolerance: Tolerance) -> tuple[list[_Step], list[_Step]]:
    """All steps, and those beyond what is no step."""
    taken = [_Step(earlier, later) for earlier, later in pairwise(series)]
    return taken, [step for step in taken if step.is_beyond(tolerance)]


def _stands(taken: list[_Step], found: list[_Step]) -> bool:
    return len(taken) >= _TOO_FEW_TO_DOUBT and 2 * len(found) > len(taken)


def _told(
    kind: Literal["hidden_loss", "clock_step"], level: Level, told: list[_Step], zero_ms: int
) -> Iterator[Finding]:
    groups = [told] if len(told) > _MOST_TOLD else [[step] for step in told]
    for group in groups:
        size_ms = abs(sum(step.size_ms for step in group))
        way = "ahead" if kind == "hidden_loss" else "back"
        yield Finding(
            kind=kind,
            level=level,
            evidence="wall_clock",
            expected="as much media as time by the clock in the file",
            found=f"the clock went {way} by {size_ms} ms" + (f" in {len(group)} places" if len(group) > 1 else ""),
            stream=group[0].later.stream,
            from_ms=group[0].earlier.media_ms - zero_ms,
            to_ms=group[-1].later.media_ms - zero_ms,
            size_ms=size_ms,
            count=len(group) if len(group) > 1 else None,
        )
