"""The referee: two readers have read one file; where they disagree about its time, that is a finding.

Streams are paired by kind and order; sound and picture only. The first reading is the one the facts are made of, the
second is asked as a witness. What two correct readers may tell apart, and the tolerance for it:

* ends: 2 ms and 2 ticks of either time base (Matroska rounds to a millisecond, edit lists to the movie's time scale);
  one frame of picture, because a frame that the end of the file cuts is passed on by one reader and not by another (such
  a frame may show as much later as pictures are reordered); three of sound, because encoders prime their decoders with up to three frames, which one reader counts and another drops;
* a picture moved whole by no more than its reordering: libavformat delays fragments with negative composition offsets by
  the deepest of them, the standard (ISO/IEC 14496-12 8.8.8) does not;
* holes: what one reader calls a hole must be one to the other at half the policy's limits, so that a hole right at the
  limit is no quarrel; a rest longer than the policy's limit is one;
* packets: as many as the ends may differ by. Uncompressed sound is cut into packets anywhere and not counted, nor is sound
  of which one reader takes single frames and the other what came together;
* streams of a coding that one reader does not know: their order pairs nothing, so their kind is not compared.

A quarrel about ends, holes or whole streams is a degradation: it decides which time is covered, and one of the readers is
wrong about it. A quarrel about numbers of packets alone covers the same time and is a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from typing import Final

from pipeline.domain.cadence import Walk
from pipeline.domain.findings import Finding, Level
from pipeline.domain.media import milliseconds
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import StreamKind
from pipeline.domain.reading import FileReading, StreamReading
from pipeline.domain.spans import Spans, without
from pipeline.domain.streams import walked

_ROUNDING_S: Final = Fraction(2, 1000)
_ROUNDING_TICKS: Final = 2
_UNKNOWN: Final = "unknown"
_FREE_FRAMES: Final[dict[StreamKind, int]] = {"video": 1, "audio": 3}


def compare(reading: FileReading, witness: FileReading, tolerance: Tolerance) -> tuple[Finding, ...]:
    """What *reading* and *witness*, of the same file, say differently about its time."""
    found: list[Finding] = []
    for kind in _FREE_FRAMES:
        if any(stream.codec == _UNKNOWN for side in (reading, witness) for stream in _streams(side, kind)):
            continue
        for ours, theirs in zip_longest(_streams(reading, kind), _streams(witness, kind)):
            if ours is not None and theirs is not None:
                found += _of_a_stream(
                    _Side(reading, ours, reading.container, tolerance),
                    _Side(witness, theirs, reading.container, tolerance),
                    tolerance,
                )
            elif ours is not None or theirs is not None:
                there, lacking = f"a stream of {kind}", "no such stream"
                expected, seen = (lacking, there) if theirs is None else (there, lacking)
                index = ours.index if ours is not None else None
                found.append(_quarrel(f"{expected} ({witness.reader})", f"{seen} ({reading.reader})", index))
    return tuple(found)


def unread(reading: FileReading, witness: str, reason: str) -> Finding:
    """*witness* could not read at all what *reading* is of. Many readers give a cut file up: then it is a note."""
    packets = sum(stream.packets for stream in reading.streams)
    return _quarrel(
        f"unreadable: {reason} ({witness})",
        f"{packets} packets ({reading.reader})",
        None,
        "note" if reading.truncation else "degradation",
    )


class _Side:
    """One reader's view of one stream, in exact seconds. Both are walked with the limits of one *container*."""

    def __init__(self, reading: FileReading, stream: StreamReading, container: str, tolerance: Tolerance) -> None:
        self.reading, self.stream = reading, stream
        self._base = stream.time_base
        half = replace(
            tolerance, in_file_ms=tolerance.in_file_ms // 2, in_file_intervals=tolerance.in_file_intervals // 2
        )
        walk = walked(stream, container, tolerance)
        self.frame = self._base.seconds(walk.median)
        self.holes, self.suspected = self._spans(walk), self._spans(walked(stream, container, half))

    @property
    def ends(self) -> tuple[Fraction, ...]:
        """First and last presentation time; none when there is no time."""
        ticks = (self.stream.first_ticks, self.stream.last_ticks)
        return tuple(self._base.seconds(end) for end in ticks if end is not None)

    @property
    def rounding(self) -> Fraction:
        return _ROUNDING_S + self._base.seconds(_ROUNDING_TICKS)

    @property
    def reordered(self) -> int:
        """Pictures that decoding order and presentation order are apart by."""
        return self.stream.reorder_frames

    def _spans(self, walk: Walk) -> Spans:
        return [(_us(self._base.seconds(start)), _us(self._base.seconds(end))) for start, end in walk.holes]


def _streams(reading: FileReading, kind: StreamKind) -> list[StreamReading]:
    return sorted((s for s in reading.streams if s.kind == kind and s.packets), key=lambda s: (s.clock, s.index))


def _of_a_stream(ours: _Side, theirs: _Side, tolerance: Tolerance) -> Iterator[Finding]:
    free, frame = _FREE_FRAMES[ours.stream.kind], max(ours.frame, theirs.frame)
    slack = max(ours.rounding, theirs.rounding) + free * frame
    cut = (ours.reordered if ours.reading.truncation or theirs.reading.truncation else 0) * frame
    apart = len(ours.ends) != len(theirs.ends) or (
        any(abs(b - a) > limit for a, b, limit in zip(ours.ends, theirs.ends, (slack, slack + cut), strict=False))
        and not _moved_whole(ours, theirs)
    )
    if apart:
        yield _about(ours, theirs, _extent(theirs), _extent(ours))
        return
    if _unseen(ours.holes, theirs.suspected, tolerance) or _unseen(theirs.holes, ours.suspected, tolerance):
        yield _about(ours, theirs, _lacking(theirs), _lacking(ours))
    alike = 2 * max(ours.frame, theirs.frame) <= 3 * min(ours.frame, theirs.frame)
    counted = alike and not ours.stream.codec.startswith("pcm_")
    if counted and abs(ours.stream.packets - theirs.stream.packets) > free:
        yield _about(ours, theirs, f"{theirs.stream.packets} packets", f"{ours.stream.packets} packets", "note")


def _moved_whole(ours: _Side, theirs: _Side) -> bool:
    """Whether both ends are apart by the same, and by no more than pictures are reordered."""
    first, last = (b - a for a, b in zip(ours.ends, theirs.ends, strict=True))
    rounding = max(ours.rounding, theirs.rounding)
    return abs(first - last) <= rounding and abs(first) <= ours.reordered * max(ours.frame, theirs.frame) + rounding


def _unseen(holes: Spans, suspected: Spans, tolerance: Tolerance) -> bool:
    """Whether one side's holes reach beyond what the other takes for holes."""
    return any(b - a > 1000 * tolerance.in_file_ms for a, b in without(holes, suspected))


def _extent(side: _Side) -> str:
    return " to ".join(f"{milliseconds(end)}" for end in side.ends) + " ms" if side.ends else "no times"


def _lacking(side: _Side) -> str:
    return f"{len(side.holes)} holes of {sum(b - a for a, b in side.holes) // 1000} ms"


def _about(ours: _Side, theirs: _Side, expected: str, found: str, level: Level = "degradation") -> Finding:
    return _quarrel(
        f"{expected} ({theirs.reading.reader})", f"{found} ({ours.reading.reader})", ours.stream.index, level
    )


def _quarrel(expected: str, found: str, stream: int | None, level: Level = "degradation") -> Finding:
    return Finding(
        kind="reader_disagreement", level=level, evidence="bytes", expected=expected, found=found, stream=stream
    )


def _us(seconds: Fraction) -> int:
    """Microseconds: fine enough beside a limit in milliseconds."""
    return round(seconds * 1_000_000)
