"""Cases: files with their claims, and the truth that follows from how they were cut.

The truth is stated as the policy states it (``pipeline/policy.toml``): time that every stream misses for more than 250 ms
and three of its intervals is a gap, what one misses while another runs is a partial gap, less is dropped frames. Which
packets are missing is known because they were left out here: :func:`missing_of` compares a reel with what was kept of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from tests.corpus.reels import Reel

BASE_MS: Final = 1_795_500_000_000
"""2026-11-24T06:00:00Z: when every case's recording began."""
_GAP_S: Final = Fraction(250, 1000)
_GAP_FRAMES: Final = 3

Spans = list[tuple[Fraction, Fraction]]


class Expected(NamedTuple):
    """Something that must be found: one of ``kinds``, so long (``size_s``), there (``at_s``, since the first picture).
    ``slack_s``: how far both may be off, a frame unless only a wall clock can tell. ``missing``: frames, packets or files."""

    kinds: frozenset[str]
    level: str
    size_s: Fraction | None = None
    at_s: Fraction | None = None
    slack_s: Fraction = Fraction(1, 25)
    stream: int | None = None
    missing: int | None = None
    frames: int = 1


class File(NamedTuple):
    """One file: its name claims what it claims; ``mtime_ms`` is its date."""

    name: str
    data: bytes
    mtime_ms: int = BASE_MS


@dataclass(frozen=True, slots=True)
class Case:
    """``klass`` is the line of the table it counts in. ``notes``: kinds of notes that may stand beside what is expected.
    ``also``: what the damage may truly have cost besides. ``numbered``: the names' last numbers count the files."""

    name: str
    klass: str
    files: tuple[File, ...]
    verdict: str
    expected: tuple[Expected, ...] = ()
    notes: frozenset[str] = frozenset()
    numbered: bool = False
    reel: str = ""
    form: str = ""
    also: frozenset[str] = frozenset()


def gap(size_s: Fraction, at_s: Fraction | None, slack_s: Fraction = Fraction(1, 25)) -> Expected:
    return Expected(frozenset({"gap"}), "interruption", size_s, at_s, slack_s)


def degradation(kind: str, **more: object) -> Expected:
    return Expected(frozenset({kind}), "degradation", **more)  # type: ignore[arg-type]  # names of its fields


def note(kind: str, **more: object) -> Expected:
    return Expected(frozenset({kind}), "note", **more)  # type: ignore[arg-type]  # names of its fields


def verdict_of(expected: Iterable[Expected]) -> str:
    levels = {item.level for item in expected}
    return "interrupted" if "interruption" in levels else "degraded" if "degradation" in levels else "continuous"


def missing_of(whole: Reel, kept: Reel, zero_s: Fraction | None = None) -> tuple[Expected, ...]:
    """What must be found in a file of *kept*, which lacks packets of *whole*. *zero_s*: where the recording begins, the
    first kept sample of the reference stream unless given."""
    order = sorted({sample.stream for sample in kept.samples})
    zero = kept.s(kept.of(whole.reference if whole.reference in order else order[0])[0]) if zero_s is None else zero_s
    holes = {stream: _holes(whole, kept, stream) for stream in order}
    long = {stream: [hole for hole in holes[stream] if _is_long(whole, stream, hole)] for stream in order}
    ends = {stream: _ends(whole, kept, stream) for stream in order}
    lo, hi = min(a for a, _ in ends.values()), max(b for _, b in ends.values())
    common: Spans = [(lo, hi)]
    for stream in order:
        first, last = ends[stream]
        common = list(_both(common, [(lo, first), *long[stream], (last, hi)]))
    gaps = [(a, b) for a, b in common if b - a > _GAP_S]
    found = [gap(b - a, a - zero, _slack(whole, order)) for a, b in gaps]
    for stream in order:
        frame = whole.tracks[stream].frame_s
        for hole in long[stream]:
            found += [
                degradation("partial_gap", size_s=b - a, at_s=a - zero, slack_s=frame, stream=stream)
                for a, b in _less(hole, gaps)
                if b - a > _GAP_S
            ]
        drops = [hole for hole in holes[stream] if hole not in long[stream]]
        if drops:
            size = sum((b - a for a, b in drops), Fraction(0))
            found.append(
                degradation(
                    "dropped_frames", size_s=size, at_s=drops[0][0] - frame - zero, slack_s=frame * len(drops),
                    stream=stream, missing=round(size / frame), frames=len(drops),
                )
            )  # fmt: skip
    return tuple(found)


def _slack(reel: Reel, streams: Sequence[int]) -> Fraction:
    return max(reel.tracks[stream].frame_s for stream in streams)


def _is_long(reel: Reel, stream: int, hole: tuple[Fraction, Fraction]) -> bool:
    return hole[1] - hole[0] > max(_GAP_S, _GAP_FRAMES * reel.tracks[stream].frame_s)


def _ends(whole: Reel, kept: Reel, stream: int) -> tuple[Fraction, Fraction]:
    times = kept.of(stream)
    return kept.s(times[0]), kept.s(times[-1]) + whole.tracks[stream].frame_s


def _holes(whole: Reel, kept: Reel, stream: int) -> Spans:
    """From the first sample left out to the next one kept, inside what was kept."""
    have = {sample.pts for sample in kept.of(stream)}
    first, last = min(have), max(have)
    inside = [sample for sample in whole.of(stream) if first <= sample.pts <= last]
    runs = [(present, list(group)) for present, group in itertools.groupby(inside, lambda s: s.pts in have)]
    return [
        (whole.s(lost[0]), whole.s(after[0]))
        for (_, _), (present, lost), (_, after) in zip(runs, runs[1:], runs[2:], strict=False)
        if not present
    ]


def _both(left: Spans, right: Spans) -> Iterable[tuple[Fraction, Fraction]]:
    for a, b in left:
        for c, d in right:
            if max(a, c) < min(b, d):
                yield max(a, c), min(b, d)


def _less(span: tuple[Fraction, Fraction], gaps: Spans) -> Spans:
    parts = [span]
    for lo, hi in gaps:
        parts = [p for a, b in parts for p in ((a, min(b, lo)), (max(a, hi), b)) if p[0] < p[1]]
    return parts
