"""Transport streams: the packets that are missing, counted exactly, and times equal to those of the reference reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.adapters import media, media_av, media_ts
from pipeline.domain.findings import Finding
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.reading import judge
from tests import clips
from tests.clips import AUDIO_PID, PACKET, VIDEO_PID

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)


@pytest.fixture
def whole(films: Path) -> bytes:
    return (films / "film.ts").read_bytes()


@pytest.fixture
def facts_of(tmp_path: Path) -> Callable[[bytes], MediaFacts]:
    def read(data: bytes) -> MediaFacts:
        path = tmp_path / "film.ts"
        path.write_bytes(data)
        return media.facts(str(path), TOLERANCE)

    return read


Read = Callable[[bytes], MediaFacts]


def losses(found: MediaFacts) -> list[Finding]:
    return [finding for finding in found.findings if finding.kind == "packet_loss"]


@pytest.mark.parametrize("options", [(), ("-output_ts_offset", "95441"), ("-muxdelay", "0"), ("-pat_period", "1")])
def test_times_equal_those_of_the_reference_reader(films: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    path = clips.remux(films / "film.mp4", tmp_path / "film.ts", *options)

    found = media.facts(str(path), TOLERANCE)

    assert found.reader == "ts"
    assert found.streams == judge(media_av.read(path), TOLERANCE).streams


@pytest.mark.parametrize("codec", ["libx265", "mpeg2video"])
def test_other_pictures_are_read_alike(tmp_path: Path, codec: str) -> None:
    path = clips.film(tmp_path / "film.ts", "-c:v", codec, *clips.AAC, seconds=2)

    found, reference = media.facts(str(path), TOLERANCE), judge(media_av.read(path), TOLERANCE)

    assert found.reader == "ts"
    assert [(s.first_ticks, s.last_ticks, s.packets) for s in found.streams] == [
        (s.first_ticks, s.last_ticks, s.packets) for s in reference.streams
    ]
    assert found.streams[0].format in ("", reference.streams[0].format)


@pytest.mark.parametrize("stride", [192, 204])
def test_packets_of_other_strides_give_the_same_facts(facts_of: Read, whole: bytes, stride: int) -> None:
    framed = facts_of(clips.framed(whole, stride))

    assert framed == facts_of(whole)


@pytest.mark.parametrize("garbage", [1, 187, 1000])
def test_garbage_before_the_first_packet_is_passed_over(facts_of: Read, whole: bytes, garbage: int) -> None:
    assert facts_of(b"\x11" * garbage + whole).streams == facts_of(whole).streams


@pytest.mark.parametrize(
    ("pid", "stream", "numbers"),
    [
        (VIDEO_PID, 0, {50}),
        (VIDEO_PID, 0, {20, 21, 22, 120}),
        (VIDEO_PID, 0, set(range(100, 115))),
        (AUDIO_PID, 1, {5, 40}),
    ],
)
def test_missing_packets_are_counted_by_pid(
    facts_of: Read, whole: bytes, pid: int, stream: int, numbers: set[int]
) -> None:
    data = clips.without_packets(whole, pid, numbers)
    count = (len(whole) - len(data)) // PACKET

    (loss,) = losses(facts_of(data))

    assert (loss.stream, loss.count, loss.level) == (stream, count, "degradation")
    assert count == len(numbers)
    assert loss.byte_offset is not None
    assert clips.pid(data[loss.byte_offset : loss.byte_offset + PACKET]) == pid


def test_a_packet_sent_twice_is_legal_and_changes_nothing(facts_of: Read, whole: bytes) -> None:
    at = 200 * PACKET
    twice = whole[: at + PACKET] + whole[at : at + PACKET] + whole[at + PACKET :]

    assert facts_of(twice) == facts_of(whole)


def test_a_packet_sent_three_times_is_not_legal(facts_of: Read, whole: bytes) -> None:
    at = next(i for i in range(200 * PACKET, len(whole), PACKET) if clips.pid(whole[i : i + PACKET]) == VIDEO_PID)
    thrice = whole[:at] + whole[at : at + PACKET] * 3 + whole[at + PACKET :]

    (loss,) = losses(facts_of(thrice))

    assert loss.count == 15


def test_an_announced_discontinuity_is_a_note_and_no_loss(facts_of: Read, whole: bytes) -> None:
    second = whole[: 100 * PACKET] + _renumbered(whole[100 * PACKET :], announce=True)

    found = facts_of(second)

    assert losses(found) == []
    assert [f.kind for f in found.findings] == ["declared_discontinuity"]


def test_the_same_break_unannounced_is_loss(facts_of: Read, whole: bytes) -> None:
    second = whole[: 100 * PACKET] + _renumbered(whole[100 * PACKET :], announce=False)

    assert {loss.stream for loss in losses(facts_of(second))} >= {0, 1}


def _renumbered(data: bytes, *, announce: bool) -> bytes:
    """Counters moved by 5; optionally each PID's next packet with room for it declares the discontinuity."""
    result: list[bytes] = []
    declared: set[int] = set()
    for packet in clips.packets(data):
        changed = bytearray(packet)
        pid = clips.pid(packet)
        changed[3] = (changed[3] & 0xF0) | ((changed[3] + 5) & 0x0F)
        if announce and pid not in declared:
            if changed[3] & 0x20 and changed[4]:
                changed[5] |= 0x80
                declared.add(pid)
            else:  # an adaptation field of its own, without payload, says it
                counter = (changed[3] - 1) & 0x0F
                said = bytes([0x47, changed[1] & 0x1F, changed[2], 0x20 | counter, 183, 0x80]) + b"\xff" * 182
                result.append(said)
                declared.add(pid)
        result.append(bytes(changed))
    return b"".join(result)


@pytest.mark.parametrize("left", [1, 94, 187])
def test_a_part_of_a_packet_at_the_end_is_truncation(facts_of: Read, whole: bytes, left: int) -> None:
    (cut,) = [f for f in facts_of(whole[: 300 * PACKET + left]).findings if f.kind == "truncated"]

    assert cut.found == f"{left} bytes of the last one"
    assert cut.byte_offset == 300 * PACKET


def test_a_single_damaged_sync_byte_is_one_lost_packet(facts_of: Read, whole: bytes) -> None:
    at = next(
        i
        for i in range(200 * PACKET, len(whole), PACKET)
        if clips.pid(whole[i : i + PACKET]) == VIDEO_PID and not clips.begins_unit(whole[i : i + PACKET])
    )
    found = facts_of(whole[:at] + b"\0" + whole[at + 1 :])

    assert found.reader == "ts"
    assert [loss.count for loss in losses(found)] == [1]


def test_lost_synchronisation_is_left_to_the_reference_reader_and_said(facts_of: Read, whole: bytes) -> None:
    at = 300 * PACKET
    found = facts_of(whole[:at] + b"\x11" * 1000 + whole[at:])

    assert found.reader == f"pyav (ts: synchronisation lost at byte {at})"
    assert found.media == "timed"


def test_sound_in_another_coding_is_left_to_the_reference_reader(tmp_path: Path) -> None:
    path = clips.film(tmp_path / "film.ts", *clips.B_FRAMES, "-c:a", "mp2", seconds=2)

    found = media.facts(str(path), TOLERANCE)

    assert found.reader == "pyav (ts: stream type 0x03)"
    assert [f for f in found.findings if f.level != "note"] == []


def test_programs_with_clocks_of_their_own_are_judged_apart(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.ts"
    clips.ffmpeg(
        "-i", str(films / "film.mp4"), "-itsoffset", "5000", "-i", str(films / "film.mp4"), "-c", "copy",
        "-map", "0:v", "-map", "0:a", "-map", "1:v", "-map", "1:a",
        "-program", "title=a:st=0:st=1", "-program", "title=b:st=2:st=3", str(path),
    )  # fmt: skip

    found = media.facts(str(path), TOLERANCE)

    assert found.reader == "ts"
    assert len(found.streams) == 4
    assert found.findings == ()


def test_a_recording_that_starts_over_inside_a_file_is_a_reset(facts_of: Read, whole: bytes) -> None:
    found = facts_of(whole + whole)

    resets = [f for f in found.findings if f.kind == "timestamp_reset"]
    assert {reset.stream for reset in resets} == {0, 1}
    assert [f for f in found.findings if f.level == "interruption"] == []
    assert all(reset.size_ms == pytest.approx(6000, abs=50) for reset in resets)


@pytest.mark.parametrize("head", [b"", b"\x47", b"\x47" + bytes(186), bytes(4000), b"\x47" + bytes(187) + b"\x46"])
def test_what_is_no_transport_stream_is_not_taken_for_one(head: bytes) -> None:
    assert media_ts.framing(head) is None
