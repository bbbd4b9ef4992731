"""Pieces: what is covered, on the wall clock, epoch by epoch.

Within one clock's epoch the spans are exact, and the epoch lies on the wall where its claims put it, drift and steps taken
into account. An epoch whose offsets grow as fast as its wall time, and whose stamps double, has files that restart them: it
is read by the wall clock. One whose stamps fill a hole of another belongs there, whatever its wall clock said meanwhile.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.domain.dates import doubled, settled
from pipeline.domain.drift import Step, Stretch, lead, stretches
from pipeline.domain.findings import Evidence
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.policy import Tolerance
from pipeline.domain.timeline import TICKS_PER_MS, Epoch, Timeline, merge, reference, wall_ms


class Piece(NamedTuple):
    """A span on the wall: where, how sure, and its span on the media clock where that is believed; ``stamps`` are the raw
    ones at its ends where they may continue in another epoch."""

    lo: int
    hi: int
    error: int
    before: int
    after: int
    epoch: int
    evidence: Evidence
    media: tuple[int, int] | None
    stamps: tuple[int, int] | None
    files: int
    held: int

    @property
    def length(self) -> int:
        lo, hi = self.media or (self.lo, self.hi)
        return hi - lo


class Clock:
    """An epoch on the wall: where each of its positions lies by the claims, drift and steps among them."""

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.found: tuple[Stretch, ...] = ()
        self.steps: tuple[Step, ...] = ()
        if epoch.ties.kept:
            self.found, self.steps = stretches(epoch.ties.kept)

    def wall(self, at: int) -> int:
        """By the anchor alone, which is a claim somebody made, unless the claims do not all follow it."""
        moves = self.steps or any(stretch.pace.drifts for stretch in self.found)
        return self.epoch.origin + at + (lead(self.found, at) if moves else self.epoch.anchor.offset)


class Excursion(NamedTuple):
    """For so long, on the wall as the epoch around it has it, a clock was *away* by so much, and came back."""

    away: int
    lo: int
    hi: int


def extent(timeline: Timeline) -> tuple[int, int] | None:
    """Start and end on the wall clock, in ms; ``None`` if nothing is placed."""
    pieces = [piece for epoch in settled(timeline)[0].epochs for piece in pieces_of(0, Clock(epoch))]
    if not pieces:
        return None
    return wall_ms(min(piece.lo for piece in pieces)), wall_ms(max(piece.hi for piece in pieces))


def is_believed(epoch: Epoch) -> bool:
    """Whether the epoch's own clock places its spans."""
    return epoch.clock != "wall" and not _restarts(epoch)


def pieces_of(number: int, clock: Clock) -> Iterator[Piece]:
    """The spans of an epoch on the wall, in order."""
    return _exact_pieces(number, clock) if is_believed(clock.epoch) else _wall_pieces(number, clock.epoch)


def _restarts(epoch: Epoch) -> bool:
    """Whether the stamps start anew in every file: they double, and the offsets spread as far as the wall times do."""
    if epoch.clock != "ts" or not epoch.walls or not any(map(doubled, epoch.streams[reference(epoch.streams)])):
        return False
    return spread(epoch) > 0 and is_useless(epoch)


def is_useless(epoch: Epoch) -> bool:
    """Whether the wall clock tells something else than the stamps all the time."""
    return 2 * (epoch.offsets.hi - epoch.offsets.lo) > epoch.walls[-1].hi - epoch.walls[0].lo


def spread(epoch: Epoch) -> int:
    """By how much the offsets differ beyond their error bars."""
    return epoch.offsets.hi - epoch.offsets.lo - epoch.offsets.before - epoch.offsets.after


def files_of(epoch: Epoch) -> int:
    """How many files the epoch has."""
    return sum(span.files for span in epoch.walls)


def _exact_pieces(number: int, clock: Clock) -> Iterator[Piece]:
    epoch = clock.epoch
    doubt = max(epoch.anchor.error, min(epoch.offsets.before, epoch.offsets.after))
    evidence: Evidence = "media_clock" if epoch.clock == "ts" else "identity"
    for span in epoch.streams[reference(epoch.streams)]:
        stamps = (epoch.origin + span.lo, epoch.origin + span.hi) if epoch.clock == "ts" else None
        yield Piece(
            clock.wall(span.lo),
            clock.wall(span.hi),
            epoch.anchor.error,
            doubt,
            doubt,
            number,
            evidence,
            (span.lo, span.hi),
            stamps,
            span.files,
            span.held,
        )


def _wall_pieces(number: int, epoch: Epoch) -> Iterator[Piece]:
    spans = epoch.streams["all"] if epoch.clock == "wall" else epoch.walls
    for lo, hi, before, after, files, held in spans:
        error = max(before, after)
        yield Piece(
            lo + epoch.origin, hi + epoch.origin, error, before, after, number, "wall_clock", None, None, files, held
        )


def joined(epochs: Sequence[Epoch], tolerance: Tolerance) -> tuple[list[Epoch], list[Excursion]]:
    """The epochs, where one whose stamps lie in a hole of another is put into it: for so long the wall clock was otherwise,
    and it came back. What is left of the hole is missing."""
    whole_ones, found = list(epochs), list[Excursion]()
    while fit := next(_fits(whole_ones, tolerance.across_files_ms * TICKS_PER_MS), None):
        around, within, turns = fit
        clock, spans = Clock(around), within.streams[reference(within.streams)]
        starts, ends = (within.origin + at for at in (spans[0].lo, spans[-1].hi))
        lo, hi = (clock.wall(at + turns - around.origin) for at in (starts, ends))
        found.append(Excursion(starts + within.anchor.offset - lo, lo, hi))
        whole = merge(around, within, turns)
        whole = whole._replace(offsets=around.offsets, anchor=around.anchor, ties=around.ties)
        whole_ones = [whole if epoch is around else epoch for epoch in whole_ones if epoch is not within]
    return whole_ones, found


def _fits(epochs: Sequence[Epoch], slack: int) -> Iterator[tuple[Epoch, Epoch, int]]:
    """An epoch, another whose stamps fill a hole of it from side to side, and by how much those move to lie there. Or from
    one side, if by the wall clock it lies in that hole as well: a file that lost its end does, and its date is off by what it
    lost. Whichever clock is right, as much of the hole is missing."""
    running = [epoch for epoch in epochs if epoch.clock == "ts" and is_believed(epoch)]
    for around, within in itertools.permutations(running, 2):
        inner = within.streams[reference(within.streams)]
        starts, ends = within.origin + inner[0].lo, within.origin + inner[-1].hi
        for before, after in itertools.pairwise(around.streams[reference(around.streams)]):
            lo, hi = around.origin + before.hi, around.origin + after.lo
            turns = (lo - starts + MPEG_TS_WRAP // 2) // MPEG_TS_WRAP * MPEG_TS_WRAP
            before_ticks, after_ticks = starts + turns - lo, hi - ends - turns
            away = within.anchor.offset - turns - around.anchor.offset
            doubt = slack + within.anchor.error + around.anchor.error
            if max(abs(before_ticks), abs(after_ticks)) <= slack or (
                min(before_ticks, after_ticks) >= -slack
                and min(abs(before_ticks), abs(after_ticks)) <= slack
                and min(before_ticks + away, after_ticks - away) >= -doubt
            ):
                yield around, within, turns
