"""Disagreement: how far the clocks that speak of a recording lie apart, for those who read its manifest.

Several clocks say when a file was recorded: the recorder's claim, what the file itself states, our own at receipt. They
disagree in real recordings; one of them placed the file (:mod:`pipeline.domain.timeline`). The rules:

1. Every clock is compared with the place the file was given: its beginning, or its end for what is said of an end. What a
   file system says is of the end, because writing ended then.
2. Nothing is judged here. Eight hours exactly is a time zone, years are a clock never set; steps and drift are findings.
3. Per clock: how many files, and the least, median and greatest by which it is ahead. Of an even number the lower of the
   two in the middle is the median, so every number is one that a file has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pipeline.domain.probe import MediaFacts
from pipeline.domain.time import ClaimedTime, ClockOrigin, WallMs

ClockName = Literal["claimed_start", "claimed_end", "in_file", "recorder_identity", "received_at"]


class Reading(NamedTuple):
    """One clock's word about one file: by how much it is ahead of the place, and how far it may be off."""

    clock: ClockName
    origin: ClockOrigin | None
    ahead_ms: int
    error_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One clock against the places of all files it speaks of. ``error_ms``: the widest error bar it states of itself."""

    clock: ClockName
    origin: ClockOrigin | None
    files: int
    least_ms: int
    median_ms: int
    greatest_ms: int
    error_ms: int


def readings(
    *,
    start: WallMs,
    end: WallMs,
    claimed_start: ClaimedTime | None,
    claimed_end: ClaimedTime | None,
    clock_offset_ms: int | None,
    received_at: WallMs,
    facts: MediaFacts,
) -> Iterator[Reading]:
    """What every clock says of a file placed from *start* to *end*. The known offset of the recorder is taken off its claims."""
    offset = clock_offset_ms or 0
    if claimed_start is not None:
        place = end if claimed_start.origin == "file_system" else start
        yield Reading("claimed_start", claimed_start.origin, claimed_start.at - offset - place, claimed_start.error_ms)
    if claimed_end is not None:
        yield Reading("claimed_end", claimed_end.origin, claimed_end.at - offset - end, claimed_end.error_ms)
    for clock in facts.clocks:
        yield Reading("in_file", clock.origin, clock.at - start, clock.error_ms)
    for identity in facts.identities:
        yield Reading("recorder_identity", "recorder", identity.ntp_ns // 1_000_000 - start, 0)
    yield Reading("received_at", None, received_at - end, 0)


def disagreements(found: Iterable[Reading]) -> tuple[Disagreement, ...]:
    """*found* by clock and origin, in the order of their names."""
    clocks: dict[tuple[ClockName, ClockOrigin | None], list[Reading]] = {}
    for reading in found:
        clocks.setdefault((reading.clock, reading.origin), []).append(reading)
    told = []
    for (clock, origin), several in sorted(clocks.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        ahead = sorted(reading.ahead_ms for reading in several)
        told.append(
            Disagreement(
                clock=clock,
                origin=origin,
                files=len(ahead),
                least_ms=ahead[0],
                median_ms=ahead[(len(ahead) - 1) // 2],
                greatest_ms=ahead[-1],
                error_ms=max(reading.error_ms for reading in several),
            )
        )
    return tuple(told)
