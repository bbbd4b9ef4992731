"""Dates: what copying did to them neither hides a missing file nor invents one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.account import Account, account
from pipeline.domain.dates import Ruling, place, settled
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from pipeline.domain.timeline import Timeline, insert
from tests.builders import PTS0, T0, audio, claimed, facts, hole, mp4, probed, video

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
COPIED = T0 + 3_600_000
LATER = 86_400_000


def copied(number: int, length_ms: int, first: int = PTS0, at_ms: int = 0) -> SegmentProbed:
    """File *number* of a running clock that starts at *first*; its date is the copy's, *at_ms* after the first one's."""
    start = (first + number * length_ms * 90) % MPEG_TS_WRAP
    media = facts(video(start, length_ms), audio(start, length_ms))
    return probed(
        number, media, claimed_start=claimed(COPIED + at_ms, 2000, "file_system"), received_at=WallMs(T0 + LATER)
    )


def copied_mp4(number: int, at_ms: int = 0, length_ms: int = 10_000) -> SegmentProbed:
    return mp4(
        number, length_ms, claimed_start=claimed(COPIED + at_ms, 2000, "file_system"), received_at=WallMs(T0 + LATER)
    )


def fold(*segments: SegmentProbed) -> Timeline:
    made = Timeline()
    for segment in segments:
        made, _ = insert(made, segment, TOLERANCE)
    return made


def told(*segments: SegmentProbed) -> Account:
    return account(fold(*segments), TOLERANCE)


def gaps(found: Account) -> list[tuple[int, str]]:
    return [(gap.size_ms, gap.evidence) for gap in found.gaps]


@pytest.mark.parametrize("length_ms", [1_000, 3_000, 4_000, 5_000, 10_000])
@pytest.mark.parametrize("count", [4, 9, 40])
def test_files_missing_from_a_series_with_the_dates_of_its_copy_are_a_gap(length_ms: int, count: int) -> None:
    found = told(*[copied(number, length_ms) for number in range(count) if number not in (1, 2)])

    assert gaps(found) == [(2 * length_ms, "media_clock")]
    assert len(found.runs) == 2


@pytest.mark.parametrize("length_ms", [1_000, 10_000])
def test_a_whole_series_with_the_dates_of_its_copy_is_one_run(length_ms: int) -> None:
    found = told(*[copied(number, length_ms) for number in range(40)])

    assert (gaps(found), len(found.runs)) == ([], 1)
    assert [(finding.kind, finding.level) for finding in found.findings] == [("clock_step", "note")]
    assert found.runs[0].end == COPIED


def test_a_copy_that_took_a_while_hides_no_missing_file() -> None:
    found = told(*[copied(number, 10_000, at_ms=number * 300) for number in range(40) if number not in (20, 21)])

    assert gaps(found) == [(20_000, "media_clock")]


@pytest.mark.parametrize("before_wrap", [0, 1, 5, 12, 20])
def test_stamps_that_wrap_in_a_copied_series_run_on(before_wrap: int) -> None:
    first = MPEG_TS_WRAP - before_wrap * 900_000 + 1

    found = told(*[copied(number, 10_000, first) for number in range(20) if number not in (8, 9)])

    assert gaps(found) == [(20_000, "media_clock")]


def test_copied_files_have_the_places_of_their_stamps() -> None:
    segments = [copied(number, 10_000, MPEG_TS_WRAP - 1_000_000) for number in range(4)]
    timeline, ruling = settled(fold(*reversed(segments)))

    places = [place(timeline, ruling, segment) for segment in segments]

    assert [start - COPIED for start, _ in filter(None, places)] == [-40_000, -30_000, -20_000, -10_000]


@pytest.mark.parametrize("at_ms", [0, 10, 500])
@pytest.mark.parametrize("length_ms", [2_000, 10_000])
@pytest.mark.parametrize("count", [2, 6])
def test_copied_files_that_restart_are_placed_by_nothing(at_ms: int, length_ms: int, count: int) -> None:
    found = told(*[copied_mp4(number, number * at_ms, length_ms) for number in range(count)])

    assert (found.gaps, found.runs) == ((), ())
    assert [(finding.kind, finding.level) for finding in found.findings] == [("not_testable", "note")]
    assert "dates cannot be right" in found.findings[0].found


def test_copied_transport_streams_that_restart_are_placed_by_nothing() -> None:
    found = told(*[copied(0, 10_000, at_ms=number) for number in range(6)])

    assert (found.gaps, found.runs, [finding.kind for finding in found.findings]) == ((), (), ["not_testable"])


def test_a_hole_inside_a_copied_file_is_still_a_gap() -> None:
    date = claimed(COPIED, 2000, "file_system")

    found = told(mp4(0, 10_000, hole(2000, 5000), claimed_start=date, received_at=WallMs(T0 + LATER)), copied_mp4(1))

    assert gaps(found) == [(3_000, "media_clock")]


def test_files_copied_in_batches_have_no_gap_between_the_batches() -> None:
    found = told(*[copied_mp4(number, number // 5 * 120_000) for number in range(10)])

    assert (found.gaps, [finding.kind for finding in found.findings]) == ((), ["not_testable"])


@pytest.mark.parametrize(
    ("segments", "ruling"),
    [
        ([copied_mp4(number, number * 10_000) for number in range(20)], "dates"),
        ([copied_mp4(number, number * 9_000) for number in range(20)], "dates"),
        ([copied_mp4(number, number * 8_000) for number in range(20)], "nothing"),
        ([copied(number, 10_000, at_ms=number * 10_000) for number in range(20)], "dates"),
        ([copied(number, 10_000) for number in range(20)], "stamps"),
        ([mp4(40), *[copied_mp4(number) for number in range(5)]], "claims"),
    ],
    ids=["right", "overlapping a little", "within each other", "right and stamped", "stamped", "one with a name"],
)
def test_dates_are_believed_unless_they_cannot_be_right(segments: list[SegmentProbed], ruling: Ruling) -> None:
    assert settled(fold(*segments))[1] == ruling


def test_epochs_that_begin_at_one_moment_by_their_dates_are_in_one_order_whichever_file_came_first() -> None:
    first, seventh, ninth, last = (
        copied(number, 1_000, at_ms=at_ms) for number, at_ms in ((0, 0), (7, 0), (9, 0), (11, 1_667))
    )

    straight = told(first, seventh, ninth, last)
    mixed = told(first, ninth, seventh, last)

    assert mixed == straight
    assert gaps(straight) == [(1_000, "media_clock"), (1_000, "media_clock")]


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(range(12)),
    st.sets(st.integers(1, 10), max_size=8),
    st.sampled_from([1_000, 10_000]),
    st.integers(0, 13),
    st.lists(st.integers(0, 3_000), min_size=12, max_size=12),
)
def test_any_order_gives_the_same_account_of_a_copied_series(
    order: list[int], lost: set[int], length_ms: int, before_wrap: int, dates: list[int]
) -> None:
    first = (MPEG_TS_WRAP - before_wrap * length_ms * 90 + 7) % MPEG_TS_WRAP
    segments = [copied(number, length_ms, first, dates[number]) for number in range(12)]

    straight = told(*(segments[number] for number in range(12) if number not in lost))
    mixed = told(*(segments[number] for number in order if number not in lost))

    assert mixed == straight
