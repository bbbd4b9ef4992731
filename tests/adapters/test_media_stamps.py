"""Stamps: times of one stream, unwrapped, sorted and compressed without losing what matters."""

from __future__ import annotations

from array import array
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.adapters.media_stamps import Stamps, near, stamps
from pipeline.domain.media import MPEG_TS_WRAP


def of(times: list[int], **options: bool) -> Stamps:
    return stamps(array("q", times), 90_000, wraps=options.get("wraps", False))


def runs(found: Stamps) -> list[tuple[int, int, int]]:
    return list(zip(found.cadence.starts, found.cadence.intervals, found.cadence.counts, strict=True))


def test_even_times_are_one_run() -> None:
    assert runs(of([0, 3600, 7200, 10800])) == [(0, 3600, 3)]


def test_decoding_order_is_sorted_and_its_depth_known() -> None:
    found = of([0, 10800, 3600, 7200, 21600, 14400, 18000])

    assert runs(found) == [(0, 3600, 6)]
    assert found.reorder_frames == 2


def test_rounding_does_not_part_a_run() -> None:
    """29.97 frames a second in whole milliseconds: 33, 33, 34."""
    times = [i * 1001 // 30 for i in range(301)]

    found = stamps(array("q", times), 1000, wraps=False)

    assert runs(found) == [(0, 33, 300)]


def test_times_that_creep_are_parted_into_equal_ones() -> None:
    times = list(accumulate(range(3600, 3600 + 150 * 40, 150), initial=0))

    assert len(runs(of(times))) == 40


def test_a_hole_is_a_run_of_its_own() -> None:
    assert runs(of([0, 3600, 7200, 97_200, 100_800])) == [(0, 3600, 2), (7200, 90_000, 1), (97_200, 3600, 1)]


@pytest.mark.parametrize("before", [1, 2, 3])
def test_a_clock_that_wraps_runs_on(before: int) -> None:
    times = [(MPEG_TS_WRAP + (i - before) * 3600) % MPEG_TS_WRAP for i in range(6)]

    found = of(times, wraps=True)

    assert found.wraps_33
    assert found.first_ticks == MPEG_TS_WRAP - before * 3600
    assert found.last_ticks == MPEG_TS_WRAP + (5 - before) * 3600
    assert runs(found) == [(found.first_ticks, 3600, 5)]


def test_a_frame_from_before_the_wrap_may_follow_one_from_after() -> None:
    found = of([100, MPEG_TS_WRAP - 3500, 3700], wraps=True)

    assert (found.first_ticks, found.last_ticks) == (MPEG_TS_WRAP - 3500, MPEG_TS_WRAP + 3700)


def test_a_step_back_is_joined_and_reported() -> None:
    first, again = [900_000 + i * 3600 for i in range(50)], [i * 3600 for i in range(50)]

    found = of(first + again)

    assert found.resets == ((first[-1], first[-1]),)
    assert runs(found) == [(900_000, 3600, 99)]


def test_a_step_back_among_b_frames_is_joined_a_frame_later() -> None:
    order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
    first, again = [900_000 + i * 3600 for i in order], [i * 3600 for i in order]

    assert runs(of(first + again)) == [(900_000, 3600, 19)]


def test_reordering_over_more_than_a_second_is_no_step_back() -> None:
    assert of([0, 270_000, 90_000, 180_000, 540_000, 360_000, 450_000]).resets == ()


def test_times_nobody_can_mean_are_left_out() -> None:
    found = of([0, 3600, 1 << 62, 7200])

    assert found.last_ticks == 7200


def test_no_times_give_no_stamps() -> None:
    assert (of([]).first_ticks, of([1 << 62]).first_ticks) == (None, None)


def test_packets_of_any_length_are_even_when_their_samples_adjoin() -> None:
    lengths = [1000, 20, 500, 1000, 3000, 1000]
    times = [0, *accumulate(lengths)][:-1]

    whole = stamps(array("q", times), 8000, wraps=False, lengths=array("q", lengths))
    holed = stamps(
        array("q", [*times[:3], *(t + 8000 for t in times[3:])]), 8000, wraps=False, lengths=array("q", lengths)
    )

    assert len(runs(whole)) == 1
    assert [interval for _, interval, _ in runs(holed)] == [1000, 9000, 1000]


@pytest.mark.parametrize(("ticks", "turns"), [(100, 1), (MPEG_TS_WRAP - 100, 0), (MPEG_TS_WRAP // 2, 0)])
def test_streams_of_one_clock_lie_beside_each_other(ticks: int, turns: int) -> None:
    assert near(MPEG_TS_WRAP - 50, ticks) == turns * MPEG_TS_WRAP


@given(times=st.lists(st.integers(0, 10**12), min_size=1, max_size=300))
def test_runs_cover_exactly_the_sorted_times(times: list[int]) -> None:
    found = of(times)

    if found.resets:
        return
    assert (found.first_ticks, found.last_ticks) == (min(times), max(times))
    assert sum(found.cadence.counts) == len(times) - 1
    assert set(found.cadence.starts) <= set(times)
