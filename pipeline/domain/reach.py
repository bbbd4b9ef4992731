"""Reach: spans that become one when their reaches touch, kept so that adding one costs the same however many there are.

A span's reach is a property of itself alone, so which spans are one does not depend on the order in which they were added.
Reaches of spans that are kept never touch, so both their ends ascend.

Spans are kept in leaves, each with those that begin within one stretch of the line. A day of two-second files that
arrive in any order is at times ten thousand spans, and a tuple of so many would be copied whole for each file; of leaves, one
small one and their list are. Where the stretches begin is fixed, so equal spans are equal leaves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import chain
from typing import Final, NamedTuple

TICKS_A_LEAF: Final = 1 << 26
"""Some twelve minutes of 90 kHz ticks: a day is 116 leaves."""
NUMBERS_A_LEAF: Final = 1 << 9


class Span(NamedTuple):
    """``lo`` to ``hi`` is covered; ``before`` and ``after`` is how much further it reaches for neighbours. ``files`` lie in
    it, ``held`` ticks long together (more than ``hi - lo`` where they overlap)."""

    lo: int
    hi: int
    before: int
    after: int
    files: int = 1
    held: int = 0


Leaves = tuple[tuple[Span, ...], ...]
"""Spans by the stretch in which they begin; none is empty."""


def flat(leaves: Leaves) -> tuple[Span, ...]:
    """The spans, in order."""
    return leaves[0] if len(leaves) == 1 else tuple(chain.from_iterable(leaves))


def union(leaves: Leaves, added: Iterable[Span], stretch: int = TICKS_A_LEAF) -> Leaves:
    """*leaves* with the *added* spans in them; *stretch*: how much of the line each leaf is for, always the same for these."""
    for new in added:
        leaves = _add(leaves, new, stretch)
    return leaves


def touched(leaves: Leaves, new: Span) -> tuple[Span | None, tuple[Span, ...]]:
    """The spans that the reach of *new* touches, and the last one before them."""
    first, last = _window(leaves, new, None)
    window = flat(leaves[first:last])
    start, end = _touched(window, new)
    earlier = window[start - 1] if start else leaves[first - 1][-1] if first else None
    return earlier, window[start:end]


def one(span: Span, other: Span) -> Span:
    """Both as one that reaches as far as either."""
    lo, hi = min(span.lo, other.lo), max(span.hi, other.hi)
    before = lo - min(_reach_start(span), _reach_start(other))
    after = max(_reach_end(span), _reach_end(other)) - hi
    return Span(lo, hi, before, after, span.files + other.files, span.held + other.held)


def _add(leaves: Leaves, new: Span, stretch: int) -> Leaves:
    first, last = _window(leaves, new, stretch)
    spans = flat(leaves[first:last])
    start, end = _touched(spans, new)
    for span in spans[start:end]:
        new = one(new, span)
    return (*leaves[:first], *_leaves((*spans[:start], new, *spans[end:]), stretch), *leaves[last:])


def _window(leaves: Leaves, new: Span, stretch: int | None) -> tuple[int, int]:
    """The leaves that hold what *new* touches, and that of the *stretch* it begins in."""
    first = last = bisect_left(leaves, ((new.lo,),))
    if first:
        first -= 1
    while first and _reach_end(leaves[first - 1][-1]) >= _reach_start(new):
        first -= 1
    while last < len(leaves) and (
        _reach_start(leaves[last][0]) <= _reach_end(new)
        or (stretch and leaves[last][0].lo // stretch == new.lo // stretch)
    ):
        last += 1
    return first, last


def _leaves(spans: tuple[Span, ...], stretch: int) -> Leaves:
    found, start = [], 0
    while start < len(spans):
        stretch_end = (spans[start].lo // stretch + 1) * stretch
        end = len(spans) if spans[-1].lo < stretch_end else bisect_left(spans, (stretch_end,), start)
        found.append(spans[start:end])
        start = end
    return tuple(found)


def _touched(spans: tuple[Span, ...], new: Span) -> tuple[int, int]:
    """Which of *spans* the reach of *new* touches: from the first to before the last, at the place where it belongs."""
    first = last = bisect_left(spans, (new.lo,))
    while first and _reach_end(spans[first - 1]) >= _reach_start(new):
        first -= 1
    while last < len(spans) and _reach_start(spans[last]) <= _reach_end(new):
        last += 1
    return first, last


def _reach_start(span: Span) -> int:
    return span.lo - span.before


def _reach_end(span: Span) -> int:
    return span.hi + span.after


def shifted(spans: Iterable[Span], by: int) -> tuple[Span, ...]:
    """*spans*, all moved by so much."""
    if by == 0:
        return tuple(spans)
    return tuple(Span(lo + by, hi + by, *rest) for lo, hi, *rest in spans)
