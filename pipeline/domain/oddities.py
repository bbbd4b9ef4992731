"""Oddities: what is wrong on a timeline beside time that all streams miss, in findings and their words.

One stream missing while another runs is a partial gap; files that overlap, stamps that restart, clocks that step, drift or
run on over time that no file shows, numbers that never came, formats that change.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal

from pipeline.domain.dates import doubled
from pipeline.domain.drift import LOSS_PPM
from pipeline.domain.findings import Evidence, Finding
from pipeline.domain.pieces import Clock, Piece, is_useless, spread
from pipeline.domain.policy import Tolerance
from pipeline.domain.time import seconds
from pipeline.domain.timeline import TICKS_PER_MS, Sound, Timeline, wall_ms

_HOUR: Final = 3600 * 1000 * TICKS_PER_MS
"""Summer time begins and ends by an hour; names read in the site's own zone do not move with it."""
_SHOWN_RANGES: Final = 5
_SHOWN_PARTS: Final = 16


def within(clock: Clock, tolerance: Tolerance) -> list[Finding]:
    """What is wrong in an epoch whose media clock is believed: streams that miss what others have, and its wall clock."""
    return [*_partial(clock, tolerance), *_drift(clock)]


def beside(timeline: Timeline, pieces: Sequence[Piece], tolerance: Tolerance) -> list[Finding]:
    """What is wrong on a whole timeline beside its gaps."""
    return [
        *_overlaps(pieces, tolerance),
        *_shortened(pieces),
        *_numbers(timeline),
        *_formats(timeline),
        *_silent(timeline.sound),
    ]


def _partial(clock: Clock, tolerance: Tolerance) -> Iterator[Finding]:
    """Each stream's holes in which another stream runs."""
    slack = tolerance.across_files_ms * TICKS_PER_MS
    streams = clock.epoch.streams
    for index, (name, spans) in enumerate(sorted(streams.items(), key=lambda item: item[0], reverse=True)):
        for other, theirs in streams.items():
            alone = [
                (max(before.hi, span.lo), min(after.lo, span.hi))
                for before, after in itertools.pairwise(spans)
                for span in (theirs if other != name else ())
            ]
            yield from _alone(clock, [(lo, hi) for lo, hi in alone if hi - lo > slack], name, other, index)


def _alone(clock: Clock, parts: Sequence[tuple[int, int]], name: str, other: str, index: int) -> Iterator[Finding]:
    """Where *other* runs without *name*: one by one, or as a sum where it is so in file after file."""
    if len(parts) > _SHOWN_PARTS:
        lost = sum(hi - lo for lo, hi in parts)
        found = f"{other} alone in {len(parts)} places, {_seconds(lost)} in all"
        lo, hi = clock.wall(parts[0][0]), clock.wall(parts[-1][1])
        yield replace(
            _finding(
                "partial_gap", "degradation", "media_clock", f"{name} and {other}", found, lo, hi, lost, stream=index
            ),
            count=len(parts),
        )
        return
    for lo, hi in parts:
        at = clock.wall(lo)
        yield _finding(
            "partial_gap", "degradation", "media_clock", f"{name} and {other}", f"{other} alone",
            at, at + hi - lo, stream=index,
        )  # fmt: skip


def _overlaps(pieces: Sequence[Piece], tolerance: Tolerance) -> Iterator[Finding]:
    for piece in pieces:
        doubled = piece.held - piece.length
        slack = (
            piece.before + piece.after if piece.evidence == "wall_clock" else tolerance.across_files_ms * TICKS_PER_MS
        )
        if doubled > slack:
            yield Finding(
                kind="overlap",
                level="note",
                evidence=piece.evidence,
                expected="each instant once",
                found=f"{_seconds(doubled)} more in {piece.files} files than time passes",
                size_ms=doubled // TICKS_PER_MS,
                wall_start=wall_ms(piece.lo),
                wall_end=wall_ms(piece.hi),
            )


def _shortened(pieces: Sequence[Piece]) -> Iterator[Finding]:
    """Files that a wall clock alone puts one after the other, each hole too short for it to tell, and that are together
    shorter than the time they lie in by more than its error bars and any drift."""
    for piece in pieces:
        lost = piece.length - piece.held
        if piece.evidence == "wall_clock" and lost > piece.before + piece.after + piece.length * LOSS_PPM // 1_000_000:
            found = f"{_seconds(lost)} less in {piece.files} files than time passes, each hole too short for the clock to place"
            yield _unseen(found, piece.lo, piece.hi, lost)


def _drift(clock: Clock) -> Iterator[Finding]:
    """What the claims within one epoch say against its media clock."""
    epoch = clock.epoch
    if spread(epoch) > 0 and is_useless(epoch) and any(map(doubled, epoch.walls)):
        lo, hi = epoch.walls[0].lo + epoch.origin, epoch.walls[-1].hi + epoch.origin
        found = f"files that lie within each other by it, off by {_seconds(spread(epoch))} or more while stamps run on"
        yield _set_back(found, lo, hi)
        return
    for stretch in clock.found:
        pace, length = stretch.pace, stretch.last - stretch.first
        if pace.drifts and length:
            lo, hi = clock.wall(stretch.first), clock.wall(stretch.last)
            moved = abs(round(pace.slope * length))
            if pace.least * 1_000_000 > LOSS_PPM:
                found = f"the media clock falls behind the wall clock by {_seconds(moved)}, bit by bit"
                yield _unseen(found, lo, hi, moved)
            else:
                who = "falls behind" if pace.slope > 0 else "runs ahead of"
                found = (
                    f"{pace.ppm:+d} ppm, give or take {pace.error_ppm}: it {who} the wall clock by {_seconds(moved)}"
                )
                yield _finding(
                    "clock_drift", "note", "wall_clock", "a media clock that keeps time", found, lo, hi, moved
                )
    for step in clock.steps:
        lo, hi = sorted((clock.wall(step.lo), clock.wall(step.hi)))
        if step.size > 0:
            found = f"stamps that run on while the wall clock moved {_seconds(step.size)} ahead, somewhere in this time"
            yield _unseen(found, lo, hi, step.size)
        else:
            found = f"a step back by {_seconds(-step.size)} while stamps run on, somewhere in this time"
            yield _set_back(found, lo, hi, -step.size)


def _numbers(timeline: Timeline) -> Iterator[Finding]:
    for run, spans in sorted(timeline.numbers.items()):
        lost = [(before.hi, after.lo - 1) for before, after in itertools.pairwise(spans)]
        if lost:
            count = sum(last - first + 1 for first, last in lost)
            yield Finding(
                kind="missing_sequence",
                level="degradation",
                evidence="identity" if run.startswith("mtxi:") else "sequence",
                expected=f"numbers {spans[0].lo} to {spans[-1].hi - 1}",
                found=f"without {ranges(lost)}",
                count=count,
            )


def ranges(items: Sequence[tuple[int, int]]) -> str:
    """Number ranges for people, the first few."""
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in items[:_SHOWN_RANGES]]
    more = len(items) - len(shown)
    return ", ".join(shown) + (f" and {more} more ranges" if more else "")


def _formats(timeline: Timeline) -> Iterator[Finding]:
    for name, seen in sorted(timeline.formats.items()):
        # A file that begins without parameter sets names its codec alone: nothing says that its format is another.
        steps = sorted((wall, text) for text, wall in seen if not any(o.startswith(f"{text} ") for o, _ in seen))
        for (_, before), (wall, after) in itertools.pairwise(steps):
            yield _finding("format_change", "note", "bytes", f"{name}: {before}", f"{name}: {after}", wall, None)


def _silent(sound: Sound) -> Iterator[Finding]:
    """Files whose picture has no sound, where that of others has."""
    if sound.heard and sound.silent:
        files = sound.heard + sound.silent
        found = f"none in {sound.silent} of {files} files, {_seconds(sound.silent_ticks)} in all"
        missing = _finding(
            "partial_gap",
            "degradation",
            "bytes",
            "sound with every picture",
            found,
            sound.since,
            None,
            sound.silent_ticks,
        )
        yield replace(missing, count=sound.silent)


# Words.


def hidden_loss(lo: int, hi: int, doubt: int) -> Finding:
    """Time that passed while stamps ran on."""
    # An hour is told as what it may be and stays in doubt: an hour that was cut out looks the same.
    hour = "; an hour, as when summer time begins" if abs(hi - lo - _HOUR) <= doubt else ""
    found = f"stamps that run on while the wall clock moved {_seconds(hi - lo)}{hour}"
    return _unseen(found, lo, hi)


def _unseen(found: str, lo: int, hi: int, size: int | None = None) -> Finding:
    return _finding("hidden_loss", "degradation", "wall_clock", "as much media as time", found, lo, hi, size)


def clock_step(lo: int, hi: int, doubt: int) -> Finding:
    """A wall clock that went back from *lo* to *hi* while stamps ran on."""
    hour = "; an hour, as when summer time ends" if abs(lo - hi - _HOUR) <= doubt else ""
    found = f"a step back by {_seconds(lo - hi)} while stamps run on{hour}"
    return _set_back(found, hi, lo)


def _set_back(found: str, lo: int, hi: int, size: int | None = None) -> Finding:
    return _finding("clock_step", "note", "wall_clock", "a wall clock that only advances", found, lo, hi, size)


def excursion(away: int, lo: int, hi: int) -> Finding:
    """A wall clock that was otherwise for a while."""
    where = "ahead" if away > 0 else "behind"
    found = f"{_seconds(abs(away))} {where} for {_seconds(hi - lo)} and back, while stamps run on"
    return _finding("clock_step", "note", "wall_clock", "a wall clock that runs evenly", found, lo, hi, abs(away))


def overlap(lo: int, hi: int) -> Finding:
    """Two files that cover the same time."""
    return _finding("overlap", "note", "wall_clock", "each instant once", f"{_seconds(hi - lo)} twice", lo, hi)


def reset(count: int, at: int) -> Finding:
    """*count* files whose stamps start anew, from *at* on."""
    return Finding(
        kind="timestamp_reset",
        level="note",
        evidence="wall_clock",
        expected="stamps that run on from file to file",
        found=f"stamps that start anew {count} times without a hole on the wall clock",
        count=count,
        wall_start=wall_ms(at),
    )


def _finding(
    kind: Literal["partial_gap", "hidden_loss", "clock_step", "clock_drift", "overlap", "format_change"],
    level: Literal["degradation", "note"],
    evidence: Evidence,
    expected: str,
    found: str,
    lo: int,
    hi: int | None,
    size: int | None = None,
    stream: int | None = None,
) -> Finding:
    """*size*: what moved, where it is not the time from *lo* to *hi*."""
    if size is None and hi is not None:
        size = hi - lo
    return Finding(
        kind=kind,
        level=level,
        evidence=evidence,
        expected=expected,
        found=found,
        stream=stream,
        size_ms=None if size is None else size // TICKS_PER_MS,
        wall_start=wall_ms(lo),
        wall_end=None if hi is None else wall_ms(hi),
    )


def _seconds(ticks: int) -> str:
    return seconds(ticks // TICKS_PER_MS)
