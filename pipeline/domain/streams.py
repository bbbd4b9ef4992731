"""Streams: what is missing in the streams of a file that share a clock, each by its own cadence and beside the others.

* Every audio and video stream is judged. Time that all of them miss is a ``gap``; what one misses while another runs is
  a ``partial_gap``. Streams of different programs have different clocks and are judged apart.
* Dropped frames are one finding a stream. Where one interval in eight is odd, the rate varies: a note, not loss.
* Exempt, and recorded as notes: holes in the reordering window at either end (a cut through an open group of pictures),
  and a long first sample of an ISO base media file (an edit folded into it). In a fragmented file a first sample of up
  to 250 ms before an even cadence is how such files are written, and nothing is said.
* What a file holds and its edit list never shows is told: a cut that players follow and stamps do not tell of.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Final, Literal

from pipeline.domain.cadence import Drop, Limits, Walk, walk
from pipeline.domain.findings import Evidence, Finding, Level
from pipeline.domain.media import TimeBase, ratio_half_up
from pipeline.domain.policy import Tolerance
from pipeline.domain.reading import FileReading, StreamReading
from pipeline.domain.spans import Spans, both, without

_FIRST_SAMPLE_MS: Final = 500
"""First samples of whole files last so long: 80 to 134 ms from fragmenting writers, 325 ms from a phone."""
_FOLDED_SAMPLE_MS: Final = 250
"""What a fragmenting writer puts into a first sample without any loss."""
_UNEVEN_MS: Final = 500
_UNEVEN_DEGRADED_MS: Final = 2000
"""Interleaving explains half a second; a stream silent for two is taken as stopped by live demultiplexers too."""
_SUBJECT_TO_DROPS: Final = 8
"""More than one odd interval in so many is a variable rate, not loss."""


def walked(stream: StreamReading, container: str, tolerance: Tolerance) -> Walk:
    """The stream's cadence walked with the policy's limits in its own ticks."""
    limits = _limits(stream.time_base, container, tolerance)
    return walk(stream.cadence, limits._replace(untimed=stream.longest_missing, reorder=stream.reorder_frames))


@lru_cache(maxsize=64)  # the files of a recording have the same few time bases
def _limits(base: TimeBase, container: str, tolerance: Tolerance) -> Limits:
    return Limits(
        rounding=base.ticks(Fraction(2, 1000)) + 2,
        hole=base.ticks(Fraction(tolerance.in_file_ms, 1000)),
        hole_intervals=tolerance.in_file_intervals,
        first=base.ticks(Fraction(_FIRST_SAMPLE_MS, 1000)) if "mp4" in container else 0,
        folded=base.ticks(Fraction(_FOLDED_SAMPLE_MS, 1000)) if container == "fmp4" else 0,
    )


class Timed:
    """A stream with its walk, on a clock whose unit all streams of the group share."""

    def __init__(self, stream: StreamReading, walk: Walk) -> None:
        self.stream, self.walk, self.unit = stream, walk, stream.time_base_den

    def on(self, unit: int, ticks: int) -> int:
        return ticks * self.stream.time_base_num * (unit // self.stream.time_base_den)

    def start(self, unit: int) -> int:
        return self.on(unit, self.stream.first_ticks or 0)

    def end(self, unit: int) -> int:
        return self.on(unit, (self.stream.last_ticks or 0) + self.walk.median)

    def holes(self, unit: int) -> Spans:
        return [(self.on(unit, start), self.on(unit, end)) for start, end in self.walk.holes]


class _Ruler:
    """Milliseconds since the first sample of a group."""

    def __init__(self, unit: int, zero: int) -> None:
        self.unit, self.zero = unit, zero

    def at(self, moment: int) -> int:
        return self.ms(moment - self.zero)

    def ms(self, length: int) -> int:
        return ratio_half_up(1000 * length, self.unit)


def across(group: list[Timed], reading: FileReading, tolerance: Tolerance) -> Iterator[Finding]:
    """Findings of the streams of one clock: gaps of all, then what each lacks."""
    if not group:
        return
    unit = lcm(*(timed.unit for timed in group))
    zero, end = min(t.start(unit) for t in group), max(t.end(unit) for t in group)
    ruler = _Ruler(unit, zero)
    shared = {t.stream.index: _shared(t, group, end, reading, tolerance) for t in group}
    missing = [
        [(zero, t.start(unit)), *(shared[t.stream.index] or [*t.holes(unit), (t.end(unit), end)])] for t in group
    ]
    common: Spans = missing[0]
    for spans in missing[1:]:
        common = list(both(common, spans))
    gaps = [(a, b) for a, b in common if 1000 * (b - a) > tolerance.in_file_ms * unit]
    for a, b in gaps:
        yield _hole("gap", "interruption", ruler, a, b, None, "every stream")
    for timed in group:
        until = timed.end(unit) if shared[timed.stream.index] else end
        yield from _of_a_stream(timed, ruler, gaps, until, reading, tolerance)


def _shared(timed: Timed, group: list[Timed], end: int, reading: FileReading, tolerance: Tolerance) -> Spans:
    """Holes that a stream of counted samples has in common with those beside it: all they lack, if it ends as much earlier."""
    if not _only_counts(timed.stream, reading):
        return []
    unit = lcm(*(one.unit for one in group))
    beside = [one.holes(unit) for one in group if not _only_counts(one.stream, reading)]
    holes: Spans = beside[0] if beside else []
    for spans in beside[1:]:
        holes = list(both(holes, spans))
    lacks = end - timed.end(unit) - sum(b - a for a, b in holes)
    return holes if 1000 * abs(lacks) <= tolerance.in_file_ms * unit else []


def _only_counts(stream: StreamReading, reading: FileReading) -> bool:
    """Uncompressed sound in QuickTime files has no times of its own: a hole in it moves all that follows (QTFF, sound media)."""
    return "mp4" in reading.container and stream.codec.startswith("pcm_")


def _of_a_stream(
    timed: Timed, ruler: _Ruler, gaps: Spans, end: int, reading: FileReading, tolerance: Tolerance
) -> Iterator[Finding]:
    stream, unit = timed.stream, ruler.unit
    for hole in timed.holes(unit):
        for a, b in without([hole], gaps):
            if 1000 * (b - a) > tolerance.in_file_ms * unit:
                yield _hole("partial_gap", "degradation", ruler, a, b, stream.index, "this stream")
    intervals = sum(stream.cadence.counts)
    if timed.walk.drops:
        steady = len(timed.walk.drops) * _SUBJECT_TO_DROPS <= max(intervals, _SUBJECT_TO_DROPS)
        yield _dropped(timed, ruler, timed.walk.drops, "degradation" if steady else "note", "an even cadence")
    if timed.walk.edges:
        yield _dropped(timed, ruler, timed.walk.edges, "note", "an even cadence up to the ends of the file")
    for at, step in stream.resets:
        yield Finding(
            kind="timestamp_reset",
            level="degradation",
            evidence="media_clock",
            expected="times that rise",
            found=f"a step back by {ruler.ms(timed.on(unit, step))} ms; what lies between is not known",
            stream=stream.index,
            from_ms=ruler.at(timed.on(unit, at)),
            size_ms=ruler.ms(timed.on(unit, step)),
        )
    yield from _left_out(timed, ruler, tolerance)
    yield from _uneven(timed, ruler, end, reading, tolerance)


def _left_out(timed: Timed, ruler: _Ruler, tolerance: Tolerance) -> Iterator[Finding]:
    """What the file holds and its edit list shows nowhere: between two parts it is a loss, at the ends a note."""
    between: list[tuple[int | None, int, str]] = [
        (at, length, "between two parts that are shown") for at, length in timed.stream.hidden
    ]
    before, after = timed.stream.trimmed
    for at, length, where in [*between, (None, before, "before what is shown"), (None, after, "after what is shown")]:
        size_ms = ruler.ms(timed.on(ruler.unit, length))
        if size_ms > tolerance.in_file_ms:
            yield Finding(
                kind="hidden_loss",
                level="note" if at is None else "degradation",
                evidence="media_clock",
                expected="an edit list that shows what the file holds",
                found=f"{size_ms} ms of this stream left out {where}",
                stream=timed.stream.index,
                from_ms=None if at is None else ruler.at(timed.on(ruler.unit, at)),
                size_ms=size_ms,
            )


def _hole(
    kind: Literal["gap", "partial_gap"], level: Level, ruler: _Ruler, a: int, b: int, stream: int | None, who: str
) -> Finding:
    return Finding(
        kind=kind,
        level=level,
        evidence="media_clock",
        expected="a frame every typical interval",
        found=f"nothing in {who} for {ruler.ms(b - a)} ms",
        stream=stream,
        from_ms=ruler.at(a),
        to_ms=ruler.at(b),
        size_ms=ruler.ms(b - a),
    )


def _dropped(timed: Timed, ruler: _Ruler, drops: list[Drop], level: Level, expected: str) -> Finding:
    frames = sum(frames for _, _, frames in drops)
    last_at, last_missing, _ = drops[-1]
    return Finding(
        kind="dropped_frames",
        level=level,
        evidence="media_clock",
        expected=expected,
        found=f"about {frames} frames missing in {len(drops)} places",
        stream=timed.stream.index,
        from_ms=ruler.at(timed.on(ruler.unit, drops[0][0])),
        to_ms=ruler.at(timed.on(ruler.unit, last_at + last_missing)),
        size_ms=ruler.ms(timed.on(ruler.unit, sum(missing for _, missing, _ in drops))),
        count=frames,
    )


def _uneven(timed: Timed, ruler: _Ruler, end: int, reading: FileReading, tolerance: Tolerance) -> Iterator[Finding]:
    """A stream that starts later or ends earlier than the others. Without stored times that is lost media, place unknown; so
    is an early end of sound whose samples are only counted."""
    counted, pcm = reading.counted, _only_counts(timed.stream, reading)
    median_ms = ruler.ms(timed.on(ruler.unit, timed.walk.median))
    limit = max(tolerance.in_file_ms if counted else _UNEVEN_MS, tolerance.in_file_intervals * median_ms)
    first, last = timed.start(ruler.unit), timed.end(ruler.unit)
    for a, b, what in ((ruler.zero, first, "starts"), (last, end, "ends")):
        size_ms, lost = ruler.ms(b - a), counted or (pcm and what == "ends")
        evidence: Evidence = "totals" if lost else "media_clock"
        if size_ms > limit:
            yield Finding(
                kind="uneven_ends",
                level="degradation" if lost or size_ms > _UNEVEN_DEGRADED_MS else "note",
                evidence=evidence,
                expected="streams of one length",
                found=f"this stream {what} {size_ms} ms {'after' if what == 'starts' else 'before'} another",
                stream=timed.stream.index,
                from_ms=ruler.at(a),
                to_ms=ruler.at(b),
                size_ms=size_ms,
            )
