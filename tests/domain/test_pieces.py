"""Pieces: where an epoch lies on the wall, and by which clock."""

from __future__ import annotations

from pipeline.domain.pieces import extent
from pipeline.domain.timeline import MAX_EPOCHS, Timeline
from tests.builders import PTS0, T0, claimed, facts, probed, video
from tests.builders_timeline import at, gaps, kinds, timeline, told


def test_a_clock_set_ahead_and_back_hides_nothing_and_invents_no_gap() -> None:
    found = told(*[at(number, 0, 30_000 if 5 <= number < 9 else 0) for number in range(14)])

    assert (gaps(found), kinds(found), len(found.runs)) == ([], [("clock_step", "note")], 1)
    assert "30.000 s ahead for 40.000 s and back" in found.findings[0].found


def test_stamps_that_lie_in_a_hole_without_filling_it_leave_a_gap() -> None:
    found = told(*[at(number, 0, 30_000 if number == 5 else 0) for number in range(9) if number != 6])

    assert [size for _, size, _ in gaps(found)] == [20_000]


def test_short_files_that_restart_their_stamps_are_read_by_the_wall_clock() -> None:
    segments = [
        probed(0, facts(video(PTS0, 2000)), claimed_start=claimed(T0 + number * 2000))
        for number in range(30)
        if number not in (10, 11, 12)
    ]

    found = told(*segments)

    assert gaps(found) == [(20_000, 6_000, "wall_clock")]
    assert kinds(found) == [("timestamp_reset", "note")]


def test_long_files_that_restart_their_stamps_are_read_by_the_wall_clock() -> None:
    numbers = [number for number in range(MAX_EPOCHS * 2) if number not in (10, 11)]

    found = told(*[probed(number, facts(video(PTS0))) for number in numbers])

    assert gaps(found) == [(100_000, 20_000, "wall_clock")]


def test_the_extent_of_a_timeline_is_its_first_and_last_instant() -> None:
    assert extent(timeline(probed(0), probed(2))) == (T0, T0 + 30_000)
    assert extent(Timeline()) is None
