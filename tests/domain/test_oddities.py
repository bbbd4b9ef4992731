"""Oddities: what is told of a timeline on which no time is missing altogether."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.oddities import ranges
from pipeline.domain.probe import SegmentProbed
from pipeline.domain.time import WallMs
from tests.builders import PTS0, SEGMENT_MS, T0, audio, claimed, facts, mp4, mtxi, probed, video
from tests.builders_timeline import LENGTH, at, both, gaps, kinds, named, told


def filmed(number: int, *, sound: bool, container: str = "mp4") -> SegmentProbed:
    streams = (video(0), audio(0)) if sound else (video(0),)
    return probed(number, facts(*streams, container=container, reader="isobmff"))


def test_a_clock_that_drifts_is_noted() -> None:
    found = told(*[at(number, 0, number * 20) for number in range(360)])

    assert kinds(found) == [("clock_drift", "note")]


@pytest.mark.parametrize("ppm", [-500, -100, 100, 500])
def test_a_day_of_drift_is_noted_in_ppm_and_nothing_is_lost(ppm: int) -> None:
    found = told(*[named(number, 0, number * 600 * ppm // 1000) for number in range(144)])

    assert (gaps(found), kinds(found)) == ([], [("clock_drift", "note")])
    assert found.findings[0].found.startswith(f"{ppm:+d}"[:2])
    assert abs((found.findings[0].size_ms or 0) - abs(ppm) * 864 // 10) < 3000


def test_a_day_of_a_steady_clock_says_nothing_of_drift() -> None:
    assert told(*[named(number, 0, number % 7 * 150) for number in range(144)]).findings == ()


@pytest.mark.parametrize(
    ("short_ms", "lost_ms"),
    [(0, None), (200, None), (1000, 9000)],
    ids=["whole", "within the error bars", "a second of each"],
)
def test_what_each_file_of_a_series_lacks_is_told_once_it_adds_up(short_ms: int, lost_ms: int | None) -> None:
    found = told(*[mp4(number, SEGMENT_MS - short_ms) for number in range(10)])

    told_of = [(f.kind, f.level, f.size_ms) for f in found.findings]
    assert gaps(found) == []
    assert told_of == ([("hidden_loss", "degradation", lost_ms)] if lost_ms else [])


def test_a_recorder_that_restarts_at_once_is_a_reset_and_no_gap() -> None:
    again = mtxi(0, "8c6d", claimed_start=claimed(T0 + 2 * SEGMENT_MS + 300), received_at=WallMs(T0 + 60_000))

    found = told(mtxi(0), mtxi(1), again)

    assert (gaps(found), kinds(found)) == ([], [("timestamp_reset", "note")])


def test_a_stream_missing_while_another_runs_is_a_partial_gap() -> None:
    start = [PTS0 + number * LENGTH for number in range(3)]

    found = told(
        both(0, video(start[0]), audio(start[0])),
        both(1, audio(start[1], index=0)),
        both(2, video(start[2]), audio(start[2])),
    )

    assert (gaps(found), kinds(found)) == ([], [("partial_gap", "degradation")])
    assert found.findings[0].size_ms == 10_000


def test_sound_that_ends_early_in_every_file_of_a_series_is_a_partial_gap_in_each() -> None:
    """One file alone shows uneven ends; before a file that starts on time it is loss."""
    start = [PTS0 + number * LENGTH for number in range(6)]

    found = told(*[both(number, video(at), audio(at, SEGMENT_MS - 2770)) for number, at in enumerate(start)])

    assert kinds(found) == [("partial_gap", "degradation")] * 5
    assert {finding.size_ms for finding in found.findings} == {2770}


def test_partial_gaps_in_file_after_file_are_one_finding_with_their_sum() -> None:
    start = [PTS0 + number * LENGTH for number in range(40)]

    found = told(*[both(number, video(at), audio(at, SEGMENT_MS - 2770)) for number, at in enumerate(start)])

    (finding,) = found.findings
    assert (finding.kind, finding.count, finding.size_ms) == ("partial_gap", 39, 39 * 2770)


def test_three_files_that_overlap_are_counted_by_their_union() -> None:
    found = told(at(0, 0, 0), at(1, -6_000, -6_000), at(2, -12_000, -12_000))

    assert [(run.start - T0, run.end - T0) for run in found.runs] == [(0, 18_000)]
    assert [(finding.kind, finding.size_ms) for finding in found.findings] == [("overlap", 12_000)]


def test_another_cut_of_the_same_moment_overlaps_by_a_sound_packet_and_is_nothing() -> None:
    found = told(at(0, 0, 0), probed(1, facts(video(PTS0 + LENGTH - 3843))))

    assert (gaps(found), kinds(found)) == ([], [])


@pytest.mark.parametrize(("late_ms", "holes"), [(0, 0), (30_000, 1)])
def test_a_missing_number_is_said_with_and_without_a_hole_in_time(late_ms: int, holes: int) -> None:
    after = at(1, late_ms, late_ms)
    numbered = replace(after, landed=replace(after.landed, sequence=5))

    found = told(probed(0, sequence=2), numbered)

    assert (len(gaps(found)), kinds(found)) == (holes, [("missing_sequence", "degradation")])


def test_a_change_of_picture_size_is_noted_where_it_begins() -> None:
    wide = facts(video(PTS0 + LENGTH, format="640x360"))

    found = told(probed(0), probed(1, wide))

    assert kinds(found) == [("format_change", "note")]
    assert (found.findings[0].found, found.findings[0].wall_start) == ("video0: h264 640x360", T0 + 10_000)


def test_a_file_that_does_not_say_its_picture_size_changes_nothing() -> None:
    found = told(probed(0), probed(1, facts(video(PTS0 + LENGTH, format=""))), probed(2))

    assert kinds(found) == []


def test_files_that_overlap_are_noted_with_how_much() -> None:
    found = told(at(0, 0, 0), at(1, -4_000, -4_000))

    assert (gaps(found), kinds(found)) == ([], [("overlap", "note")])
    assert found.findings[0].size_ms == 4_000


@pytest.mark.parametrize(("early_ms", "count"), [(499, 0), (500, 0), (501, 1)])
def test_an_overlap_begins_beyond_the_tolerance(early_ms: int, count: int) -> None:
    assert len(told(at(0, 0, 0), at(1, -early_ms, -early_ms)).findings) == count


def test_numbers_that_never_came_are_named() -> None:
    found = told(*[probed(number, sequence=number + 7) for number in (0, 1, 4, 6)])

    (finding,) = found.findings
    assert (finding.kind, finding.level, finding.evidence, finding.count) == (
        "missing_sequence",
        "degradation",
        "sequence",
        3,
    )
    assert (finding.expected, finding.found) == ("numbers 7 to 13", "without 9 to 10, 12")


@pytest.mark.parametrize(
    ("items", "text"), [([(1, 1)], "1"), ([(1, 2), (5, 5)], "1 to 2, 5"), ([(n, n) for n in range(0, 14, 2)], "0, 2, 4, 6, 8 and 2 more ranges")]
)  # fmt: skip
def test_ranges_are_short(items: list[tuple[int, int]], text: str) -> None:
    assert ranges(items) == text


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2)])
def test_files_without_sound_among_others_with_it_are_told_where_only_the_wall_clock_places_them(
    order: tuple[int, ...],
) -> None:
    files = [filmed(number, sound=number in (0, 3)) for number in range(4)]

    (finding,) = told(*(files[number] for number in order)).findings

    assert (finding.kind, finding.level, finding.evidence) == ("partial_gap", "degradation", "bytes")
    assert (finding.count, finding.size_ms, finding.wall_start) == (2, 2 * SEGMENT_MS, T0 + SEGMENT_MS)
    assert finding.found == "none in 2 of 4 files, 20.000 s in all"


@pytest.mark.parametrize("sound", [True, False])
def test_files_that_are_alike_lack_nothing(sound: bool) -> None:
    assert told(*(filmed(number, sound=sound) for number in range(3))).findings == ()


def test_sound_alone_among_films_is_no_film_without_sound() -> None:
    memo = probed(1, facts(audio(0), container="mp4", reader="isobmff"))

    assert told(filmed(0, sound=True), memo, filmed(2, sound=True)).findings == ()
