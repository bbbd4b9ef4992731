"""Cadence: long intervals told apart by their neighbours."""

from __future__ import annotations

import pytest

from pipeline.domain.cadence import Cadence, Limits, walk

LIMITS = Limits(rounding=2, hole=250, hole_intervals=3)


def of(*runs: tuple[int, int]) -> Cadence:
    """Runs of (interval, count) from 0 on."""
    starts = [sum(interval * count for interval, count in runs[:i]) for i in range(len(runs))]
    return Cadence(starts=starts, intervals=[run[0] for run in runs], counts=[run[1] for run in runs])


def test_a_hole_begins_where_the_last_frame_ends() -> None:
    found = walk(of((40, 100), (1_040, 1), (40, 100)), LIMITS)

    assert found.holes == [(4_040, 5_040)]
    assert found.median == 40


@pytest.mark.parametrize(("long", "kind"), [(289, "drops"), (290, "drops"), (291, "holes")])
def test_a_hole_must_exceed_the_limit(long: int, kind: str) -> None:
    found = walk(of((40, 100), (long, 1), (40, 100)), LIMITS)

    assert {name: len(getattr(found, name)) for name in ("holes", "drops")} == {
        "holes": 0,
        "drops": 0,
        kind: 1,
    }


@pytest.mark.parametrize(("long", "drops"), [(59, 0), (60, 0), (61, 1)])
def test_half_a_frame_missing_is_a_drop(long: int, drops: int) -> None:
    assert len(walk(of((40, 100), (long, 1), (40, 100)), LIMITS).drops) == drops


def test_a_long_interval_next_to_a_short_one_is_jitter() -> None:
    assert walk(of((40, 50), (65, 1), (15, 1), (40, 50)), LIMITS).drops == []
    assert walk(of((40, 50), (15, 1), (65, 1), (40, 50)), LIMITS).drops == []
    assert walk(of((40, 50), (80, 1), (40, 50)), LIMITS).drops == [(2_000, 40, 1)]


@pytest.mark.parametrize(("slow", "holes"), [(3, 3), (4, 4), (9, 0), (30, 0)])
def test_some_slow_intervals_are_holes_and_many_are_another_rate(slow: int, holes: int) -> None:
    assert len(walk(of((40, 100), (1_000, slow), (40, 100)), LIMITS).holes) == holes


def test_holes_between_single_frames_are_each_found() -> None:
    runs = [(40, 100), *[(2_000, 1), (40, 2)] * 10, (40, 100)]

    assert len(walk(of(*runs), LIMITS).holes) == 10


def test_intervals_of_nothing_are_not_a_habit() -> None:
    found = walk(of((0, 500), (40, 100)), LIMITS)

    assert (found.median, found.holes) == (40, [])


def test_an_empty_cadence_has_no_habit() -> None:
    assert walk(Cadence(), LIMITS).median == 0
