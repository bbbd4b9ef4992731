"""Drift: how a wall clock moves against a media clock, told from what files claim.

A file's claimed start gives an *offset*: wall time minus media time. Offsets against a steady clock lie on a line, whose
slope is the drift; a step in them, while stamps run on, is time that passed unseen (the wall clock is ahead) or a clock
that was set. The alarm is on the step, never on the slope: camera clocks drift by about 20 ppm, poor ones by 500 ppm
(43 s a day), 3200 ppm is the worst reported. The rules:

1. An error bar is the claim's own, and at least half of the policy's for a wall clock.
2. The slope is the median slope of all pairs (Theil and Sen), which a quarter of wrong claims does not move.
3. One steady clock explains all if a slope exists by which any two claims agree within their bars. Those slopes are the
   drift's uncertainty, exactly; a drift is said to be when none of them is zero. Then nothing is a step.
4. Else a step is where the claims on either side (medians of eight, the surest alone) differ by more than both error bars
   once the slope of close pairs is taken off, which few of them straddle. One wrong claim between right ones is therefore
   none. What lies on either side is judged alone. Fewer than eight claims tell no drift beyond 500 ppm.

What is found, for names in whole seconds (bars of 1 s) and for claims give or take 5 s:

| what happens to stamps that run on | bars of 1 s | bars of 5 s |
|---|---|---|
| a re-stamped cut, a clock that is set | beyond 2 s, at the latest from 4 s on | beyond 10 s, from 20 s on |
| drift in an hour, in a day | beyond 556 ppm, 23 ppm | beyond 2778 ppm, 116 ppm |
| 500 ppm through a day | 43 s of drift, no step, nothing lost | the same |
| a cut of 10 s within such a drift, with or against it | found | not found |

State is bounded: of all claims one is kept in each of at most 64 equal stretches of media time, the surest, then the
earliest. Which claims are kept does not depend on the order in which they came, until the recording has ended.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

MOST_PPM: Final = 500
"""What the clocks of cheap recorders drift by at most."""
LOSS_PPM: Final = 5000
"""Faster than any clock drifts: time is being lost bit by bit."""

_MOST_TIES: Final = 64
_WIDEST_BITS: Final = 33
"""A turn of a 33-bit clock: stretches are cut at its multiples, wherever counting began."""
_BESIDE: Final = 8
"""Claims on one side that are asked for the level there; and so many on one line are no accident, however steep it is."""


class Tie(NamedTuple):
    """One claim: at position ``at`` the wall clock is ``offset`` ahead, give or take ``error``. The surest is the least."""

    error: int
    at: int
    offset: int


class Ties(NamedTuple):
    """The claims kept of a clock, by position; one in each stretch of ``2**bits`` ticks."""

    bits: int = 0
    kept: tuple[Tie, ...] = ()


NO_TIES: Final = Ties()


def tied(ties: Ties, added: Ties, origin: int) -> Ties:
    """*ties* with those *added*. Both count from *origin*."""
    bits = max(ties.bits, added.bits)
    kept = ties.kept if ties.bits == bits else _thinned(ties.kept, bits, origin)
    for tie in added.kept:
        kept = _with(kept, tie, bits, origin)
        while len(kept) > _MOST_TIES and bits < _WIDEST_BITS:
            bits += 1
            kept = _thinned(kept, bits, origin)
    return Ties(bits, kept)


def rested(ties: Ties) -> Ties:
    """*ties* of an ended recording: where they all agree on one offset, the surest says as much."""
    lowest = max((tie.offset - tie.error for tie in ties.kept), default=0)
    highest = min((tie.offset + tie.error for tie in ties.kept), default=0)
    return ties if lowest > highest or not ties.kept else Ties(ties.bits, (min(ties.kept),))


def _with(kept: tuple[Tie, ...], tie: Tie, bits: int, origin: int) -> tuple[Tie, ...]:
    stretch = origin + tie.at >> bits
    index = bisect_left(kept, tie.at, key=_position)
    for beside in (index - 1, index):
        if 0 <= beside < len(kept) and origin + kept[beside].at >> bits == stretch:
            return kept if kept[beside] <= tie else (*kept[:beside], tie, *kept[beside + 1 :])
    return (*kept[:index], tie, *kept[index:])


def _thinned(kept: tuple[Tie, ...], bits: int, origin: int) -> tuple[Tie, ...]:
    return tuple(min(group) for _, group in itertools.groupby(kept, key=lambda tie: origin + tie.at >> bits))


def _position(tie: Tie) -> int:
    return tie.at


# What they say.


class Pace(NamedTuple):
    """How much the wall clock gains on the media clock, per unit of media time: somewhere from ``least`` to ``most``."""

    least: Fraction
    slope: Fraction
    most: Fraction

    @property
    def drifts(self) -> bool:
        return self.least > 0 or self.most < 0

    @property
    def ppm(self) -> int:
        return round(self.slope * 1_000_000)

    @property
    def error_ppm(self) -> int:
        return max(1, -(-max(self.most - self.slope, self.slope - self.least) * 1_000_000 // 1))


class Stretch(NamedTuple):
    """Claims by which one steady clock runs. ``offset`` is the wall clock's lead at ``at``."""

    first: int
    last: int
    pace: Pace
    at: int
    offset: int


class Step(NamedTuple):
    """Between positions ``lo`` and ``hi`` the wall clock moves by ``size`` (ahead if positive), give or take ``error``."""

    lo: int
    hi: int
    size: int
    error: int


@lru_cache(maxsize=512)  # an ended recording's claims are looked at for each of its neighbours
def stretches(ties: tuple[Tie, ...]) -> tuple[tuple[Stretch, ...], tuple[Step, ...]]:
    """Steady stretches in order, and the steps between them. *ties* are in order of position, at least one."""
    pace = _pace(ties)
    index = None if _steady(ties, pace) else _worst(ties)
    if index is None:
        return (_stretch(ties, pace),), ()
    before, after = stretches(ties[:index]), stretches(ties[index:])
    return before[0] + after[0], (*before[1], _step(ties, index), *after[1])


def lead(found: Sequence[Stretch], at: int) -> int:
    """The wall clock's lead at a position: by the line of its stretch where the clock drifts."""
    stretch = next((part for part in reversed(found) if part.first <= at), found[0])
    slope = stretch.pace.slope if stretch.pace.drifts else Fraction(0)
    return stretch.offset + round(slope * (at - stretch.at))


def _pace(ties: Sequence[Tie]) -> Pace:
    slopes, least, most = [], Fraction(-1), Fraction(1)
    for a, b in itertools.combinations(ties, 2):
        apart, bars = b.at - a.at, a.error + b.error
        if apart:
            slopes.append(Fraction(b.offset - a.offset, apart))
            least = max(least, Fraction(b.offset - a.offset - bars, apart))
            most = min(most, Fraction(b.offset - a.offset + bars, apart))
    slope = sorted(slopes)[(len(slopes) - 1) // 2] if slopes else Fraction(0)
    return Pace(least, min(max(slope, least), most) if least <= most else slope, most)


def _limit(ties: Sequence[Tie]) -> Fraction:
    return Fraction(LOSS_PPM if len(ties) >= _BESIDE else MOST_PPM, 1_000_000)


def _steady(ties: Sequence[Tie], pace: Pace) -> bool:
    limit = Fraction(1) if len(ties) >= _BESIDE else _limit(ties)
    return max(pace.least, -limit) <= min(pace.most, limit)


def _worst(ties: Sequence[Tie]) -> int | None:
    """The first claim after the greatest step that lasts."""
    slope, found = _close_slope(ties), []
    for index in range(1, len(ties)):
        size, error = _across(ties, index, slope)
        if abs(size) > error:
            a, b = ties[index - 1], ties[index]
            found.append((abs(b.offset - a.offset - slope * (b.at - a.at)), -index))
    return -max(found)[1] if found else None


def _close_slope(ties: Sequence[Tie]) -> Fraction:
    """The median slope of pairs so close that few lie across a step."""
    reach = max(1, len(ties) // _BESIDE)
    pairs = [(a, b) for lag in range(1, reach + 1) for a, b in zip(ties, ties[lag:], strict=False) if b.at > a.at]
    slopes = sorted(Fraction(b.offset - a.offset, b.at - a.at) for a, b in pairs)
    limit = _limit(ties)
    return min(max(slopes[(len(slopes) - 1) // 2], -limit), limit) if slopes else Fraction(0)


def _across(ties: Sequence[Tie], index: int, slope: Fraction) -> tuple[Fraction, int]:
    before, error = _level(ties[max(0, index - _BESIDE) : index], slope)
    after, other = _level(ties[index : index + _BESIDE], slope)
    return after - before, error + other


def _step(ties: Sequence[Tie], index: int) -> Step:
    size, error = _across(ties, index, _close_slope(ties))
    return Step(ties[index - 1].at, ties[index].at, round(size), error)


def _level(ties: Sequence[Tie], slope: Fraction) -> tuple[Fraction, int]:
    """The median lead of the surest of *ties* once *slope* is taken off, and their error bar."""
    error = min(tie.error for tie in ties)
    leads = sorted(tie.offset - slope * tie.at for tie in ties if tie.error == error)
    return leads[(len(leads) - 1) // 2], error


def _stretch(ties: Sequence[Tie], pace: Pace) -> Stretch:
    slope = pace.slope if pace.drifts else Fraction(0)
    at = ties[0].at
    return Stretch(at, ties[-1].at, pace, at, round(_level(ties, slope)[0] + slope * at))
