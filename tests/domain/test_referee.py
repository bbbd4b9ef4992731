"""The referee: two readers of one file agree within what may differ, and a quarrel says both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.domain.policy import Tolerance
from pipeline.domain.reading import FileReading, StreamReading, Truncation
from pipeline.domain.referee import compare, unread
from tests.builders_reading import FRAME, SOUND, frames, sound, stream, without

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)


def read(*streams: StreamReading, reader: str = "ts", **changes: Any) -> FileReading:
    return FileReading(container="mpegts", reader=reader, streams=streams, **changes)


def quarrels(ours: FileReading, theirs: FileReading) -> list[tuple[str, str, str]]:
    found = compare(ours, replace(theirs, reader="pyav"), TOLERANCE)
    assert {finding.kind for finding in found} <= {"reader_disagreement"}
    return [(finding.level, finding.expected, finding.found) for finding in found]


def test_readers_of_one_opinion_have_no_quarrel() -> None:
    reading = read(stream(frames(250)), sound(frames(468, SOUND)))

    assert quarrels(reading, reading) == []


@pytest.mark.parametrize(("frames_more", "levels"), [(0, []), (1, []), (2, ["degradation"])])
def test_a_picture_cut_by_the_end_of_the_file_is_free_a_second_one_is_a_quarrel(
    frames_more: int, levels: list[str]
) -> None:
    ours, theirs = read(stream(frames(250))), read(stream(frames(250 + frames_more)))

    assert [level for level, _, _ in quarrels(ours, theirs)] == levels


@pytest.mark.parametrize(("primed", "levels"), [(2, []), (3, []), (4, ["degradation"])])
def test_sound_that_only_primes_the_decoder_is_free(primed: int, levels: list[str]) -> None:
    ours, theirs = read(sound(frames(468, SOUND))), read(sound(frames(468 + primed, SOUND, -primed * SOUND)))

    assert [level for level, _, _ in quarrels(ours, theirs)] == levels


@pytest.mark.parametrize(("moved", "levels"), [(2, []), (3, []), (4, ["degradation"])])
def test_a_picture_moved_whole_within_its_reordering_is_free(moved: int, levels: list[str]) -> None:
    ours = read(stream(frames(250), reorder_frames=3))
    theirs = read(stream(frames(250, start=moved * FRAME), reorder_frames=3))

    assert [level for level, _, _ in quarrels(ours, theirs)] == levels


def test_a_picture_longer_by_its_reordering_is_not_moved_but_longer() -> None:
    ours, theirs = read(stream(frames(250), reorder_frames=3)), read(stream(frames(253), reorder_frames=3))

    assert [level for level, _, _ in quarrels(ours, theirs)] == ["degradation"]


@pytest.mark.parametrize(("more", "levels"), [(3, []), (4, []), (5, ["degradation"])])
def test_the_picture_that_the_end_cuts_may_show_late(more: int, levels: list[str]) -> None:
    cut = Truncation(expected="the whole box mdat", found="9 bytes of it missing")
    ours = read(stream(frames(250), reorder_frames=3), truncation=cut)
    theirs = read(stream([*frames(250), (249 + more) * FRAME], reorder_frames=3))

    assert [level for level, _, _ in quarrels(ours, theirs)] == levels


def test_a_witness_that_cannot_read_is_a_quarrel_and_of_a_cut_file_a_note() -> None:
    whole = read(stream(frames(250)))
    cut = replace(whole, truncation=Truncation(expected="the whole box mdat", found="9 bytes of it missing"))

    assert unread(whole, "pyav", "invalid data").level == "degradation"
    assert unread(cut, "pyav", "invalid data").level == "note"
    assert unread(whole, "pyav", "invalid data").expected == "unreadable: invalid data (pyav)"


def test_a_quarrel_about_the_ends_names_both_readers_and_what_each_saw() -> None:
    ours, theirs = read(stream(frames(250))), read(stream(frames(200)))

    assert quarrels(ours, theirs) == [("degradation", "0 to 7960 ms (pyav)", "0 to 9960 ms (ts)")]


def test_the_same_moments_on_two_time_bases_are_the_same_moments() -> None:
    ours = read(stream(frames(250, 3003)))
    theirs = read(stream([round(t / 90) for t in frames(250, 3003)], time_base_den=1000))

    assert quarrels(ours, theirs) == []


def test_a_hole_that_one_reader_alone_sees_is_a_quarrel_both_ways() -> None:
    whole, holed = read(stream(frames(250))), read(stream(without(frames(250), 2_000, 4_000)))

    assert [level for level, _, _ in quarrels(whole, holed)] == ["degradation", "note"]
    assert quarrels(holed, whole)[0] == ("degradation", "0 holes of 0 ms (pyav)", "1 holes of 2000 ms (ts)")


def test_a_hole_right_at_the_limit_is_no_quarrel() -> None:
    """6 frames of 40 ms are 240 ms, just below the limit; 250.1 ms is just above."""
    below = frames(100) + frames(100, start=106 * FRAME)
    above = frames(100) + frames(100, start=106 * FRAME + 909)

    assert quarrels(read(stream(above)), read(stream(below))) == []


def test_packets_that_change_no_time_are_a_note() -> None:
    twice = sorted(frames(250) + frames(10, start=100 * FRAME))
    ours, theirs = read(stream(frames(250))), read(stream(twice))

    assert quarrels(ours, theirs) == [("note", "260 packets (pyav)", "250 packets (ts)")]


def test_packets_of_uncompressed_sound_are_not_counted() -> None:
    ours, theirs = read(sound(frames(100, 3600), codec="pcm_alaw")), read(sound(frames(200, 1800), codec="pcm_alaw"))

    assert quarrels(ours, theirs) == []


def test_a_stream_that_one_reader_does_not_see_is_a_quarrel() -> None:
    both, picture = read(stream(frames(250)), sound(frames(468, SOUND))), read(stream(frames(250)))

    assert quarrels(both, picture) == [("degradation", "no such stream (pyav)", "a stream of audio (ts)")]
    assert quarrels(picture, both) == [("degradation", "a stream of audio (pyav)", "no such stream (ts)")]


def test_streams_are_paired_by_kind_and_order_whatever_their_index() -> None:
    ours = read(stream(frames(250)), sound(frames(468, SOUND)))
    theirs = read(sound(frames(468, SOUND), index=0), stream(frames(250), index=1))

    assert quarrels(ours, theirs) == []


def test_streams_without_sound_or_picture_are_not_compared() -> None:
    ours = read(stream(frames(250)), stream(frames(3), index=1, kind="other"))

    assert quarrels(ours, read(stream(frames(250)))) == []


def test_sound_that_one_reader_takes_in_larger_pieces_is_not_counted() -> None:
    ours, theirs = read(sound(frames(94, 5 * SOUND))), read(sound(frames(470, SOUND)))

    assert quarrels(ours, theirs) == []


def test_a_coding_that_one_reader_does_not_know_pairs_nothing() -> None:
    known = sound(frames(468, SOUND))
    ours = read(stream(frames(250)), sound(frames(99, SOUND), codec="unknown"), replace(known, index=2))

    assert quarrels(ours, read(stream(frames(250)), known)) == []
