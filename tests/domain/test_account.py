"""Account: three clocks compared, and what each disagreement means."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.account import Account, account, in_order
from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from tests.builders import PTS0, SEGMENT_MS, T0, audio, claimed, facts, hole, mp4, mtxi, probed, video
from tests.builders_timeline import LENGTH, TOLERANCE, at, both, gaps, kinds, named, timeline, told

# The three clocks.


def test_both_clocks_run_on() -> None:
    found = told(at(0, 0, 0), at(1, 0, 0))

    assert (gaps(found), kinds(found), len(found.runs)) == ([], [], 1)


def test_both_clocks_jump_alike() -> None:
    found = told(at(0, 0, 0), at(1, 60_000, 60_300))

    assert (gaps(found), kinds(found), len(found.runs)) == ([(10_000, 60_000, "media_clock")], [], 2)


def test_both_clocks_jump_apart() -> None:
    found = told(at(0, 0, 0), at(1, 500_000, 60_000))

    assert (gaps(found), kinds(found)) == ([(10_000, 60_000, "wall_clock")], [])


def test_stamps_run_on_while_the_wall_clock_jumps() -> None:
    found = told(at(0, 0, 0), at(1, 0, 0), at(2, 0, 181_000), at(3, 0, 181_000))

    assert (gaps(found), kinds(found)) == ([], [("hidden_loss", "degradation")])
    assert [(run.start - T0, run.end - T0) for run in found.runs] == [(0, 20_000), (201_000, 221_000)]
    assert found.findings[0].size_ms == 181_000


def test_the_wall_clock_runs_on_while_stamps_jump() -> None:
    found = told(at(0, 0, 0), at(1, 500_000, 0), at(2, 500_000, 0))

    assert (gaps(found), kinds(found), len(found.runs)) == ([], [("timestamp_reset", "note")], 1)


def test_stamps_run_on_while_the_wall_clock_steps_back() -> None:
    found = told(at(0, 0, 0), at(1, 0, 0), at(2, 0, -15_000), at(3, 0, -15_000))

    assert (gaps(found), kinds(found)) == ([], [("clock_step", "note")])


@pytest.mark.parametrize("back_ms", [25_000, 60_000, 3_600_000])
def test_a_clock_put_back_before_the_recording_began_is_a_step_and_no_gap(back_ms: int) -> None:
    found = told(at(0, 0, 0), at(1, 0, 0), at(2, 0, -back_ms), at(3, 0, -back_ms))

    assert (gaps(found), kinds(found)) == ([], [("clock_step", "note")])
    assert found.findings[0].size_ms == back_ms


def test_a_step_within_the_error_bar_is_nothing() -> None:
    found = told(at(0, 0, 0), at(1, 0, 1900), at(2, 0, 0))

    assert (gaps(found), kinds(found)) == ([], [])


@pytest.mark.parametrize(("late_ms", "count"), [(499, 0), (500, 0), (501, 1)])
def test_a_gap_between_files_begins_beyond_the_tolerance(late_ms: int, count: int) -> None:
    found = told(at(0, 0, 0), at(1, late_ms, late_ms))

    assert [size for _, size, _ in gaps(found)] == [late_ms] * count


def test_a_camera_that_restarts_leaves_a_gap_as_exact_as_its_names() -> None:
    found = told(probed(0), probed(6, facts(video(PTS0))), probed(7, facts(video(PTS0 + LENGTH))))

    assert gaps(found) == [(10_000, 50_000, "wall_clock")]
    assert found.gaps[0].error_ms == 1000


def test_time_that_is_lost_bit_by_bit_is_found() -> None:
    found = told(*[at(number, 0, number * 300) for number in range(120)])

    assert (gaps(found), kinds(found)) == ([], [("hidden_loss", "degradation")])


HOUR_MS = 3_600_000


@pytest.mark.parametrize("length_ms", [HOUR_MS, 2 * HOUR_MS])
def test_long_files_of_a_drifting_clock_are_one_run(length_ms: int) -> None:
    found = told(*[named(number, 0, number * length_ms // 2000, length_ms) for number in range(24)])

    assert (gaps(found), kinds(found), len(found.runs)) == ([], [("clock_drift", "note")], 1)


@pytest.mark.parametrize("ppm", [-500, 0, 500])
@pytest.mark.parametrize("cut_ms", [4_000, 10_000, 181_000])
def test_a_restamped_cut_is_found_within_any_drift(ppm: int, cut_ms: int) -> None:
    found = told(
        *[named(number, 0, number * 600 * ppm // 1000 + (cut_ms if number >= 70 else 0)) for number in range(144)]
    )

    assert gaps(found) == []
    assert ("hidden_loss", "degradation") in kinds(found)
    (loss,) = [finding for finding in found.findings if finding.kind == "hidden_loss"]
    assert abs((loss.size_ms or 0) - cut_ms) <= 2000
    assert (loss.wall_start or 0) <= T0 + 70 * 600_000 + 45_000
    assert (loss.wall_end or 0) >= T0 + 70 * 600_000 - 45_000


def test_a_real_gap_after_hours_of_drift_keeps_its_size() -> None:
    """Placed by its first claim alone, the camera's last file before the restart would end 43 s late and hide the gap."""
    before = [named(number, 0, -number * 300) for number in range(143)]
    again = probed(
        143,
        facts(video(PTS0 + 7, 600_000)),
        claimed_start=claimed(T0 + 143 * 600_000 - 42_900 + 20_000),
        received_at=WallMs(T0 + 2 * 86_400_000),
    )

    found = told(*before, again)

    ((_, size, evidence),) = gaps(found)
    assert (abs(size - 20_000) <= 2000, evidence) == (True, "wall_clock")


def test_a_gap_on_one_drifting_clock_is_exact() -> None:
    found = told(*[named(number, 0, number * 300) for number in range(144) if number not in (90, 91)])

    assert [(size, evidence) for _, size, evidence in gaps(found)] == [(1_200_000, "media_clock")]


@pytest.mark.parametrize(("stamps_ms", "wall_ms"), [(50_000, 55_000), (55_000, 50_000)], ids=["its end", "its start"])
def test_a_file_that_lost_half_of_itself_leaves_a_gap_of_what_it_lost(stamps_ms: int, wall_ms: int) -> None:
    """Its date less its length, or the time in its name, is off by what it lost; the files around it show how much that is."""
    media = facts(video(PTS0 + stamps_ms * 90, 5000))
    half = probed(5, media, claimed_start=claimed(T0 + wall_ms))

    found = told(*[half if number == 5 else at(number, 0, 0) for number in range(9)])

    assert gaps(found) == [(wall_ms, 5000, "media_clock")]
    assert kinds(found) == [("clock_step", "note")]


def test_an_hour_ahead_stays_in_doubt_even_when_summer_time_may_have_begun() -> None:
    """An hour cut out of files with an hour each in them looks exactly so."""
    found = told(*[named(number, 0, HOUR_MS if number >= 12 else 0) for number in range(24)])

    assert (gaps(found), kinds(found)) == ([], [("hidden_loss", "degradation")])
    assert "summer time begins" in found.findings[0].found
    assert sum(run.end - run.start for run in found.runs) == 24 * 600_000


def test_summer_time_ends_in_names_of_local_time() -> None:
    found = told(*[named(number, 0, -HOUR_MS if number >= 12 else 0) for number in range(24)])

    assert (gaps(found), kinds(found)) == ([], [("clock_step", "note")])
    assert "summer time ends" in found.findings[0].found


def test_the_hour_that_comes_twice_when_summer_time_ends_is_no_gap() -> None:
    """Read in the zone, both hours are taken for the first; afterwards the names are right again."""
    found = told(*[named(number, 0, -HOUR_MS if 12 <= number < 18 else 0) for number in range(30)])

    assert (gaps(found), kinds(found), len(found.runs)) == ([], [("clock_step", "note")], 1)


def test_an_hour_cut_out_within_the_quarter_is_a_hidden_loss() -> None:
    found = told(*[at(number, 0, HOUR_MS if number >= 40 else 0) for number in range(60)])

    assert kinds(found) == [("hidden_loss", "degradation")]


def test_a_leap_second_is_within_every_error_bar() -> None:
    assert told(*[named(number, 0, 1000 if number >= 12 else 0) for number in range(24)]).findings == ()


def test_two_cameras_in_one_folder_overlap_and_lose_nothing() -> None:
    other = [
        probed(100 + n, facts(video(900_000_000 + n * LENGTH)), claimed_start=claimed(T0 + n * SEGMENT_MS + 3000))
        for n in range(12)
    ]

    found = told(*[at(number, 0, 0) for number in range(12)], *other)

    assert (gaps(found), kinds(found)) == ([], [("overlap", "note")])


def test_a_recorders_clock_that_steps_within_one_identity_is_seen() -> None:
    found = told(*[mtxi(n, claimed_start=claimed(T0 + n * SEGMENT_MS + (30_000 if n >= 20 else 0))) for n in range(40)])

    assert kinds(found) == [("hidden_loss", "degradation")]


# Streams.


@pytest.mark.parametrize("off_ms", [-1, 0, 1])
def test_rounding_of_a_container_is_never_a_gap(off_ms: int) -> None:
    """Matroska rounds to 1 ms, an edit list moves sound by 0.7 ms."""
    found = told(*[at(number, number % 2 * off_ms, 0) for number in range(20)])

    assert (gaps(found), kinds(found)) == ([], [])


def test_a_recorder_whose_clock_says_1970_is_placed_by_nothing() -> None:
    found = told(*[mp4(number, claimed_start=claimed(number * SEGMENT_MS)) for number in range(3)])

    assert found == Account(runs=(), gaps=(), findings=())


def test_a_clock_that_wraps_between_two_files_with_a_missing_one_sizes_the_gap() -> None:
    first = MPEG_TS_WRAP - LENGTH
    ends, begins = facts(video(first)), facts(video((first + 2 * LENGTH) % MPEG_TS_WRAP))

    assert gaps(told(probed(0, ends), probed(2, begins))) == [(10_000, 10_000, "media_clock")]


@pytest.mark.parametrize(("ticks", "count"), [(44_999, 0), (45_000, 0), (45_001, 1)])
def test_a_residual_is_judged_to_the_tick(ticks: int, count: int) -> None:
    found = told(probed(0), probed(1, facts(video(PTS0 + LENGTH + ticks))))

    assert len(gaps(found)) == count


def test_a_gap_is_sized_by_the_picture_when_sound_ends_a_little_later() -> None:
    found = told(
        both(0, video(PTS0), audio(PTS0, SEGMENT_MS + 21)),
        both(2, video(PTS0 + 2 * LENGTH), audio(PTS0 + 2 * LENGTH - 900)),
    )

    assert gaps(found) == [(10_000, 10_000, "media_clock")]


# Inside files, overlaps, numbers.


def test_a_hole_at_a_files_end_is_a_gap_although_the_next_file_is_near() -> None:
    found = told(mp4(0, SEGMENT_MS, hole(8_500, 9_900)), mp4(1))

    assert gaps(found) == [(8_500, 1_400, "media_clock")]


def test_a_hole_stays_a_gap_where_another_file_has_the_same_hole() -> None:
    found = told(mp4(0, SEGMENT_MS, hole(2000, 4000)), mp4(0, 9000, hole(2000, 4000)))

    assert gaps(found) == [(2_000, 2_000, "media_clock")]


def test_an_identitys_missing_number_is_a_gap_and_a_missing_file() -> None:
    found = told(mtxi(0), mtxi(1), mtxi(3))

    assert (gaps(found), kinds(found)) == ([(20_000, 10_000, "identity")], [("missing_sequence", "degradation")])


def test_nothing_placed_tells_nothing() -> None:
    assert told(mp4(0, claimed_start=None)) == Account(runs=(), gaps=(), findings=())


# Between recordings.


def test_a_recording_that_follows_another_exactly_has_no_gap_before_it() -> None:
    before = timeline(at(0, 0, 0))

    assert account(timeline(at(1, 0, 900)), TOLERANCE, before).gaps == ()


def test_a_gap_before_a_recording_is_as_exact_as_the_clock_both_share() -> None:
    before = timeline(at(0, 0, 0))

    (gap,) = account(timeline(at(3, 0, 700)), TOLERANCE, before).gaps

    assert (gap.size_ms, gap.evidence, gap.end) == (20_000, "media_clock", T0 + 30_700)


def test_a_gap_before_a_recording_by_names_alone_says_so() -> None:
    (gap,) = account(timeline(mp4(3)), TOLERANCE, timeline(mp4(0))).gaps

    assert (gap.size_ms, gap.evidence) == (20_000, "wall_clock")


# Order.


def test_findings_without_a_place_come_last() -> None:
    found = told(*[probed(number, sequence=number) for number in (0, 2)], at(3, -4_000, -4_000))

    assert [finding.kind for finding in in_order(found.findings[::-1])][-1] == "missing_sequence"


@settings(max_examples=40, deadline=None)
@given(
    st.permutations(range(24)),
    st.sets(st.integers(1, 22), max_size=6),
    st.integers(-2000, 2000),
    st.dictionaries(st.integers(1, 23), st.sampled_from([-30_000, -4_000, 3_000, 10_000, 181_000]), max_size=2),
    st.integers(0, 24),
)
def test_any_order_gives_the_same_account_whatever_the_clocks_do(
    order: list[int], lost: set[int], ppm: int, moved: dict[int, int], split: int
) -> None:
    def file(number: int) -> SegmentProbed:
        step = sum(size for after, size in moved.items() if number >= after)
        return named(number, 0, number * 600 * ppm // 1000 + step)

    kept = [number for number in range(24) if number not in lost]
    straight = timeline(*map(file, kept))
    mixed = timeline(*(file(number) for number in order if number in kept))

    assert account(mixed, TOLERANCE) == account(straight, TOLERANCE)
    halves = [number for number in order[split:] + order[:split] if number in kept]
    assert account(timeline(*map(file, halves)), TOLERANCE) == account(straight, TOLERANCE)
