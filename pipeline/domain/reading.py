"""Reading: what a reader of media files hands over, and what is wrong inside the file by it.

Each stream's presentation times are judged against its own cadence (:mod:`pipeline.domain.cadence`), then the streams
against each other; :func:`judge` makes facts of it. Its rules:

* Every audio and video stream is judged. Time that all of them miss is a ``gap``; what one misses while another runs is
  a ``partial_gap``. Streams of different programs have different clocks and are judged apart.
* Dropped frames are one finding a stream. Where one interval in eight is odd, the rate varies: a note, not loss.
* Exempt, and recorded as notes: holes in the reordering window at either end (a cut through an open group of pictures),
  and a long first sample of an ISO base media file (an edit folded into it). In a fragmented file a first sample of up
  to 250 ms before an even cadence is how such files are written, and nothing is said.
* Where a format stores no times (constant rate, raw streams), continuity is not testable and only totals compare.
* A wall clock inside the file that goes on without its media shows what media time cannot (:mod:`pipeline.domain.marks`).
* Parts that their writer numbers one by one and of which numbers are missing were lost or taken out, whatever stamps say.
* What a file holds and its edit list never shows is told: a cut that players follow and stamps do not tell of.
* A length the container declares is believed in one case: to measure what a truncated file lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import groupby, pairwise
from math import lcm
from typing import Final, Literal

from pipeline.domain.cadence import Cadence, Drop, Limits, Walk, walk
from pipeline.domain.findings import Evidence, Finding, Level
from pipeline.domain.marks import Mark, begun, steps
from pipeline.domain.media import TimeBase, milliseconds, ratio_half_up
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import BandIdentity, MediaFacts, StreamFacts, StreamKind
from pipeline.domain.spans import Spans, both, without
from pipeline.domain.time import ClaimedTime

# What readers hand over.


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReading:
    """One stream as read, in ticks. ``clock``: streams share a clock when this is equal (the program of a transport
    stream). ``missing_pts`` packets had no time, at most ``longest_missing`` in a row. ``reorder_frames``: how far
    decoding order and presentation order differ. ``resets``: (place, step back) where times step back beyond reordering;
    what follows was moved to join. ``declared_ticks``: the length the container states. ``hidden``: (place, length) of what the
    file holds and its edit list leaves out between two parts that it shows; ``trimmed``: what it leaves out before the first and
    after the last."""

    index: int
    kind: StreamKind
    codec: str
    time_base_num: int
    time_base_den: int
    packets: int
    first_ticks: int | None = None
    last_ticks: int | None = None
    cadence: Cadence = field(default_factory=Cadence)
    wraps_33: bool = False
    format: str = ""
    clock: int = 0
    missing_pts: int = 0
    longest_missing: int = 0
    reorder_frames: int = 0
    resets: tuple[tuple[int, int], ...] = ()
    declared_ticks: int | None = None
    hidden: tuple[tuple[int, int], ...] = ()
    trimmed: tuple[int, int] = (0, 0)

    @property
    def time_base(self) -> TimeBase:
        return TimeBase(self.time_base_num, self.time_base_den)


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketLoss:
    """Transport packets missing by continuity counter on one PID: ``count`` (modulo 16 in each of ``places``).
    ``byte_offsets``: of the first places; ``after_ticks``: the first of them, after the stream's first frame. ``heard``:
    the PID may carry sound or picture; tables and data may not."""

    pid: int
    stream: int | None
    count: int
    places: int
    byte_offset: int
    byte_offsets: tuple[int, ...] = ()
    after_ticks: int | None = None
    heard: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Bytes between transport packets that are none: how many, in how many places, where the first."""

    places: int
    count_bytes: int
    byte_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatChange:
    """A stream changes its format inside the file, ``after_ticks`` after its first frame."""

    stream: int
    before: str
    after: str
    byte_offset: int | None = None
    after_ticks: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncation:
    """The file's own structure promises more than is there."""

    expected: str
    found: str
    byte_offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReading:
    """One file as read. ``counted``: the format stores no times, the reader counted frames or samples.
    ``announced``: (how many, first byte offset) of discontinuities the recorder declared. ``marks``: a wall clock inside it.
    ``numbers``: what its writer numbered its parts with, in order of place."""

    container: str
    reader: str
    streams: tuple[StreamReading, ...]
    counted: bool = False
    truncation: Truncation | None = None
    losses: tuple[PacketLoss, ...] = ()
    announced: tuple[int, int] | None = None
    foreign: Foreign | None = None
    changes: tuple[FormatChange, ...] = ()
    identities: tuple[BandIdentity, ...] = ()
    clocks: tuple[ClaimedTime, ...] = ()
    marks: tuple[Mark, ...] = ()
    numbers: Sequence[int] = ()
    device: str = ""
    init_bytes: int | None = None


# Judgement.

_FIRST_SAMPLE_MS: Final = 500
"""First samples of whole files last so long: 80 to 134 ms from fragmenting writers, 325 ms from a phone."""
_FOLDED_SAMPLE_MS: Final = 250
"""What a fragmenting writer puts into a first sample without any loss."""
_UNEVEN_MS: Final = 500
_UNEVEN_DEGRADED_MS: Final = 2000
"""Interleaving explains half a second; a stream silent for two is taken as stopped by live demultiplexers too."""
_TOO_FEW: Final = 3
_COUNTER_TURN_BYTES: Final = 16 * 188
_SUBJECT_TO_DROPS: Final = 8
"""More than one odd interval in so many is a variable rate, not loss."""


def judge(reading: FileReading, tolerance: Tolerance) -> MediaFacts:
    """Facts of a file with everything wrong inside it. Findings: per clock in stream order, then the file's."""
    if not any(stream.packets for stream in reading.streams):
        return unreadable("no media in it", container=reading.container, reader=reading.reader)
    walks = {
        stream.index: walked(stream, reading.container, tolerance)
        for stream in reading.streams
        if stream.kind != "other" and stream.cadence.starts
    }
    findings: list[Finding] = []
    for _, group in groupby(sorted(reading.streams, key=lambda s: (s.clock, s.index)), key=lambda s: s.clock):
        findings += _across(
            [_Timed(stream, walks[stream.index]) for stream in group if stream.index in walks], reading, tolerance
        )
    zero_ms = _zero_ms(reading)
    findings += steps(reading.marks, zero_ms, tolerance)
    findings += _untimed(reading)
    findings += _of_the_file(reading, walks, tolerance)
    return MediaFacts(
        media="timed",
        container=reading.container,
        reader=reading.reader,
        streams=tuple(_facts(stream, walks.get(stream.index)) for stream in reading.streams),
        identities=reading.identities,
        clocks=(*reading.clocks, *begun(reading.marks, zero_ms, tolerance)),
        findings=tuple(findings),
        device=reading.device,
        init_bytes=reading.init_bytes,
    )


def _zero_ms(reading: FileReading) -> int:
    """Media time of the file's first sample."""
    return min(
        (
            milliseconds(stream.time_base.seconds(stream.first_ticks))
            for stream in reading.streams
            if stream.kind != "other" and stream.first_ticks is not None
        ),
        default=0,
    )


def unreadable(reason: str, *, container: str = "unknown", reader: str = "none") -> MediaFacts:
    """Facts of bytes that show nothing: its time is not covered by anything one can look at."""
    finding = Finding(
        kind="unreadable",
        level="interruption",
        evidence="bytes",
        expected="a readable media file",
        found=reason,
    )
    return MediaFacts(media="unreadable", container=container, reader=reader, findings=(finding,))


def photo(
    container: str,
    reader: str,
    clocks: tuple[ClaimedTime, ...],
    truncation: Truncation | None = None,
    device: str = "",
) -> MediaFacts:
    """Facts of a still picture: it is evidence, and has no continuity to test."""
    findings = [_note("not_testable", "none", "media with a length", "a still picture")]
    if truncation is not None:
        findings.append(_truncated(truncation, None, "degradation"))
    return MediaFacts(
        media="photo", container=container, reader=reader, clocks=clocks, findings=tuple(findings), device=device
    )


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


def _facts(stream: StreamReading, walk: Walk | None) -> StreamFacts:
    covered = None
    if walk and stream.first_ticks is not None and stream.last_ticks is not None:
        lost = sum(end - start for start, end in walk.holes)
        covered = stream.last_ticks - stream.first_ticks + walk.median - lost
    return StreamFacts(
        index=stream.index,
        kind=stream.kind,
        codec=stream.codec,
        time_base_num=stream.time_base_num,
        time_base_den=stream.time_base_den,
        packets=stream.packets,
        first_ticks=stream.first_ticks,
        last_ticks=stream.last_ticks,
        median_interval_ticks=walk.median if walk else None,
        covered_ticks=covered,
        wraps_33=stream.wraps_33,
        format=stream.format,
    )


class _Timed:
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


def _across(group: list[_Timed], reading: FileReading, tolerance: Tolerance) -> Iterator[Finding]:
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


def _shared(timed: _Timed, group: list[_Timed], end: int, reading: FileReading, tolerance: Tolerance) -> Spans:
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
    timed: _Timed, ruler: _Ruler, gaps: Spans, end: int, reading: FileReading, tolerance: Tolerance
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
    for at, length in stream.hidden:
        size_ms = ruler.ms(timed.on(unit, length))
        if size_ms > tolerance.in_file_ms:
            yield Finding(
                kind="hidden_loss",
                level="degradation",
                evidence="media_clock",
                expected="an edit list that shows what the file holds",
                found=f"{size_ms} ms of this stream left out between two parts that are shown",
                stream=stream.index,
                from_ms=ruler.at(timed.on(unit, at)),
                size_ms=size_ms,
            )
    for length, where in zip(stream.trimmed, ("before", "after"), strict=True):
        size_ms = ruler.ms(timed.on(unit, length))
        if size_ms > tolerance.in_file_ms:
            yield Finding(
                kind="hidden_loss",
                level="note",
                evidence="media_clock",
                expected="an edit list that shows what the file holds",
                found=f"{size_ms} ms of this stream left out {where} what is shown",
                stream=stream.index,
                size_ms=size_ms,
            )
    yield from _uneven(timed, ruler, end, reading, tolerance)


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


def _dropped(timed: _Timed, ruler: _Ruler, drops: list[Drop], level: Level, expected: str) -> Finding:
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


def _uneven(timed: _Timed, ruler: _Ruler, end: int, reading: FileReading, tolerance: Tolerance) -> Iterator[Finding]:
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


def _untimed(reading: FileReading) -> Iterator[Finding]:
    """Streams that say nothing, or nothing about time."""
    if reading.counted:
        yield _note("not_testable", "totals", "stored times", "a format that counts frames; only totals were compared")
    for stream in reading.streams:
        if stream.kind == "other":
            continue
        if not stream.packets:
            yield Finding(
                kind="empty_stream",
                level="degradation",
                evidence="bytes",
                expected=f"{stream.kind} in a declared stream",
                found="no packet",
                stream=stream.index,
            )
        elif stream.first_ticks is None or (stream.missing_pts and not reading.counted):
            found = f"{stream.missing_pts} of {stream.packets} packets without a time"
            yield _note("not_testable", "none", "a time for each packet", found, stream.index)
    longest = max((sum(s.cadence.counts) for s in reading.streams if s.kind != "other"), default=0)
    if 0 < longest < _TOO_FEW and not reading.counted:
        yield _note("not_testable", "none", "enough frames to know their rate", f"{longest + 1} frames")


def _of_the_file(reading: FileReading, walks: dict[int, Walk], tolerance: Tolerance) -> Iterator[Finding]:
    for loss in reading.losses:
        others = ", ".join(map(str, loss.byte_offsets[1:]))
        yield Finding(
            kind="packet_loss",
            level="degradation" if loss.heard else "note",
            evidence="bytes",
            expected=f"continuity counters without a hole on PID {loss.pid}",
            found=f"{loss.count} packets missing in {loss.places} places" + (f", also at {others}" if others else ""),
            stream=loss.stream,
            from_ms=_place_ms(reading, loss.stream, loss.after_ticks),
            byte_offset=loss.byte_offset,
            count=loss.count,
        )
    if reading.foreign:
        yield _foreign(reading.foreign)
    for change in reading.changes:
        yield Finding(
            kind="format_change",
            level="note",
            evidence="bytes",
            expected=change.before,
            found=change.after,
            stream=change.stream,
            from_ms=_place_ms(reading, change.stream, change.after_ticks),
            byte_offset=change.byte_offset,
        )
    if reading.announced:
        count, offset = reading.announced
        found = f"{count} announced by the recorder"
        note = _note("declared_discontinuity", "bytes", "no discontinuity", found)
        yield replace(note, byte_offset=offset, count=count)
    yield from _unnumbered(reading.numbers)
    yield from _misplaced(reading.numbers)
    if reading.truncation:
        lost_ms = max((_declared_beyond(s, walks.get(s.index)) for s in reading.streams), default=0)
        level: Level = "interruption" if lost_ms > tolerance.in_file_ms else "degradation"
        yield _truncated(reading.truncation, lost_ms or None, level)


def _unnumbered(numbers: Sequence[int]) -> Iterator[Finding]:
    """Numbers that a writer who counts by one left out, or somebody took out. Who counts otherwise proves nothing."""
    steps = list(pairwise(sorted(set(numbers))))
    jumps = [(before + 1, after - 1) for before, after in steps if after > before + 1]
    by_one = len(steps) - len(jumps)
    if jumps and by_one > max(_TOO_FEW, len(jumps)):
        count = sum(last - first + 1 for first, last in jumps)
        first, last = jumps[0]
        yield Finding(
            kind="missing_sequence",
            level="degradation",
            evidence="sequence",
            expected="parts of the file numbered without a hole",
            found=f"{count} missing in {len(jumps)} places, the first from {first} to {last}",
            count=count,
        )


def _misplaced(numbers: Sequence[int]) -> Iterator[Finding]:
    """Parts that somebody put behind later ones. Who gives a number twice does not number by place."""
    behind = sum(later < before for before, later in pairwise(numbers))
    if behind and len(set(numbers)) == len(numbers):
        yield Finding(
            kind="out_of_order",
            level="degradation",
            evidence="sequence",
            expected="parts of the file in the order of their numbers",
            found=f"{behind} behind later ones",
            count=behind,
        )


def _foreign(foreign: Foreign) -> Finding:
    """Bytes in which packets may have been: fewer than a counter's turn of them would show as missing."""
    return Finding(
        kind="packet_loss",
        level="degradation" if foreign.count_bytes >= _COUNTER_TURN_BYTES else "note",
        evidence="bytes",
        expected="transport packets one after the other",
        found=f"{foreign.count_bytes} bytes in {foreign.places} places that are none",
        byte_offset=foreign.byte_offset,
    )


def _place_ms(reading: FileReading, stream: int | None, after_ticks: int | None) -> int | None:
    """Milliseconds from the first sample of a stream's clock to a place in the stream."""
    there = next((s for s in reading.streams if s.index == stream), None)
    if there is None or after_ticks is None or there.first_ticks is None:
        return None
    firsts = [
        s.time_base.seconds(s.first_ticks)
        for s in reading.streams
        if s.clock == there.clock and s.kind != "other" and s.cadence.starts and s.first_ticks is not None
    ]
    at = there.time_base.seconds(there.first_ticks + after_ticks)
    return milliseconds(at - min(firsts)) if firsts else None


def _declared_beyond(stream: StreamReading, walk: Walk | None) -> int:
    """Milliseconds the container states for the stream beyond what was read; 0 when it states none."""
    if stream.declared_ticks is None or stream.first_ticks is None or stream.last_ticks is None or walk is None:
        return 0
    beyond = stream.declared_ticks - (stream.last_ticks - stream.first_ticks + walk.median)
    return max(0, milliseconds(stream.time_base.seconds(beyond)))


def _truncated(truncation: Truncation, lost_ms: int | None, level: Level) -> Finding:
    return Finding(
        kind="truncated",
        level=level,
        evidence="bytes",
        expected=truncation.expected,
        found=truncation.found,
        byte_offset=truncation.byte_offset,
        size_ms=lost_ms,
    )


def _note(
    kind: Literal["not_testable", "declared_discontinuity"],
    evidence: Evidence,
    expected: str,
    found: str,
    stream: int | None = None,
) -> Finding:
    return Finding(kind=kind, level="note", evidence=evidence, expected=expected, found=found, stream=stream)
