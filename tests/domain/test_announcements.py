"""Announcements: a repeat changes nothing, a hole shows until it fills."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.announcements import Island, announced, hole_before, holes_before


def came(*numbers: int) -> tuple[Island, ...]:
    """Islands after these, each of a recording named after its number."""
    islands: tuple[Island, ...] = ()
    for number in numbers:
        islands = announced(islands, number, f"r{number}") or islands
    return islands


def test_numbers_that_follow_each_other_are_one_island_of_the_first_ones_recording() -> None:
    assert came(1, 2, 3) == (Island(1, 3, "r1"),)


def test_a_repeat_is_told_from_news() -> None:
    assert announced(came(1, 2, 3), 2, "r2") is None
    assert announced(came(1, 2, 3), 4, "r4") is not None


def test_a_number_between_two_islands_joins_them() -> None:
    assert came(1, 3, 2) == (Island(1, 3, "r1"),)


def test_a_number_before_an_island_begins_it() -> None:
    assert came(1, 4, 3) == (Island(1, 1, "r1"), Island(3, 4, "r3"))


def test_a_hole_is_found_when_a_later_number_comes_and_only_then() -> None:
    behind = hole_before(came(1), 4)

    assert behind is not None
    assert (behind.expected, behind.count) == ("announcement 2 to 3", 2)
    assert hole_before(came(1), 2) is None
    assert hole_before(came(1, 6), 4) is None


def test_a_connectors_first_number_is_one() -> None:
    assert hole_before((), 1) is None
    found = hole_before((), 2)
    assert found is not None
    assert found.expected == "announcement 1"


def test_a_hole_belongs_to_the_recording_after_it() -> None:
    connectors = {"dock": came(1, 4)}

    (hole,) = holes_before(connectors, "r4")

    assert (hole.count, hole.found) == (2, "the later ones of dock")
    assert list(holes_before(connectors, "r1")) == []


@given(order=st.permutations(range(1, 9)))
def test_any_order_of_all_numbers_leaves_no_hole(order: list[int]) -> None:
    (island,) = came(*order)

    assert (island.first, island.last) == (1, 8)
