"""Reach: which spans are one depends on the spans alone; how they are kept shows in no answer."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.reach import NUMBERS_A_LEAF, TICKS_A_LEAF, Leaves, Span, flat, shifted, touched, union

STRETCH = 16
spans = st.builds(
    lambda lo, length, reach: Span(lo, lo + length, reach, reach, 1, length),
    st.integers(-100, 100),
    st.integers(0, 40),
    st.integers(0, 3),
)


def one_by_one(added: list[Span]) -> list[tuple[int, int, int, int]]:
    """Spans, files and held ticks by comparing each with each until nothing touches."""
    kept = [(span.lo - span.before, span.hi + span.after, span.lo, span.hi, span.files, span.held) for span in added]
    while pair := next(((a, b) for a in kept for b in kept if a is not b and a[0] <= b[1] and b[0] <= a[1]), None):
        a, b = pair
        kept = [one for one in kept if one is not a and one is not b]
        kept.append((min(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), max(a[3], b[3]), a[4] + b[4], a[5] + b[5]))
    return sorted((lo, hi, files, held) for _, _, lo, hi, files, held in kept)


@given(st.lists(spans, max_size=30), st.randoms())
def test_spans_are_those_of_comparing_each_with_each_in_any_order(added: list[Span], random: Random) -> None:
    shuffled = sorted(added, key=lambda _span: random.random())

    leaves = union((), added, STRETCH)

    assert union((), shuffled, STRETCH) == leaves
    assert [(span.lo, span.hi, span.files, span.held) for span in flat(leaves)] == one_by_one(added)


@given(st.lists(spans, max_size=30))
def test_each_leaf_holds_the_spans_of_one_stretch_and_none_is_empty(added: list[Span]) -> None:
    leaves = union((), added, STRETCH)

    begins = [{span.lo // STRETCH for span in leaf} for leaf in leaves]
    assert all(len(stretches) == 1 for stretches in begins)
    assert sorted(stretch for (stretch,) in begins) == [stretch for (stretch,) in begins]
    assert len({stretch for (stretch,) in begins}) == len(begins)


@given(st.lists(spans, max_size=30), spans)
def test_what_a_span_touches_is_what_it_would_join(added: list[Span], new: Span) -> None:
    leaves = union((), added, STRETCH)

    earlier, met = touched(leaves, new)

    before = flat(leaves)
    after = flat(union(leaves, (new,), STRETCH))
    assert len(after) == len(before) - len(met) + 1
    assert set(before) - set(after) == set(met) - set(after)
    place = before.index(met[0]) if met else sum(span.lo < new.lo for span in before)
    assert earlier == (before[place - 1] if place else None)


@pytest.mark.parametrize(("apart", "count"), [(-1, 1), (0, 1), (1, 2)])
def test_spans_are_one_when_their_reaches_touch_across_a_leaf(apart: int, count: int) -> None:
    early, late = Span(0, STRETCH - 3, 2, 2), Span(STRETCH + 1 + apart, 40, 2, 2)

    found = flat(union((), (late, early), STRETCH))

    assert len(found) == count


def test_half_a_day_of_files_is_kept_in_leaves_of_a_few_hundred() -> None:
    length, leaves = 180_000, Leaves()

    for number in range(0, 43_200, 2):
        leaves = union(leaves, shifted((Span(0, length, 10, 10, 1, length),), number * length))

    assert len(leaves) == 43_198 * length // TICKS_A_LEAF + 1
    assert max(map(len, leaves)) == TICKS_A_LEAF // (2 * length) + 1
    assert len(flat(union((), (Span(n, n + 1, 0, 0) for n in range(2 * NUMBERS_A_LEAF)), NUMBERS_A_LEAF))) == 1
