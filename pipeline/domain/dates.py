"""Dates: whether file-system dates can be when the files were recorded, and what places the files where they cannot.

Copying gives files the date of the copy. One recorder writes one file after the other, so dates by which files lie within
each other are not the recorder's, and then no date of that recording is believed:

* Transport streams whose stamps run on without doubling are placed by the stamps alone. The latest date is the latest
  moment at which the last of them can have ended; it ties the stamps to the clock times shown.
* Otherwise nothing places the files. What is missing inside one of them is still known, what lies between them is not.
* Where other files of the recording have better claims, every place stays, and the recording is not called continuous.

Files that overlap a little, as some recorders write them, are possible: more than an eighth must be covered twice, or a
third where the error bars of the dates are longer than that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final, Literal, TypeVar

from pipeline.domain.drift import Tie
from pipeline.domain.findings import Finding
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.reach import Span, flat, union
from pipeline.domain.time import WallMs
from pipeline.domain.timeline import (
    TICKS_PER_MS,
    Epoch,
    Hole,
    Timeline,
    locate,
    reference,
    wall_ms,
)

Ruling = Literal["dates", "stamps", "nothing", "claims"]
"""What places the files: their claims, dates among them, as they are; stamps alone; nothing; better claims of some."""

_DOUBLED_SHARE: Final = 8
_DOUBLED_SHARE_IN_DOUBT: Final = 3
_Lies = TypeVar("_Lies", Span, Hole)


def settled(timeline: Timeline) -> tuple[Timeline, Ruling]:
    """*timeline* without dates that cannot be right, and what places its files."""
    if not _impossible(timeline.dated):
        return timeline, "dates"
    if _files(timeline.dated) < sum(_files(_walls(epoch)) for epoch in timeline.epochs):
        return timeline, "claims"
    stamped = timeline.stamped
    if stamped is not None and _files(stamped.walls) == _files(timeline.dated):
        epoch = _unrolled(stamped)
        if not any(doubled(span) for span in epoch.streams[reference(epoch.streams)]):
            return timeline._replace(epochs=(epoch,), wall_only=False), "stamps"
    return timeline._replace(epochs=()), "nothing"


def doubled(span: Span) -> bool:
    """Whether the files in *span* cover more time together than passes in it, beyond its reach."""
    return span.held - (span.hi - span.lo) > span.before + span.after


def place(timeline: Timeline, ruling: Ruling, probed: SegmentProbed) -> tuple[WallMs, WallMs] | None:
    """Where a file of a settled *timeline* lies whose dates are not believed; ``None`` if nothing places it."""
    placed = locate(probed)
    if placed is None or ruling != "stamps":
        return None
    (epoch,) = timeline.epochs
    lowest = min(spans[0].lo for spans in epoch.streams.values()) + epoch.origin
    at = placed.at % MPEG_TS_WRAP
    last = at + max(hi for _, _, hi in placed.streams)
    start = at + epoch.anchor.offset + (MPEG_TS_WRAP if last <= lowest else 0)
    return wall_ms(start), wall_ms(start + placed.length)


def held_ms(timeline: Timeline) -> int:
    """How long all files that are placed by a date are together."""
    return sum(span.held for span in timeline.dated) // TICKS_PER_MS


def said(ruling: Ruling) -> tuple[Finding, ...]:
    """The finding on dates that cannot be right."""
    if ruling == "dates":
        return ()
    stamps = ruling == "stamps"
    other = "their stamps alone place them" if stamps else "nothing else places them"
    return (
        Finding(
            kind="clock_step" if stamps else "not_testable",
            level="note",
            evidence="media_clock" if stamps else "wall_clock",
            expected="dates of files written one after the other",
            found=f"files that lie within each other by their dates; the dates cannot be right, and {other}",
        ),
    )


def _impossible(dated: Sequence[Span]) -> bool:
    return any(_share(span) * (span.held - (span.hi - span.lo)) > span.held for span in dated)


def _share(span: Span) -> int:
    return _DOUBLED_SHARE if doubled(span) else _DOUBLED_SHARE_IN_DOUBT


def _walls(epoch: Epoch) -> Sequence[Span]:
    return epoch.streams["all"] if epoch.clock == "wall" else epoch.walls


def _files(spans: Sequence[Span]) -> int:
    return sum(span.files for span in spans)


def _unrolled(epoch: Epoch) -> Epoch:
    """*epoch*, whose positions lie on the circle of 33-bit stamps, cut open where it is empty longest."""
    spans = epoch.streams[reference(epoch.streams)]
    around = [*spans, spans[0]._replace(lo=spans[0].lo + MPEG_TS_WRAP)]
    pairs = list(itertools.pairwise(around))
    before, after = max(pairs, key=lambda pair: pair[1].lo - pair[0].hi)
    cut = (before.hi + after.lo) // 2 - (MPEG_TS_WRAP if (before, after) == pairs[-1] else 0)
    lanes = {
        name: union((), tuple(span._replace(lo=span.lo + by, hi=span.hi + by) for span, by in _turned(theirs, cut)))
        for name, theirs in epoch.streams.items()
    }
    holes = tuple(sorted(hole._replace(lo=hole.lo + by, hi=hole.hi + by) for hole, by in _turned(epoch.holes, cut)))
    latest = max(span.hi for span in flat(lanes[reference(lanes)]))
    anchor = Tie(epoch.anchor.error, 0, epoch.walls[-1].hi - latest)
    return epoch._replace(lanes=lanes, holes=holes, anchor=anchor)


def _turned(items: Sequence[_Lies], cut: int) -> Iterator[tuple[_Lies, int]]:
    """Each with what it moves by: what lies before *cut* comes after all others."""
    for item in items:
        yield item, MPEG_TS_WRAP if item.lo < cut else 0
