"""Account: what a timeline means. Runs, gaps and findings of a whole recording, the same for every order of arrival.

Within one clock's epoch the spans are exact: what lies between two of them is missing. Between epochs two clocks are
compared; arrival times decide nothing:

| media clock | wall clock | meaning |
|---|---|---|
| runs on | within error | one run (the same epoch) |
| runs on | a hole beyond error | hidden loss: time passed that no file shows, and the stamps do not tell |
| runs on | away and back later | clock step: no time is missing where the stamps fit in on both sides, else what they leave open |
| jumps | a hole beyond error | gap, as exact as the wall clock |
| jumps | within error | timestamp reset: one run, noted |
| runs on | back beyond error, even before all that came earlier | clock step |
| jumps | back beyond error | overlap |

The wall clock is compared after drift is taken off (:mod:`~pipeline.domain.drift` says what is found at which error bar).

Rules: 1. A gap means that all streams are missing; everything else is told beside it (:mod:`~pipeline.domain.oddities`).
2. A hole inside a file stays a gap even if another file overlaps it: the overlap stands beside it. 3. Dates that cannot be
right (:mod:`~pipeline.domain.dates`) place nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pipeline.domain.dates import said, settled
from pipeline.domain.findings import Evidence, Finding
from pipeline.domain.media import unwrap_33
from pipeline.domain.oddities import beside, clock_step, excursion, hidden_loss, overlap, reset, within
from pipeline.domain.pieces import Clock, Piece, files_of, is_believed, joined, pieces_of
from pipeline.domain.policy import Tolerance
from pipeline.domain.reach import Span
from pipeline.domain.time import WallMs
from pipeline.domain.timeline import TICKS_PER_MS, Timeline, reference, wall_ms

GapState = Literal["open", "explained", "unexplained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A maximal piece of the timeline with no interruption. Wall times are where the recording's clock puts it.
    ``segments``: how many files lie in it, wholly or in part."""

    start: WallMs
    end: WallMs
    segments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Time that should be covered and is not. ``state`` stays ``open`` until the recording ends; ``reason`` is the
    explanation's code or the schedule's reason once explained, ``explained_by`` its annotation. ``size_ms`` is as exact as
    ``evidence`` is; ``error_ms``: how far ``start`` and ``end`` may both be off on the wall clock."""

    start: WallMs
    end: WallMs
    size_ms: int
    error_ms: int
    evidence: Evidence
    state: GapState
    reason: str | None = None
    explained_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Runs, gaps (all ``open``) and findings in timeline order."""

    runs: tuple[Run, ...]
    gaps: tuple[Gap, ...]
    findings: tuple[Finding, ...]


class _Missing(NamedTuple):
    lo: int
    hi: int
    error: int
    evidence: Evidence


def account(timeline: Timeline, tolerance: Tolerance, previous: Timeline | None = None) -> Account:
    """Tell the whole story of *timeline*. *previous*: what came directly before it of the same continuous camera; a gap
    between the two is told here."""
    untold = timeline.epochs
    timeline, ruling = settled(timeline)
    epochs, excursions = joined(timeline.epochs, tolerance)
    clocks = [Clock(epoch) for epoch in epochs]
    pieces: list[Piece] = []
    holes: list[_Missing] = []
    findings = [*said(ruling), *(excursion(*each) for each in excursions)]
    resets: list[int] = []
    if ruling == "nothing":  # a hole inside a file is there wherever the file lies
        holes = [_Missing(h.wall, h.wall + h.hi - h.lo, e.anchor.error, "media_clock") for e in untold for h in e.holes]
    for number, clock in enumerate(clocks):
        epoch, believed = clock.epoch, is_believed(clock.epoch)
        pieces += pieces_of(number, clock)
        for hole in epoch.holes:
            lo = clock.wall(hole.lo) if believed else hole.wall
            holes.append(_Missing(lo, lo + hole.hi - hole.lo, epoch.anchor.error, "media_clock"))
        if believed:
            findings += within(clock, tolerance)
        elif epoch.clock != "wall":
            resets += [epoch.origin + epoch.walls[0].lo] * (files_of(epoch) - 1)
    pieces.sort()
    missing, hidden, seen = _between(pieces, clocks, tolerance, resets)
    gaps = _merged([*_leading(pieces, previous, tolerance), *missing, *holes])
    findings += [*seen, *beside(timeline, pieces, tolerance)]
    if resets:
        findings.append(reset(len(resets), min(resets)))
    return Account(
        runs=_runs(pieces, [*gaps, *hidden]),
        gaps=tuple(_gap(gap) for gap in gaps),
        findings=in_order(findings),
    )


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings in timeline order, those without a place last; equal ones stay as many as they are."""
    return tuple(sorted(findings, key=_place))


def _place(finding: Finding) -> tuple[bool, int, str, str, int, int, str, str]:
    at = finding.wall_start
    return (
        at is None,
        at or 0,
        finding.kind,
        finding.segment or "",
        -1 if finding.stream is None else finding.stream,
        finding.from_ms or 0,
        finding.found,
        finding.previous or "",
    )


# Between pieces.


def _between(
    pieces: Sequence[Piece], clocks: Sequence[Clock], tolerance: Tolerance, resets: list[int]
) -> tuple[list[_Missing], list[_Missing], list[Finding]]:
    """What is missing between neighbours, what passed unseen, and what else is odd between epochs. Places where stamps
    start anew are added to *resets*."""
    missing: list[_Missing] = []
    hidden: list[_Missing] = []
    found: list[Finding] = []
    for previous, piece in zip(_furthest(pieces), pieces[1:], strict=True):
        step = piece.lo - previous.hi
        error = max(previous.error, piece.error)
        if previous.epoch == piece.epoch:
            exact = [(previous.hi, piece.lo)]
            if previous.media and piece.media:
                exact = _missing_in_all(clocks[piece.epoch], previous.media[1], piece.media[0], tolerance)
            missing += [_Missing(lo, hi, error, piece.evidence) for lo, hi in exact]
            continue
        doubt = previous.after + piece.before
        runs_on = _runs_on(previous, piece, tolerance)
        if abs(step) > doubt and (turn := _turned_back(pieces, previous.epoch, piece.epoch, tolerance)):
            hidden += [_Missing(previous.hi, piece.lo, error, "wall_clock")] if step > 0 else []
            found.append(clock_step(*turn, doubt))
        elif step > doubt and runs_on:
            hidden.append(_Missing(previous.hi, piece.lo, error, "wall_clock"))
            found.append(hidden_loss(previous.hi, piece.lo, doubt))
        elif step > doubt:
            missing.append(_Missing(previous.hi, piece.lo, error, "wall_clock"))
        elif step < -doubt and runs_on:
            found.append(clock_step(previous.hi, piece.lo, doubt))
        elif step < -doubt:
            found.append(overlap(piece.lo, min(previous.hi, piece.hi)))
        elif previous.evidence != "wall_clock" and piece.evidence != "wall_clock":
            resets.append(piece.lo)
    return missing, hidden, found


def _leading(pieces: Sequence[Piece], previous: Timeline | None, tolerance: Tolerance) -> list[_Missing]:
    """What is missing between the end of *previous* and the first piece: by the media clock if it runs through both."""
    before = [
        piece for epoch in (settled(previous)[0].epochs if previous else ()) for piece in pieces_of(-1, Clock(epoch))
    ]
    if not before or not pieces:
        return []
    last, first = max(before, key=lambda piece: piece.hi), pieces[0]
    step, doubt, error = first.lo - last.hi, last.after + first.before, max(last.error, first.error)
    if last.stamps is not None and first.stamps is not None:
        exact = unwrap_33(first.stamps[0] - last.stamps[1])
        if abs(exact - step) <= doubt:
            slack = tolerance.across_files_ms * TICKS_PER_MS
            return [_Missing(first.lo - exact, first.lo, error, "media_clock")] if exact > slack else []
    return [_Missing(last.hi, first.lo, error, "wall_clock")] if step > doubt else []


def _furthest(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """For each piece but the first, the one before it that ends last; of those that end together, the one on its own clock."""
    ends: list[Piece] = []
    for piece, following in itertools.pairwise(pieces):
        if ends and piece.hi == ends[0].hi:
            ends.append(piece)
        elif not ends or piece.hi > ends[0].hi:
            ends = [piece]
        yield next((end for end in ends if end.epoch == following.epoch), ends[0])


def _runs_on(previous: Piece, piece: Piece, tolerance: Tolerance) -> bool:
    if previous.stamps is None or piece.stamps is None:
        return False
    return abs(unwrap_33(piece.stamps[0] - previous.stamps[1])) <= tolerance.across_files_ms * TICKS_PER_MS


def _turned_back(pieces: Sequence[Piece], early: int, late: int, tolerance: Tolerance) -> tuple[int, int] | None:
    """Where all of an *early* epoch continues the stamps of a *late* one, whose clock was put back further than all of it
    lasts: the end of the late one and the start of the early one."""
    first = next(piece for piece in pieces if piece.epoch == early)
    last = max((piece for piece in pieces if piece.epoch == late), key=lambda piece: piece.hi)
    return (last.hi, first.lo) if _runs_on(last, first, tolerance) else None


def _missing_in_all(clock: Clock, lo: int, hi: int, tolerance: Tolerance) -> list[tuple[int, int]]:
    """The parts of ``lo`` to ``hi`` (of the media clock) that no other stream covers either, beyond the tolerance; on the
    wall, as long as the media clock says."""
    streams = clock.epoch.streams
    parts = [(lo, hi)]
    for name, spans in streams.items():
        if name != reference(streams):
            parts = [left for part in parts for left in _uncovered(part, spans, tolerance)]
    return [(clock.wall(a), clock.wall(a) + b - a) for a, b in parts]


def _uncovered(part: tuple[int, int], spans: Sequence[Span], tolerance: Tolerance) -> list[tuple[int, int]]:
    slack = tolerance.across_files_ms * TICKS_PER_MS
    lo, hi = part
    left = []
    for span in spans:
        start, end = max(part[0], span.lo), min(part[1], span.hi)
        if end - start > slack:
            left.append((lo, start))
            lo = end
    return [(a, b) for a, b in [*left, (lo, hi)] if b - a > slack or (a, b) == part]


# Runs and gaps.


def _merged(items: Sequence[_Missing]) -> list[_Missing]:
    """Sorted, with those that touch as one; the stronger evidence names it."""
    merged: list[_Missing] = []
    for item in sorted(items):
        last = merged[-1] if merged else None
        if last is not None and item.lo <= last.hi:
            evidence = last.evidence if last.evidence != "wall_clock" else item.evidence
            merged[-1] = _Missing(last.lo, max(last.hi, item.hi), max(last.error, item.error), evidence)
        else:
            merged.append(item)
    return merged


def _gap(missing: _Missing) -> Gap:
    return Gap(
        start=wall_ms(missing.lo),
        end=wall_ms(missing.hi),
        size_ms=(missing.hi - missing.lo + TICKS_PER_MS // 2) // TICKS_PER_MS,
        error_ms=-(-missing.error // TICKS_PER_MS),
        evidence=missing.evidence,
        state="open",
    )


def _runs(pieces: Sequence[Piece], absent: Sequence[_Missing]) -> tuple[Run, ...]:
    """From the first piece to the last, without what is absent."""
    if not pieces:
        return ()
    runs = []
    lo, end = pieces[0].lo, max(piece.hi for piece in pieces)
    for item in [*sorted(absent), _Missing(end, end, 0, "none")]:
        hi = min(item.lo, end)
        if hi > lo:
            files = sum(piece.files for piece in pieces if piece.lo < hi and piece.hi > lo)
            runs.append(Run(start=wall_ms(lo), end=wall_ms(hi), segments=files))
        lo = max(lo, item.hi)
    return tuple(runs)
