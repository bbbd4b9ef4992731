"""Facts: what a file says as a whole, beside what its streams lack."""

from __future__ import annotations

import pytest

from pipeline.domain.facts import photo, unreadable
from pipeline.domain.reading import Foreign, FormatChange, PacketLoss, Truncation
from tests.builders_reading import FRAME, SOUND, frames, judged, kinds, sound, stream
from tests.findings import the


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


def test_photos_and_unreadable_files_say_so() -> None:
    assert kinds(photo("jpeg", "header", ())) == [("not_testable", "note")]
    assert kinds(unreadable("0 bytes")) == [("unreadable", "interruption")]


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
