"""Spans: disjoint, rising [start, end) pairs of whole numbers in one unit, and what several lists of them leave of each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Spans = Sequence[tuple[int, int]]
"""Disjoint and rising."""


def joined(pieces: Iterable[tuple[int, int]], slack: int = 0) -> list[tuple[int, int]]:
    """*pieces* in any order as spans; those at most *slack* apart are one.

    >>> joined([(5, 7), (0, 4)], slack=1)
    [(0, 7)]
    """
    spans: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if spans and start - spans[-1][1] <= slack:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def both(left: Spans, right: Spans) -> Iterator[tuple[int, int]]:
    """What lies in *left* and in *right*."""
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            yield start, end
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1


def without(spans: Spans, holes: Spans) -> Iterator[tuple[int, int]]:
    """What *holes* leave of *spans*."""
    first = 0
    for start, end in spans:
        while first < len(holes) and holes[first][1] <= start:
            first += 1
        number = first
        while number < len(holes) and holes[number][0] < end:
            if holes[number][0] > start:
                yield start, holes[number][0]
            start = max(start, holes[number][1])
            number += 1
        if start < end:
            yield start, end
