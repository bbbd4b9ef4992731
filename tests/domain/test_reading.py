"""Reading: holes are found where times are missing, sized to a frame, and never invented."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, groupby, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.cadence import Cadence
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.reading import (
    FileReading,
    Foreign,
    FormatChange,
    PacketLoss,
    StreamReading,
    Truncation,
    judge,
    photo,
    unreadable,
)
from tests.findings import the

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
FRAME = 3600  # 25 frames a second at 90 kHz
SOUND = 1920  # 1024 samples of 48 kHz at 90 kHz


def cadence(times: list[int]) -> Cadence:
    runs = [(interval, len(list(same))) for interval, same in groupby(b - a for a, b in pairwise(times))]
    starts = accumulate((interval * count for interval, count in runs), initial=times[0] if times else 0)
    return Cadence(
        starts=list(starts)[: len(runs)], intervals=[run[0] for run in runs], counts=[run[1] for run in runs]
    )


def stream(times: list[int], **changes: Any) -> StreamReading:
    """A 90 kHz video stream with these presentation times."""
    made = StreamReading(
        index=0,
        kind="video",
        codec="h264",
        time_base_num=1,
        time_base_den=90_000,
        packets=len(times),
        first_ticks=times[0] if times else None,
        last_ticks=times[-1] if times else None,
        cadence=cadence(times),
    )
    return replace(made, **changes)


def sound(times: list[int], **changes: Any) -> StreamReading:
    return stream(times, **{"index": 1, "kind": "audio", "codec": "aac", **changes})


def frames(count: int, interval: int = FRAME, start: int = 0) -> list[int]:
    return [start + i * interval for i in range(count)]


def without(times: list[int], from_ms: int, to_ms: int) -> list[int]:
    return [t for t in times if not from_ms * 90 <= t < to_ms * 90]


def judged(*streams: StreamReading, **changes: Any) -> MediaFacts:
    return judge(FileReading(container="mpegts", reader="test", streams=streams, **changes), TOLERANCE)


def kinds(facts: MediaFacts) -> list[tuple[str, str]]:
    return [(finding.kind, finding.level) for finding in facts.findings]


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


def test_a_format_without_stored_times_is_not_testable_and_its_totals_are_compared() -> None:
    facts = judged(stream(frames(500)), sound(frames(797, SOUND)), counted=True)

    assert kinds(facts) == [("uneven_ends", "degradation"), ("not_testable", "note")]
    assert the(facts, "uneven_ends").evidence == "totals"
    assert the(facts, "uneven_ends").size_ms == 2_997


def test_packets_without_times_are_not_testable() -> None:
    none = stream([], packets=50, missing_pts=50)

    facts = judged(none)

    assert kinds(facts) == [("not_testable", "note")]
    assert facts.streams[0].first_ticks is None
    assert the(facts, "not_testable").found == "50 of 50 packets without a time"


def test_too_few_frames_are_not_testable() -> None:
    assert kinds(judged(stream(frames(3)))) == [("not_testable", "note")]
    assert judged(stream(frames(4))).findings == ()


def test_a_declared_stream_without_packets_is_named() -> None:
    facts = judged(stream(frames(250)), sound([]))

    assert kinds(facts) == [("empty_stream", "degradation")]


def test_a_file_without_packets_is_unreadable() -> None:
    facts = judged(stream([]), sound([]))

    assert facts.media == "unreadable"
    assert kinds(facts) == [("unreadable", "interruption")]


def test_what_a_truncated_file_declares_beyond_what_is_there_is_lost_time() -> None:
    cut = Truncation(expected="the whole box mdat", found="10 bytes of it missing", byte_offset=100)

    measured = judged(stream(frames(300), declared_ticks=500 * FRAME), truncation=cut)
    unmeasured = judged(stream(frames(300)), truncation=cut)

    assert kinds(measured) == [("truncated", "interruption")]
    assert the(measured, "truncated").size_ms == 8_000
    assert kinds(unmeasured) == [("truncated", "degradation")]


def test_a_declared_length_alone_says_nothing() -> None:
    assert judged(stream(frames(300), declared_ticks=500 * FRAME)).findings == ()


def test_packet_loss_and_announced_discontinuities_are_reported_with_their_place() -> None:
    loss = PacketLoss(pid=256, stream=0, count=5, places=2, byte_offset=1880)

    facts = judged(stream(frames(250)), losses=(loss,), announced=(2, 376))

    assert kinds(facts) == [("packet_loss", "degradation"), ("declared_discontinuity", "note")]
    assert (the(facts, "packet_loss").count, the(facts, "packet_loss").byte_offset) == (5, 1880)
    assert the(facts, "declared_discontinuity").byte_offset == 376


def test_a_step_back_in_time_is_a_reset() -> None:
    facts = judged(stream(frames(250), resets=((360_000, 900_000),)))

    reset = the(facts, "timestamp_reset")
    assert (reset.from_ms, reset.size_ms, reset.level) == (4_000, 10_000, "degradation")


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([1, 2, 3, 4, 5, 6], None),
        ([4, 5, 6, 9, 10, 11], 2),
        ([1, 2, 3, 1, 2, 3], None),
        ([1, 3, 5, 7, 9], None),
        ([1, 1, 1, 1], None),
        ([1, 2, 3, 4, 6], None),
        ([1, 2, 3, 4, 5, 7], 1),
    ],
    ids=["whole", "a hole", "again", "by two", "none", "too few to know", "just enough"],
)
def test_numbers_that_are_missing_of_a_count_by_one_are_told(numbers: list[int], missing: int | None) -> None:
    found = judged(stream(frames(100)), numbers=numbers)

    assert [f.count for f in found.findings] == ([missing] if missing else [])
    assert all((f.kind, f.level, f.evidence) == ("missing_sequence", "degradation", "sequence") for f in found.findings)


@pytest.mark.parametrize(
    ("numbers", "behind"),
    [
        pytest.param([1, 2, 5, 6, 3, 4], 1, id="one part moved"),
        pytest.param([2, 1, 4, 3], 2, id="two parts"),
        pytest.param([1, 2, 3, 1, 2, 3], None, id="each number twice: by stream"),
    ],
)
def test_parts_behind_later_ones_are_told(numbers: list[int], behind: int | None) -> None:
    found = judged(stream(frames(100)), numbers=numbers)

    assert [f.count for f in found.findings] == ([behind] if behind else [])
    assert all((f.kind, f.level, f.evidence) == ("out_of_order", "degradation", "sequence") for f in found.findings)


@pytest.mark.parametrize(("hidden_ms", "told"), [(249, []), (250, []), (251, [("hidden_loss", "degradation")])])
def test_what_an_edit_list_leaves_out_between_shown_parts_is_told(hidden_ms: int, told: list[tuple[str, str]]) -> None:
    facts = judged(stream(frames(100), hidden=((50 * FRAME, 90 * hidden_ms),)))

    assert kinds(facts) == told
    assert [(finding.from_ms, finding.size_ms) for finding in facts.findings] == [(2000, hidden_ms)] * len(told)


def test_photos_and_unreadable_files_say_so() -> None:
    assert kinds(photo("jpeg", "header", ())) == [("not_testable", "note")]
    assert kinds(unreadable("0 bytes")) == [("unreadable", "interruption")]


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


def test_a_loss_is_placed_on_the_clock_that_its_stream_shares() -> None:
    loss = PacketLoss(pid=257, stream=1, count=1, places=1, byte_offset=1880, after_ticks=90_000)
    late = stream(frames(250, start=45_000), index=1)

    facts = judged(stream(frames(250)), late, losses=(loss,))

    assert [f.from_ms for f in facts.findings if f.kind == "packet_loss"] == [1500]


@pytest.mark.parametrize(("heard", "level"), [(True, "degradation"), (False, "note")])
def test_missing_tables_are_noted_missing_pictures_degrade(heard: bool, level: str) -> None:
    loss = PacketLoss(pid=0, stream=None, count=1, places=1, byte_offset=0, heard=heard)

    assert [f.level for f in judged(stream(frames(250)), losses=(loss,)).findings] == [level]


@pytest.mark.parametrize(("size", "level"), [(3007, "note"), (3008, "degradation"), (3009, "degradation")])
def test_bytes_that_could_hold_a_turn_of_the_counters_degrade(size: int, level: str) -> None:
    foreign = Foreign(places=1, count_bytes=size, byte_offset=188)

    assert [f.level for f in judged(stream(frames(250)), foreign=foreign).findings] == [level]


def test_a_change_of_format_is_noted_with_both_sides_and_its_place() -> None:
    change = FormatChange(stream=0, before="640x480", after="320x240", byte_offset=376, after_ticks=180_000)

    (told,) = judged(stream(frames(250)), changes=(change,)).findings

    assert (told.kind, told.level, told.expected, told.found) == ("format_change", "note", "640x480", "320x240")
    assert (told.from_ms, told.byte_offset) == (2000, 376)


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
