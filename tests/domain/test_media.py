from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.media import MPEG_TS_WRAP, TimeBase, floor_half_up, milliseconds, unwrap_33


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (Fraction(49, 100), 0),
        (Fraction(1, 2), 1),
        (Fraction(51, 100), 1),
        (Fraction(-49, 100), 0),
        (Fraction(-1, 2), 0),
        (Fraction(-51, 100), -1),
        (Fraction(7), 7),
    ],
)
def test_halves_round_upward_on_both_sides_of_zero(value: Fraction, rounded: int) -> None:
    assert floor_half_up(value) == rounded


@given(st.fractions())
def test_rounding_is_never_off_by_more_than_a_half(value: Fraction) -> None:
    assert -Fraction(1, 2) < floor_half_up(value) - value <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("base", "ticks", "ms"),
    [
        (TimeBase(1, 90_000), 3003, 33),
        (TimeBase(1001, 30_000), 1, 33),
        (TimeBase(1, 48_000), 1024, 21),
        (TimeBase(1, 1000), -7, -7),
        (TimeBase(1, 90_000), MPEG_TS_WRAP, 95_443_718),
    ],
)
def test_ticks_become_milliseconds_by_their_time_base(base: TimeBase, ticks: int, ms: int) -> None:
    assert milliseconds(base.seconds(ticks)) == ms


@given(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(-(10**15), 10**15))
def test_ticks_survive_the_way_to_seconds_and_back(num: int, den: int, ticks: int) -> None:
    base = TimeBase(num, den)

    assert base.ticks(base.seconds(ticks)) == ticks


@pytest.mark.parametrize(("num", "den"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_a_time_base_is_positive(num: int, den: int) -> None:
    with pytest.raises(ValueError, match=f"a time base is positive, found {num}/{den}"):
        TimeBase(num, den)


@pytest.mark.parametrize(
    ("delta", "shortest"),
    [
        (0, 0),
        (3600, 3600),
        (3600 - MPEG_TS_WRAP, 3600),
        (MPEG_TS_WRAP - 3600, -3600),
        (MPEG_TS_WRAP // 2 - 1, MPEG_TS_WRAP // 2 - 1),
        (MPEG_TS_WRAP // 2, -MPEG_TS_WRAP // 2),
        (MPEG_TS_WRAP // 2 + 1, -MPEG_TS_WRAP // 2 + 1),
    ],
)
def test_a_33_bit_difference_takes_the_short_way_round(delta: int, shortest: int) -> None:
    assert unwrap_33(delta) == shortest


@given(st.integers(0, MPEG_TS_WRAP - 1), st.integers(1 - MPEG_TS_WRAP // 2, MPEG_TS_WRAP // 2 - 1))
def test_a_step_shorter_than_half_the_circle_is_recovered_wherever_it_begins(start: int, step: int) -> None:
    assert unwrap_33((start + step) % MPEG_TS_WRAP - start) == step
