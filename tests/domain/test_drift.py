"""Drift: a robust line through claims, and the steps that no drift explains."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.drift import NO_TIES, Tie, Ties, lead, rested, stretches, tied

SECOND = 90_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
BAR = SECOND
"""Names in whole seconds."""


def claims(count: int, span: int, ppm: int = 0, bar: int = BAR, cut: int = 0, after: int = 0) -> list[Tie]:
    """*count* claims over *span* of a clock that drifts; from claim *after* on, *cut* later. Names are cut to seconds."""
    made = []
    for number in range(count):
        at = span * number // (count - 1)
        true = at * ppm // 1_000_000 + (cut if after and number >= after else 0)
        made.append(Tie(bar, at, true - (at + true) % SECOND))
    return made


def steps(ties: list[Tie]) -> list[int]:
    return [step.size // SECOND for step in stretches(tuple(ties))[1]]


# The line.


@pytest.mark.parametrize("ppm", [-3200, -500, -120, 120, 500, 3200])
def test_a_days_drift_is_told_in_ppm_with_its_sign(ppm: int) -> None:
    (found,), broken = stretches(tuple(claims(60, DAY, ppm)))

    assert (found.pace.drifts, broken) == (True, ())
    assert abs(found.pace.ppm - ppm) <= 6
    assert found.pace.least <= Fraction(ppm, 1_000_000) <= found.pace.most
    assert found.pace.error_ppm <= 25


@pytest.mark.parametrize(("ppm", "drifts"), [(0, False), (10, False), (40, True)])
def test_a_drift_is_said_only_beyond_the_error_bars(ppm: int, drifts: bool) -> None:
    (found,), _ = stretches(tuple(claims(60, DAY, ppm)))

    assert found.pace.drifts == drifts


@pytest.mark.parametrize("wrong", [10, 30, 50])
def test_one_wrong_claim_among_right_ones_is_no_step(wrong: int) -> None:
    ties = claims(60, DAY, 100)
    ties[wrong] = ties[wrong]._replace(offset=ties[wrong].offset + 30 * SECOND)

    assert steps(ties) == []


def test_a_quarter_of_wrong_claims_does_not_move_the_line() -> None:
    ties = [tie._replace(offset=tie.offset + 9 * SECOND * (n % 8 == 3)) for n, tie in enumerate(claims(64, DAY, 200))]

    (found,), _ = stretches(tuple(ties))

    assert abs(found.pace.ppm - 200) < 20


def test_a_single_claim_says_nothing_of_drift() -> None:
    (found,), broken = stretches((Tie(BAR, 7, 40),))

    assert (found.pace.drifts, broken, lead([found], 99)) == (False, (), 40)


# Steps.


@pytest.mark.parametrize("ppm", [-500, -100, 0, 100, 500])
@pytest.mark.parametrize("cut", [-10, -4, 4, 10, 60])
@pytest.mark.parametrize("after", [1, 2, 30, 58, 59])
def test_a_step_is_found_within_any_drift(ppm: int, cut: int, after: int) -> None:
    (found,) = stretches(tuple(claims(60, DAY, ppm, cut=cut * SECOND, after=after)))[1]

    assert abs(found.size - cut * SECOND) <= 2 * BAR
    assert (found.lo, found.hi) == (DAY * (after - 1) // 59, DAY * after // 59)


@pytest.mark.parametrize(("cut", "count"), [(BAR, 0), (BAR * 3 // 2, 0), (3 * BAR, 1)])
def test_a_step_begins_beyond_both_error_bars(cut: int, count: int) -> None:
    assert len(steps(claims(60, DAY, cut=cut, after=30))) == count


@pytest.mark.parametrize(("offset", "count"), [(2 * BAR - 1, 0), (2 * BAR, 0), (2 * BAR + 1, 1)])
def test_bars_that_touch_agree_to_the_tick(offset: int, count: int) -> None:
    assert len(steps([Tie(BAR, 0, 0), Tie(BAR, 1, offset)])) == count


def test_a_cut_is_swallowed_by_a_bar_as_wide() -> None:
    wide = claims(60, DAY, bar=5 * SECOND, cut=9 * SECOND, after=30)

    assert (steps(wide), len(steps(claims(60, DAY, bar=5 * SECOND, cut=20 * SECOND, after=30)))) == ([], 1)


def test_a_wide_claim_between_two_sure_ones_hides_no_cut() -> None:
    ties = claims(9, HOUR, cut=10 * SECOND, after=5)
    ties[4] = Tie(9 * SECOND, ties[4].at, 5 * SECOND)

    assert steps(ties) == [10]


def test_several_cuts_are_each_found() -> None:
    ties = [tie._replace(offset=tie.offset + 10 * SECOND * (n // 16)) for n, tie in enumerate(claims(64, DAY, 50))]

    assert len(steps(ties)) == 3


def test_two_files_apart_are_a_step_and_many_on_a_slope_are_a_slope() -> None:
    pair = [Tie(BAR, 0, 0), Tie(BAR, 10 * SECOND, 10 * SECOND)]
    many = [Tie(BAR, n * 10 * SECOND, n * SECOND // 3) for n in range(60)]

    assert (len(stretches(tuple(pair))[1]), stretches(tuple(many))[1], stretches(tuple(many))[0][0].pace.ppm) == (
        1,
        (),
        33_333,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(-400, 400),
    st.lists(st.tuples(st.integers(0, 10**8), st.integers(-BAR, BAR)), min_size=1, max_size=40),
)
def test_claims_that_keep_their_error_bars_never_give_a_step(ppm: int, noise: list[tuple[int, int]]) -> None:
    ties = [Tie(BAR, at * 80, at * 80 * ppm // 1_000_000 + wrong) for at, wrong in sorted(noise)]
    ties = [tie._replace(error=tie.error + 1) for tie in ties]  # whole ticks of the line above

    assert stretches(tuple(ties))[1] == ()


# What is kept.


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**12), st.integers(-9, 9)), min_size=1, max_size=200),
    st.randoms(use_true_random=False),
    st.integers(0, 200),
    st.integers(-5, 5),
)
def test_any_order_and_any_split_keep_the_same_claims(
    raw: list[tuple[int, int, int]], chance: object, split: int, turns: int
) -> None:
    origin = turns << 33
    ties = [Tie(*item) for item in raw]
    mixed = list(ties)
    chance.shuffle(mixed)  # type: ignore[attr-defined]  # a random.Random

    straight, parts = NO_TIES, [NO_TIES, NO_TIES]
    for tie in ties:
        straight = tied(straight, Ties(kept=(tie,)), 0)
    for number, tie in enumerate(mixed):
        parts[number < split] = tied(parts[number < split], Ties(kept=(tie,)), origin)

    assert tied(parts[0], parts[1], origin) == straight
    assert len(straight.kept) <= 64 or straight.bits == 33


def test_the_surest_claim_of_a_stretch_is_kept() -> None:
    ties = tied(Ties(10, (Tie(5, 100, 1),)), Ties(10, (Tie(3, 900, 2), Tie(4, 2000, 3))), 0)

    assert ties.kept == (Tie(3, 900, 2), Tie(4, 2000, 3))


def test_an_ended_recording_keeps_one_claim_of_a_clock_that_agrees_with_itself() -> None:
    calm, broken = claims(60, HOUR), claims(60, HOUR, cut=9 * SECOND, after=30)

    assert rested(Ties(20, tuple(calm))) == Ties(20, (calm[0],))
    assert rested(Ties(20, tuple(broken))).kept == tuple(broken)
