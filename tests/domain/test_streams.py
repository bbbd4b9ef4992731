"""Streams: holes are found where times are missing, sized to a frame, and never invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.facts import judge
from pipeline.domain.reading import FileReading
from tests.builders_reading import FRAME, SOUND, TOLERANCE, frames, judged, kinds, sound, stream, without
from tests.findings import the


def test_an_even_stream_has_no_findings_and_covers_its_last_frame() -> None:
    facts = judged(stream(frames(250)), sound(frames(468, SOUND)))

    assert facts.findings == ()
    assert facts.streams[0].median_interval_ticks == FRAME
    assert facts.streams[0].covered_ticks == 250 * FRAME


def test_time_that_every_stream_misses_is_a_gap_from_the_end_of_the_last_frame() -> None:
    picture, tone = without(frames(500), 10_000, 17_000), without(frames(938, SOUND), 10_000, 17_000)

    facts = judged(stream(picture), sound(tone))

    gap = the(facts, "gap")
    assert (gap.level, gap.evidence, gap.stream) == ("interruption", "media_clock", None)
    assert (gap.from_ms, gap.to_ms) == (10_005, 17_000)
    assert gap.size_ms == 6_995
    assert facts.streams[0].covered_ticks == 325 * FRAME
    assert kinds(facts) == [("gap", "interruption")]


def test_what_one_stream_misses_while_another_runs_is_a_partial_gap() -> None:
    facts = judged(stream(without(frames(500), 5_000, 8_000)), sound(frames(938, SOUND)))

    partial = the(facts, "partial_gap")
    assert (partial.level, partial.stream) == ("degradation", 0)
    assert (partial.from_ms, partial.to_ms, partial.size_ms) == (5_000, 8_000, 3_000)
    assert kinds(facts) == [("partial_gap", "degradation")]


def test_a_hole_that_is_longer_in_one_stream_is_a_gap_and_a_partial_gap() -> None:
    facts = judged(stream(without(frames(500), 5_000, 8_000)), sound(without(frames(938, SOUND), 5_000, 11_000)))

    assert the(facts, "gap").size_ms == 2_987
    assert the(facts, "partial_gap").stream == 1
    assert the(facts, "partial_gap").from_ms == 8_000


@pytest.mark.parametrize(
    ("missing_ms", "expected"),
    [(240, "dropped_frames"), (280, "gap"), (320, "gap")],
)
def test_a_hole_is_a_gap_beyond_the_tolerance(missing_ms: int, expected: str) -> None:
    facts = judged(stream(without(frames(500), 5_000, 5_000 + missing_ms)))

    assert [kind for kind, _ in kinds(facts)] == [expected]
    assert the(facts, expected).size_ms == missing_ms


@pytest.mark.parametrize(("missing", "expected"), [(2, "dropped_frames"), (3, "dropped_frames"), (4, "gap")])
def test_at_one_frame_a_second_a_gap_is_more_than_three_frames(missing: int, expected: str) -> None:
    times = [t for i, t in enumerate(frames(60, 90_000)) if not 30 <= i < 30 + missing]

    facts = judged(stream(times))

    assert [kind for kind, _ in kinds(facts)] == [expected]


def test_dropped_frames_are_counted_in_one_finding_a_stream() -> None:
    times = [t for i, t in enumerate(frames(500)) if i not in (100, 200, 201)]

    dropped = the(judged(stream(times)), "dropped_frames")

    assert (dropped.count, dropped.size_ms, dropped.level) == (3, 120, "degradation")
    assert (dropped.from_ms, dropped.to_ms) == (3_960, 8_040)


def test_a_change_of_rate_is_not_a_hole() -> None:
    slow = frames(30, 90_000, start=250 * FRAME)
    fast_again = frames(250, FRAME, start=slow[-1] + 90_000)

    assert judged(stream(frames(250) + slow + fast_again)).findings == ()


def test_jitter_is_not_a_dropped_frame() -> None:
    times = [t + (2_500 if i % 3 == 0 else 0) for i, t in enumerate(frames(500))]

    assert judged(stream(times)).findings == ()


def test_a_rate_that_varies_all_the_time_is_noted_and_not_called_loss() -> None:
    times = [t for i, t in enumerate(frames(500)) if i % 5 not in (2, 3)]

    assert all(level == "note" for _, level in kinds(judged(stream(times))))


def test_a_cut_through_an_open_group_is_a_note_only_at_the_edge() -> None:
    edge = [t for i, t in enumerate(frames(250)) if i not in (247, 248)]
    inside = [t for i, t in enumerate(frames(250)) if i not in (120, 121)]

    assert kinds(judged(stream(edge, reorder_frames=2))) == [("dropped_frames", "note")]
    assert kinds(judged(stream(inside, reorder_frames=2))) == [("dropped_frames", "degradation")]
    assert kinds(judged(stream(edge, reorder_frames=0))) == [("dropped_frames", "degradation")]


def test_a_long_first_sample_of_an_mp4_is_a_note() -> None:
    times = [0, *frames(400, SOUND, start=7_000)]

    first = judge(FileReading(container="mp4", reader="test", streams=(sound(times),)), TOLERANCE)
    elsewhere = judged(sound(times))

    assert kinds(first) == [("dropped_frames", "note")]
    assert kinds(elsewhere) == [("dropped_frames", "degradation")]


@pytest.mark.parametrize(("first_ms", "said"), [(249, []), (250, []), (251, [("dropped_frames", "note")])])
def test_the_folded_first_sample_of_a_fragmented_file_is_no_dropped_frame(
    first_ms: int, said: list[tuple[str, str]]
) -> None:
    times = [0, *frames(400, SOUND, start=first_ms * 90)]

    found = judge(FileReading(container="fmp4", reader="test", streams=(sound(times),)), TOLERANCE)

    assert kinds(found) == said


def test_a_long_first_sample_of_a_fragmented_file_before_more_loss_is_said() -> None:
    times = [0, *frames(4, SOUND, start=9_000), *frames(400, SOUND, start=22_000)]

    found = judge(FileReading(container="fmp4", reader="test", streams=(sound(times),)), TOLERANCE)

    assert ("dropped_frames", "note") in kinds(found)


def test_equal_times_are_ignored() -> None:
    times = sorted(frames(250) + frames(250)[50:57])

    assert judged(stream(times)).findings == ()


@pytest.mark.parametrize(
    ("codec", "container", "level"),
    [("pcm_alaw", "mp4", "degradation"), ("pcm_alaw", "matroska", "note"), ("aac", "mp4", "note")],
)
def test_counted_sound_that_ends_a_second_early_has_lost_a_second(codec: str, container: str, level: str) -> None:
    reading = FileReading(
        container=container, reader="pyav", streams=(stream(frames(250)), sound(frames(225), codec=codec))
    )

    facts = judge(reading, TOLERANCE)

    assert kinds(facts) == [("uneven_ends", level)]


def counted_sound(lacks_frames: int, codec: str = "pcm_alaw") -> FileReading:
    """A picture with a hole of two seconds, and sound of counted samples that is some frames shorter."""
    picture = [*frames(100), *frames(100, start=150 * FRAME)]
    return FileReading(
        container="mp4", reader="pyav", streams=(stream(picture), sound(frames(250 - lacks_frames), codec=codec))
    )


@pytest.mark.parametrize(("lacks", "same"), [(42, False), (44, True), (50, True), (56, True), (58, False)])
def test_counted_sound_as_much_shorter_as_the_picture_has_holes_lacks_the_same_time(lacks: int, same: bool) -> None:
    found = kinds(judge(counted_sound(lacks), TOLERANCE))

    apart = [("partial_gap", "degradation"), ("uneven_ends", "degradation")]
    assert found == ([("gap", "interruption")] if same else apart)


def test_sound_with_times_of_its_own_ends_where_they_say() -> None:
    found = kinds(judge(counted_sound(50, "aac"), TOLERANCE))

    assert found == [("partial_gap", "degradation"), ("uneven_ends", "note")]


def test_a_stream_that_ends_early_is_uneven_and_no_gap() -> None:
    late = judged(stream(frames(500)), sound(frames(400, SOUND)))
    slightly = judged(stream(frames(500)), sound(frames(925, SOUND)))

    assert kinds(late) == [("uneven_ends", "degradation")]
    assert the(late, "uneven_ends").stream == 1
    assert slightly.findings == ()


def test_streams_of_two_programs_are_judged_on_their_own_clocks() -> None:
    other = sound(frames(900, SOUND, start=900_000_000), clock=1)

    assert judged(stream(frames(500)), other).findings == ()


def test_a_step_back_in_time_is_a_reset() -> None:
    facts = judged(stream(frames(250), resets=((360_000, 900_000),)))

    reset = the(facts, "timestamp_reset")
    assert (reset.from_ms, reset.size_ms, reset.level) == (4_000, 10_000, "degradation")


@pytest.mark.parametrize(("hidden_ms", "told"), [(249, []), (250, []), (251, [("hidden_loss", "degradation")])])
def test_what_an_edit_list_leaves_out_between_shown_parts_is_told(hidden_ms: int, told: list[tuple[str, str]]) -> None:
    facts = judged(stream(frames(100), hidden=((50 * FRAME, 90 * hidden_ms),)))

    assert kinds(facts) == told
    assert [(finding.from_ms, finding.size_ms) for finding in facts.findings] == [(2000, hidden_ms)] * len(told)


@given(
    interval=st.sampled_from([1_500, 1_501, 3_003, FRAME, 9_000, 90_000]),
    count=st.integers(10, 300),
    start=st.integers(0, 2**33),
    after=st.integers(4, 250),
    lost_ms=st.integers(0, 60_000),
)
def test_a_hole_anywhere_is_found_to_the_frame_and_a_whole_stream_has_none(
    interval: int, count: int, start: int, after: int, lost_ms: int
) -> None:
    after = min(after, count - 5)
    lost = lost_ms * 90
    times = frames(after, interval, start) + frames(count - after, interval, start + after * interval + lost)

    facts = judged(stream(times))

    sizes = [finding.size_ms for finding in facts.findings if finding.kind == "gap"]
    if lost > max(250 * 90, 3 * interval):
        assert sizes == [lost_ms]
    else:
        assert sizes == []
    assert facts.streams[0].covered_ticks == count * interval + (0 if sizes else lost)


@given(times=st.lists(st.integers(0, 10**7), min_size=1, max_size=200), reorder=st.integers(0, 16))
def test_any_times_at_all_are_judged_without_an_error(times: list[int], reorder: int) -> None:
    facts = judged(stream(sorted(times), reorder_frames=reorder))

    covered = facts.streams[0].covered_ticks
    assert covered is None or covered >= 0


@pytest.mark.parametrize(("trimmed_ms", "told"), [(249, 0), (250, 0), (251, 1)])
@pytest.mark.parametrize("place", [0, 1])
def test_what_an_edit_list_leaves_out_at_the_ends_is_a_note(trimmed_ms: int, told: int, place: int) -> None:
    ticks = 90 * trimmed_ms
    found = judged(stream(frames(100), trimmed=(0, ticks) if place else (ticks, 0)))

    where = "after" if place else "before"
    assert kinds(found) == [("hidden_loss", "note")] * told
    assert [f.found for f in found.findings] == [
        f"{trimmed_ms} ms of this stream left out {where} what is shown"
    ] * told
