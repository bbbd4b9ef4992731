"""Spans: joining, common parts and what is left, as if every unit were looked at by itself."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.spans import both, joined, without

PIECES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 9)).map(lambda piece: (piece[0], sum(piece))), max_size=8
)


def units(spans: Iterable[tuple[int, int]]) -> set[int]:
    return {unit for start, end in spans for unit in range(start, end)}


@pytest.mark.parametrize(("apart", "count"), [(0, 1), (1, 1), (2, 2)])
def test_pieces_at_most_the_slack_apart_are_one_span(apart: int, count: int) -> None:
    spans = joined([(4 + apart, 8), (0, 4)], slack=1)

    assert (count, 0, 8) == (len(spans), spans[0][0], spans[-1][1])


@given(PIECES)
def test_spans_are_disjoint_and_rise_whatever_order_the_pieces_came_in(pieces: list[tuple[int, int]]) -> None:
    spans = joined(pieces)

    edges = [edge for span in spans for edge in span]
    assert (sorted(set(edges)), units(pieces)) == (edges, units(spans))


@given(PIECES, PIECES)
def test_common_and_remaining_parts_are_those_of_each_unit(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    left, right = joined(one), joined(two)

    common, rest = list(both(left, right)), list(without(left, right))

    assert (units(one) & units(two), units(one) - units(two)) == (units(common), units(rest))
    assert joined(rest) == rest
