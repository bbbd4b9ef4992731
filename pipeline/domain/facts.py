"""Facts: what a reading amounts to, with everything that is wrong inside the file.

Streams are judged first (:mod:`~pipeline.domain.streams`), then what the file says as a whole:

* Where a format stores no times (constant rate, raw streams), continuity is not testable and only totals compare.
* A wall clock inside the file that goes on without its media shows what media time cannot (:mod:`pipeline.domain.marks`).
* Parts that their writer numbers one by one and of which numbers are missing were lost or taken out, whatever stamps say.
* A length the container declares is believed in one case: to measure what a truncated file lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Final, Literal

from pipeline.domain.cadence import Walk
from pipeline.domain.findings import Evidence, Finding, Level
from pipeline.domain.marks import begun, steps
from pipeline.domain.media import milliseconds
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts, StreamFacts
from pipeline.domain.reading import FileReading, Foreign, StreamReading, Truncation
from pipeline.domain.streams import Timed, across, walked
from pipeline.domain.time import ClaimedTime

_TOO_FEW: Final = 3
_COUNTER_TURN_BYTES: Final = 16 * 188


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
        findings += across(
            [Timed(stream, walks[stream.index]) for stream in group if stream.index in walks], reading, tolerance
        )
    zero_ms = reading.zero_ms
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
            from_ms=reading.place_ms(loss.stream, loss.after_ticks),
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
            from_ms=reading.place_ms(change.stream, change.after_ticks),
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
