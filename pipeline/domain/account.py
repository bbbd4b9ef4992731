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

Rules: 1. A gap means that all streams are missing; one stream missing while another runs is a partial gap. 2. A hole
inside a file stays a gap even if another file overlaps it: the overlap stands beside it. 3. An epoch whose offsets grow
as fast as its wall time, and whose stamps double, has files that restart them: it is read by the wall clock. 4. Dates
that cannot be right (:mod:`~pipeline.domain.dates`) place nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from pipeline.domain.dates import doubled, said, settled
from pipeline.domain.drift import LOSS_PPM, Step, Stretch, lead, stretches
from pipeline.domain.findings import Evidence, Finding
from pipeline.domain.media import MPEG_TS_WRAP, unwrap_33
from pipeline.domain.policy import Tolerance
from pipeline.domain.reach import Span
from pipeline.domain.time import WallMs, seconds
from pipeline.domain.timeline import TICKS_PER_MS, Epoch, Sound, Timeline, merge, reference, wall_ms

GapState = Literal["open", "explained", "unexplained"]

_HOUR: Final = 3600 * 1000 * TICKS_PER_MS
"""Summer time begins and ends by an hour; names read in the site's own zone do not move with it."""
_SHOWN_RANGES: Final = 5
_SHOWN_PARTS: Final = 16


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


class _Piece(NamedTuple):
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


class _Clock:
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
    epochs, excursions = _joined(timeline.epochs, tolerance)
    clocks = [_Clock(epoch) for epoch in epochs]
    pieces: list[_Piece] = []
    holes: list[_Missing] = []
    findings = [*said(ruling), *excursions]
    resets: list[int] = []
    if ruling == "nothing":  # a hole inside a file is there wherever the file lies
        holes = [_Missing(h.wall, h.wall + h.hi - h.lo, e.anchor.error, "media_clock") for e in untold for h in e.holes]
    for number, clock in enumerate(clocks):
        epoch, believed = clock.epoch, _believed(clock.epoch)
        pieces += _pieces(number, clock)
        for hole in epoch.holes:
            lo = clock.wall(hole.lo) if believed else hole.wall
            holes.append(_Missing(lo, lo + hole.hi - hole.lo, epoch.anchor.error, "media_clock"))
        if believed:
            findings += [*_partial(clock, tolerance), *_drift(clock)]
        elif epoch.clock != "wall":
            resets += [epoch.origin + epoch.walls[0].lo] * (_files(epoch) - 1)
    pieces.sort()
    missing, hidden, seen = _between(pieces, clocks, tolerance, resets)
    gaps = _merged([*_leading(pieces, previous, tolerance), *missing, *holes])
    findings += [*seen, *_overlaps(pieces, tolerance), *_shortened(pieces), *_numbers(timeline), *_formats(timeline)]
    findings += _silent(timeline.sound)
    if resets:
        findings.append(_reset(len(resets), min(resets)))
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


def extent(timeline: Timeline) -> tuple[int, int] | None:
    """Start and end on the wall clock, in ms; ``None`` if nothing is placed."""
    pieces = [piece for epoch in settled(timeline)[0].epochs for piece in _pieces(0, _Clock(epoch))]
    if not pieces:
        return None
    return wall_ms(min(piece.lo for piece in pieces)), wall_ms(max(piece.hi for piece in pieces))


# Epochs to pieces.


def _believed(epoch: Epoch) -> bool:
    return epoch.clock != "wall" and not _restarts(epoch)


def _pieces(number: int, clock: _Clock) -> Iterator[_Piece]:
    return _exact_pieces(number, clock) if _believed(clock.epoch) else _wall_pieces(number, clock.epoch)


def _restarts(epoch: Epoch) -> bool:
    """Whether the stamps start anew in every file: they double, and the offsets spread as far as the wall times do."""
    if epoch.clock != "ts" or not epoch.walls or not any(map(doubled, epoch.streams[reference(epoch.streams)])):
        return False
    return _spread(epoch) > 0 and _is_useless(epoch)


def _is_useless(epoch: Epoch) -> bool:
    """Whether the wall clock tells something else than the stamps all the time."""
    return 2 * (epoch.offsets.hi - epoch.offsets.lo) > epoch.walls[-1].hi - epoch.walls[0].lo


def _spread(epoch: Epoch) -> int:
    """By how much the offsets differ beyond their error bars."""
    return epoch.offsets.hi - epoch.offsets.lo - epoch.offsets.before - epoch.offsets.after


def _files(epoch: Epoch) -> int:
    return sum(span.files for span in epoch.walls)


def _exact_pieces(number: int, clock: _Clock) -> Iterator[_Piece]:
    epoch = clock.epoch
    doubt = max(epoch.anchor.error, min(epoch.offsets.before, epoch.offsets.after))
    evidence: Evidence = "media_clock" if epoch.clock == "ts" else "identity"
    for span in epoch.streams[reference(epoch.streams)]:
        stamps = (epoch.origin + span.lo, epoch.origin + span.hi) if epoch.clock == "ts" else None
        yield _Piece(
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


def _wall_pieces(number: int, epoch: Epoch) -> Iterator[_Piece]:
    spans = epoch.streams["all"] if epoch.clock == "wall" else epoch.walls
    for lo, hi, before, after, files, held in spans:
        error = max(before, after)
        yield _Piece(
            lo + epoch.origin, hi + epoch.origin, error, before, after, number, "wall_clock", None, None, files, held
        )


def _joined(epochs: Sequence[Epoch], tolerance: Tolerance) -> tuple[list[Epoch], list[Finding]]:
    """The epochs, where one whose stamps lie in a hole of another is put into it: for so long the wall clock was otherwise,
    and it came back. What is left of the hole is missing."""
    joined, found = list(epochs), []
    while fit := next(_fits(joined, tolerance.across_files_ms * TICKS_PER_MS), None):
        around, within, turns = fit
        clock, spans = _Clock(around), within.streams[reference(within.streams)]
        starts, ends = (within.origin + at for at in (spans[0].lo, spans[-1].hi))
        lo, hi = (clock.wall(at + turns - around.origin) for at in (starts, ends))
        found.append(_excursion(starts + within.anchor.offset - lo, lo, hi))
        whole = merge(around, within, turns)
        whole = whole._replace(offsets=around.offsets, anchor=around.anchor, ties=around.ties)
        joined = [whole if epoch is around else epoch for epoch in joined if epoch is not within]
    return joined, found


def _fits(epochs: Sequence[Epoch], slack: int) -> Iterator[tuple[Epoch, Epoch, int]]:
    """An epoch, another whose stamps fill a hole of it from side to side, and by how much those move to lie there. Or from
    one side, if by the wall clock it lies in that hole as well: a file that lost its end does, and its date is off by what it
    lost. Whichever clock is right, as much of the hole is missing."""
    running = [epoch for epoch in epochs if epoch.clock == "ts" and _believed(epoch)]
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


# Between pieces.


def _between(
    pieces: Sequence[_Piece], clocks: Sequence[_Clock], tolerance: Tolerance, resets: list[int]
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
            found.append(_clock_step(*turn, doubt))
        elif step > doubt and runs_on:
            hidden.append(_Missing(previous.hi, piece.lo, error, "wall_clock"))
            found.append(_hidden_loss(previous.hi, piece.lo, doubt))
        elif step > doubt:
            missing.append(_Missing(previous.hi, piece.lo, error, "wall_clock"))
        elif step < -doubt and runs_on:
            found.append(_clock_step(previous.hi, piece.lo, doubt))
        elif step < -doubt:
            found.append(_overlap(piece.lo, min(previous.hi, piece.hi)))
        elif previous.evidence != "wall_clock" and piece.evidence != "wall_clock":
            resets.append(piece.lo)
    return missing, hidden, found


def _leading(pieces: Sequence[_Piece], previous: Timeline | None, tolerance: Tolerance) -> list[_Missing]:
    """What is missing between the end of *previous* and the first piece: by the media clock if it runs through both."""
    before = [
        piece for epoch in (settled(previous)[0].epochs if previous else ()) for piece in _pieces(-1, _Clock(epoch))
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


def _furthest(pieces: Sequence[_Piece]) -> Iterator[_Piece]:
    """For each piece but the first, the one before it that ends last."""
    best = pieces[0] if pieces else None
    for piece in pieces[:-1]:
        if best is None or piece.hi > best.hi:
            best = piece
        yield best


def _runs_on(previous: _Piece, piece: _Piece, tolerance: Tolerance) -> bool:
    if previous.stamps is None or piece.stamps is None:
        return False
    return abs(unwrap_33(piece.stamps[0] - previous.stamps[1])) <= tolerance.across_files_ms * TICKS_PER_MS


def _turned_back(pieces: Sequence[_Piece], early: int, late: int, tolerance: Tolerance) -> tuple[int, int] | None:
    """Where all of an *early* epoch continues the stamps of a *late* one, whose clock was put back further than all of it
    lasts: the end of the late one and the start of the early one."""
    first = next(piece for piece in pieces if piece.epoch == early)
    last = max((piece for piece in pieces if piece.epoch == late), key=lambda piece: piece.hi)
    return (last.hi, first.lo) if _runs_on(last, first, tolerance) else None


def _missing_in_all(clock: _Clock, lo: int, hi: int, tolerance: Tolerance) -> list[tuple[int, int]]:
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


def _partial(clock: _Clock, tolerance: Tolerance) -> Iterator[Finding]:
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


def _alone(clock: _Clock, parts: Sequence[tuple[int, int]], name: str, other: str, index: int) -> Iterator[Finding]:
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


def _overlaps(pieces: Sequence[_Piece], tolerance: Tolerance) -> Iterator[Finding]:
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


def _shortened(pieces: Sequence[_Piece]) -> Iterator[Finding]:
    """Files that a wall clock alone puts one after the other, each hole too short for it to tell, and that are together
    shorter than the time they lie in by more than its error bars and any drift."""
    for piece in pieces:
        lost = piece.length - piece.held
        if piece.evidence == "wall_clock" and lost > piece.before + piece.after + piece.length * LOSS_PPM // 1_000_000:
            found = f"{_seconds(lost)} less in {piece.files} files than time passes, each hole too short for the clock to place"
            yield _unseen(found, piece.lo, piece.hi, lost)


def _drift(clock: _Clock) -> Iterator[Finding]:
    """What the claims within one epoch say against its media clock."""
    epoch = clock.epoch
    if _spread(epoch) > 0 and _is_useless(epoch) and any(map(doubled, epoch.walls)):
        lo, hi = epoch.walls[0].lo + epoch.origin, epoch.walls[-1].hi + epoch.origin
        found = f"files that lie within each other by it, off by {_seconds(_spread(epoch))} or more while stamps run on"
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


def _hidden_loss(lo: int, hi: int, doubt: int) -> Finding:
    # An hour is told as what it may be and stays in doubt: an hour that was cut out looks the same.
    hour = "; an hour, as when summer time begins" if abs(hi - lo - _HOUR) <= doubt else ""
    found = f"stamps that run on while the wall clock moved {_seconds(hi - lo)}{hour}"
    return _unseen(found, lo, hi)


def _unseen(found: str, lo: int, hi: int, size: int | None = None) -> Finding:
    return _finding("hidden_loss", "degradation", "wall_clock", "as much media as time", found, lo, hi, size)


def _clock_step(lo: int, hi: int, doubt: int) -> Finding:
    hour = "; an hour, as when summer time ends" if abs(lo - hi - _HOUR) <= doubt else ""
    found = f"a step back by {_seconds(lo - hi)} while stamps run on{hour}"
    return _set_back(found, hi, lo)


def _set_back(found: str, lo: int, hi: int, size: int | None = None) -> Finding:
    return _finding("clock_step", "note", "wall_clock", "a wall clock that only advances", found, lo, hi, size)


def _excursion(away: int, lo: int, hi: int) -> Finding:
    where = "ahead" if away > 0 else "behind"
    found = f"{_seconds(abs(away))} {where} for {_seconds(hi - lo)} and back, while stamps run on"
    return _finding("clock_step", "note", "wall_clock", "a wall clock that runs evenly", found, lo, hi, abs(away))


def _overlap(lo: int, hi: int) -> Finding:
    return _finding("overlap", "note", "wall_clock", "each instant once", f"{_seconds(hi - lo)} twice", lo, hi)


def _reset(count: int, at: int) -> Finding:
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


def _runs(pieces: Sequence[_Piece], absent: Sequence[_Missing]) -> tuple[Run, ...]:
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
