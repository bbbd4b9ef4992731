"""Timeline: the evidence that places a segment, and the spans that stay the same whatever came first."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.media import MPEG_TS_WRAP
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from pipeline.domain.timeline import MAX_EPOCHS, TICKS_PER_MS, Timeline, claim_of, insert, locate
from tests.builders import PTS0, SEGMENT_MS, T0, audio, claimed, facts, hole, mp4, mtxi, probed, video

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
LENGTH = SEGMENT_MS * TICKS_PER_MS


def fold(*segments: SegmentProbed) -> Timeline:
    timeline = Timeline()
    for segment in segments:
        timeline, _ = insert(timeline, segment, TOLERANCE)
    return timeline


def spans(timeline: Timeline) -> list[list[tuple[int, int]]]:
    """Each epoch's first stream, from its first position on."""
    found = []
    for epoch in timeline.epochs:
        stream = epoch.streams[max(epoch.streams)]
        found.append([(span.lo - stream[0].lo, span.hi - stream[0].lo) for span in stream])
    return found


def late_by(ticks: int) -> SegmentProbed:
    """The second file, *ticks* after the first one's end on the shared clock."""
    return probed(1, facts(video(PTS0 + LENGTH + ticks)))


# What places a segment.


@pytest.mark.parametrize(
    ("segment", "clock"), [(probed(), "ts"), (mp4(), "wall"), (mtxi(), "mtxi:7b5c"), (mp4(claimed_start=None), None)]
)
def test_a_segment_is_placed_by_its_strongest_evidence(segment: SegmentProbed, clock: str | None) -> None:
    placed = locate(segment)

    assert (placed.clock if placed else None) == clock


def test_a_clock_that_is_known_to_be_off_is_corrected() -> None:
    claim = claim_of(probed(0, clock_offset_ms=1500))

    assert claim is not None
    assert claim.at == T0 - 1500


def test_a_file_systems_time_is_the_last_resort() -> None:
    media = facts(video(0), container="mp4", clocks=(claimed(T0 + 7, origin="container"),))

    claim = claim_of(probed(0, media, claimed_start=claimed(T0, 2000, "file_system")))

    assert claim is not None
    assert (claim.at, claim.origin) == (T0 + 7, "container")


def test_a_file_systems_time_is_when_writing_ended() -> None:
    ended = claim_of(mp4(0, 30_000, claimed_start=claimed(T0 + 30_000, 2000, "file_system")))
    said = claim_of(mp4(0, 30_000, claimed_start=None, claimed_end=claimed(T0 + 30_000)))

    assert ended is not None
    assert said is not None
    assert (ended.at, said.at) == (T0, T0)


@pytest.mark.parametrize(("ahead_ms", "plausible"), [(86_399_999, True), (86_400_000, True), (86_400_001, False)])
def test_a_claim_from_the_future_is_no_position(ahead_ms: int, plausible: bool) -> None:
    segment = mp4(0, claimed_start=claimed(T0 + ahead_ms), received_at=T0)

    assert (claim_of(segment) is not None) == plausible


@pytest.mark.parametrize(("at", "plausible"), [(0, False), (946_684_799_999, False), (946_684_800_000, True)])
def test_a_recorder_without_a_battery_says_a_time_that_is_no_position(at: int, plausible: bool) -> None:
    assert (claim_of(mp4(0, claimed_start=claimed(at))) is not None) == plausible


def test_the_end_of_a_file_is_its_last_stamp_and_one_interval() -> None:
    placed = locate(probed(0, facts(video(PTS0, last_ticks=PTS0 + 7200, median_interval_ticks=3600))))

    assert placed is not None
    assert placed.streams == (("video0", 0, 10_800),)


# Spans on a shared clock.


@pytest.mark.parametrize(("ticks", "count"), [(-1920, 1), (0, 1), (44_999, 1), (45_000, 1), (45_001, 2)])
def test_files_on_one_clock_join_up_to_the_tolerance(ticks: int, count: int) -> None:
    assert len(spans(fold(probed(0), late_by(ticks)))[0]) == count


def test_a_missing_file_leaves_its_exact_length_between_two_spans() -> None:
    assert spans(fold(probed(0), probed(2))) == [[(0, LENGTH), (2 * LENGTH, 3 * LENGTH)]]


def test_a_late_file_closes_its_gap() -> None:
    assert spans(fold(probed(0), probed(2), probed(1))) == [[(0, 3 * LENGTH)]]


@pytest.mark.parametrize("wrapped_after", [0, 1, 5000, LENGTH - 1, LENGTH])
def test_a_wrapping_clock_runs_on(wrapped_after: int) -> None:
    base = MPEG_TS_WRAP - wrapped_after - LENGTH

    segments = [
        probed(number, facts(video((base + number * LENGTH) % MPEG_TS_WRAP))) for number in range(4) if number != 2
    ]

    assert spans(fold(*segments)) == [[(0, 2 * LENGTH), (3 * LENGTH, 4 * LENGTH)]]


def test_a_clock_runs_on_over_days_and_many_wraps() -> None:
    hour = 3_600_000
    segments = [
        probed(0, facts(video((PTS0 + step * hour * 90) % MPEG_TS_WRAP, hour)), claimed_start=claimed(T0 + step * hour), received_at=WallMs(T0 + 90 * hour))
        for step in range(80)
    ]  # fmt: skip

    assert spans(fold(*segments)) == [[(0, 80 * hour * 90)]]


def test_an_offset_across_half_the_wrap_is_still_one_clock() -> None:
    at = T0 * 90
    stamps = [(at - MPEG_TS_WRAP // 2 + number * LENGTH) % MPEG_TS_WRAP for number in range(3)]
    segments = [
        probed(number, facts(video(stamp)), claimed_start=claimed(T0 + number * SEGMENT_MS + jitter))
        for number, (stamp, jitter) in enumerate(zip(stamps, (-500, 0, 500), strict=True))
    ]

    assert spans(fold(*segments)) == [[(0, 3 * LENGTH)]]


@pytest.mark.parametrize("jitters", list(itertools.permutations((-1, 0, 1))))
def test_an_offset_near_zero_is_still_one_clock(jitters: tuple[int, ...]) -> None:
    segments = [
        probed(
            number,
            facts(video((T0 * 90 + number * LENGTH) % MPEG_TS_WRAP)),
            claimed_start=claimed(T0 + number * SEGMENT_MS + jitter),
        )
        for number, jitter in enumerate(jitters)
    ]

    assert spans(fold(*segments)) == [[(0, 3 * LENGTH)]]


def test_a_restarted_camera_has_another_clock() -> None:
    again = probed(3, facts(video(PTS0)))

    assert spans(fold(probed(0), probed(1), again)) == [[(0, 2 * LENGTH)], [(0, LENGTH)]]


def test_a_file_between_two_clocks_makes_them_one() -> None:
    """Two files 3.9 s apart in their claims' error, until one between them is within error of both."""
    shifts = (0, 3900, 1950)
    segments = [
        probed(number, claimed_start=claimed(T0 + number * SEGMENT_MS + shift, 1000))
        for number, shift in zip((0, 2, 1), shifts, strict=True)
    ]

    apart, together = fold(*segments[:2]), fold(*segments)

    assert (len(apart.epochs), spans(together)) == (2, [[(0, 3 * LENGTH)]])


# Spans by other evidence.


@pytest.mark.parametrize(("late_ms", "count"), [(1999, 1), (2000, 1), (2001, 2)])
def test_files_placed_by_wall_clock_join_within_its_error(late_ms: int, count: int) -> None:
    second = mp4(1, claimed_start=claimed(T0 + SEGMENT_MS + late_ms))

    assert len(spans(fold(mp4(0), second))[0]) == count


@pytest.mark.parametrize(("late_ms", "count"), [(7000, 1), (7001, 2)])
def test_a_wider_error_bar_joins_wider(late_ms: int, count: int) -> None:
    second = mp4(1, claimed_start=claimed(T0 + SEGMENT_MS + late_ms, error_ms=6000))

    assert len(spans(fold(mp4(0), second))[0]) == count


def test_an_identity_inside_the_file_is_exact_whatever_the_name_says() -> None:
    segments = [mtxi(number, claimed_start=claimed(T0 + number * 17_000)) for number in (0, 1, 3)]

    assert spans(fold(*segments)) == [[(0, 2 * LENGTH), (3 * LENGTH, 4 * LENGTH)]]


def test_a_hole_inside_a_file_is_not_bridged_by_a_neighbour_being_near() -> None:
    near_the_end = mp4(0, SEGMENT_MS, hole(8_500, 9_900))

    timeline = fold(near_the_end, mp4(1))

    assert [(found.hi - found.lo) // 90 for found in timeline.epochs[0].holes] == [1400]


def test_files_that_restart_their_stamps_are_read_by_the_wall_clock_in_the_end() -> None:
    segments = [probed(number, facts(video(PTS0))) for number in range(MAX_EPOCHS + 5)]

    timeline = fold(*segments)

    assert (timeline.wall_only, spans(timeline)) == (True, [[(0, (MAX_EPOCHS + 5) * LENGTH)]])


# Arrival.


def test_an_arrival_says_what_it_changes() -> None:
    timeline = fold(probed(0), probed(1))

    after, arrival = insert(timeline, probed(4), TOLERANCE)
    _, between = insert(after, probed(3), TOLERANCE)
    _, twice = insert(after, probed(1), TOLERANCE)

    assert arrival is not None
    assert (arrival.start - T0, arrival.gap_ms, arrival.overlap_ms, arrival.out_of_order) == (40_000, 20_000, 0, False)
    assert between is not None
    assert (between.out_of_order, between.gap_ms) == (True, 0)
    assert twice is not None
    assert twice.overlap_ms == 10_000


# Cost.


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(12)), st.sets(st.integers(1, 10)))
def test_any_order_gives_the_same_spans(order: list[int], lost: set[int]) -> None:
    segments = [
        probed(number, facts(video(PTS0 + number * LENGTH), audio(PTS0 + number * LENGTH))) for number in range(12)
    ]

    straight = fold(*(segments[number] for number in range(12) if number not in lost))
    mixed = fold(*(segments[number] for number in order if number not in lost))

    assert spans(mixed) == spans(straight)


def test_a_day_of_two_second_files_in_any_order_takes_seconds() -> None:
    count, length_ms = 43_200, 2000
    order = [number * 7919 % count for number in range(count)]  # 7919 shares no factor with the count
    segments = [
        probed(number, facts(video((PTS0 + number * length_ms * 90) % MPEG_TS_WRAP, length_ms)), claimed_start=claimed(T0 + number * length_ms), received_at=WallMs(T0 + count * length_ms))
        for number in order
    ]  # fmt: skip
    began = time.process_time()

    timeline = fold(*segments)

    assert time.process_time() - began < 30  # 2 to 3 s where it was written; generous, because machines are shared
    assert spans(timeline) == [[(0, count * length_ms * 90)]]


@pytest.mark.parametrize("lost", [(), (30,), (10, 20, 30, 50)])
def test_state_grows_with_interruptions_and_not_with_files(lost: tuple[int, ...]) -> None:
    timeline = fold(*[probed(number, sequence=number) for number in range(60) if number not in lost])

    (epoch,) = timeline.epochs
    kept = [*epoch.streams.values(), epoch.walls, *timeline.numbers.values()]
    assert [len(spans) for spans in kept] == [len(lost) + 1] * len(kept)
