"""Transport streams: the packets that are missing, counted exactly, and times equal to those of the reference reader."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.adapters import media, media_av, media_ts_packets
from pipeline.domain.facts import judge
from pipeline.domain.findings import Finding
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
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


TABLE_PID = 0x1000
"""Where ffmpeg's muxer puts the table of its first program."""
NULL = b"\x47\x1f\xff\x10" + b"\xff" * 184


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

    assert framed == replace(facts_of(whole), container=f"mpegts-{stride}")


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


@pytest.mark.parametrize(("garbage", "level"), [(1, "note"), (1000, "note"), (3007, "note"), (3008, "degradation")])
def test_garbage_between_packets_is_passed_over_and_told(
    facts_of: Read, whole: bytes, garbage: int, level: str
) -> None:
    at = 300 * PACKET
    found = facts_of(whole[:at] + b"\x11" * garbage + whole[at:])

    (told,) = found.findings
    assert found.reader == "ts"
    assert found.streams == facts_of(whole).streams
    assert (told.kind, told.level, told.byte_offset) == ("packet_loss", level, at)
    assert told.found == f"{garbage} bytes in 1 places that are none"


@pytest.mark.parametrize("zeros", [188, 5000])
def test_an_end_that_was_never_written_is_truncation(facts_of: Read, whole: bytes, zeros: int) -> None:
    found = facts_of(whole + bytes(zeros))

    (cut,) = found.findings
    assert (cut.kind, cut.found, cut.byte_offset) == ("truncated", f"{zeros} bytes that are none", len(whole))
    assert found.streams == facts_of(whole).streams


@pytest.mark.parametrize("codec", ["mp2", "libmp3lame", "ac3", "eac3", "aac -mpegts_flags latm"])
def test_sound_in_other_codings_is_read_alike(tmp_path: Path, codec: str) -> None:
    path = clips.film(tmp_path / "film.ts", *clips.B_FRAMES, "-ac", "2", "-c:a", *codec.split(), seconds=2)

    found, reference = media.facts(str(path), TOLERANCE), judge(media_av.read(path), TOLERANCE)

    assert found.reader == "ts"
    assert found.findings == ()
    assert [replace(s, codec="") for s in found.streams] == [replace(s, codec="") for s in reference.streams]


def test_frames_that_do_not_end_with_their_packet_are_read_alike(facts_of: Read, whole: bytes) -> None:
    data = _shifted_sound(whole)

    shifted, found = facts_of(data), facts_of(whole)

    assert shifted.streams[1].packets == found.streams[1].packets
    assert shifted.findings == ()


def test_tables_that_come_late_serve_what_precedes_them(facts_of: Read, whole: bytes) -> None:
    tables = [packet for packet in clips.packets(whole) if clips.pid(packet) in (0, TABLE_PID)]
    late = b"".join(packet for packet in clips.packets(whole) if packet not in tables) + tables[0] + tables[1]

    assert facts_of(late).streams == facts_of(whole).streams


def test_tables_longer_than_a_packet_are_gathered(facts_of: Read, whole: bytes) -> None:
    found = facts_of(_with_table(whole, lambda section: _with_descriptor(section, bytes(180))))

    assert found.streams == facts_of(whole).streams
    assert found.reader == "ts"


def test_a_table_with_a_wrong_checksum_is_not_believed(facts_of: Read, whole: bytes) -> None:
    data = b"".join(
        packet[:30] + bytes([packet[30] ^ 1]) + packet[31:] if clips.pid(packet) == TABLE_PID else packet
        for packet in clips.packets(whole)
    )

    assert facts_of(data).reader == "pyav (ts: no program table)"


@pytest.mark.parametrize("size", [1, 8, 9, 13, 14])
def test_a_packet_header_split_over_packets_is_gathered(facts_of: Read, whole: bytes, size: int) -> None:
    found = facts_of(_split_headers(whole, size))

    assert found.streams == facts_of(whole).streams
    assert (found.reader, found.findings) == ("ts", ())


@pytest.mark.parametrize(("pid", "codecs"), [(AUDIO_PID, ["h264", "aac"]), (VIDEO_PID, ["unknown", "aac"])])
def test_a_private_stream_is_what_its_packets_say(facts_of: Read, whole: bytes, pid: int, codecs: list[str]) -> None:
    found = facts_of(_with_table(whole, lambda section: _retyped(section, pid, 0x90)))

    assert [stream.kind for stream in found.streams] == ["video", "audio"]
    assert [stream.codec for stream in found.streams] == codecs
    assert [stream.packets for stream in found.streams] == [stream.packets for stream in facts_of(whole).streams]
    assert (found.reader, found.findings) == ("ts", ())


def test_a_loss_is_placed_in_time_and_each_place_named(facts_of: Read, whole: bytes) -> None:
    pictures = [i for i, p in enumerate(clips.packets(whole)) if clips.pid(p) == VIDEO_PID and not clips.begins_unit(p)]
    gone = {pictures[len(pictures) // 2], pictures[-5]}
    data = b"".join(packet for i, packet in enumerate(clips.packets(whole)) if i not in gone)

    (loss,) = losses(facts_of(data))

    second = (max(gone) - 1) * PACKET
    assert loss.found == f"2 packets missing in 2 places, also at {second}"
    assert loss.from_ms is not None
    assert 2000 < loss.from_ms < 4000


def test_missing_tables_and_null_packets_are_no_degradation(facts_of: Read, whole: bytes) -> None:
    gone = [i for i, packet in enumerate(clips.packets(whole)) if clips.pid(packet) == TABLE_PID][3]

    (loss,) = losses(facts_of(whole[: gone * PACKET] + NULL + whole[(gone + 1) * PACKET :]))

    assert (loss.level, loss.stream, loss.count) == ("note", None, 1)


def test_a_packet_marked_as_wrong_by_its_receiver_is_missing(facts_of: Read, whole: bytes) -> None:
    at = [i for i, p in enumerate(clips.packets(whole)) if clips.pid(p) == VIDEO_PID and not clips.begins_unit(p)][40]
    marked = whole[: at * PACKET + 1] + bytes([whole[at * PACKET + 1] | 0x80]) + whole[at * PACKET + 2 :]

    assert [loss.count for loss in losses(facts_of(marked))] == [1]


def test_another_picture_size_inside_a_file_is_told(films: Path, tmp_path: Path) -> None:
    first = (films / "film.ts").read_bytes()
    second = clips.film(tmp_path / "b.ts", *clips.B_FRAMES, *clips.AAC, "-s", "320x240", "-output_ts_offset", "6")
    (tmp_path / "film.ts").write_bytes(first + second.read_bytes())

    found = media.facts(str(tmp_path / "film.ts"), TOLERANCE)

    (change,) = [f for f in found.findings if f.kind == "format_change"]
    assert (change.expected, change.found, change.level, change.stream) == ("160x120", "320x240", "note", 0)
    assert change.from_ms == pytest.approx(6000, abs=200)
    assert change.byte_offset is not None
    assert change.byte_offset >= len(first)


def test_a_frame_of_damaged_sound_is_no_change_of_format(facts_of: Read, whole: bytes) -> None:
    at = [i for i, p in enumerate(clips.packets(whole)) if clips.pid(p) == AUDIO_PID and clips.begins_unit(p)][2]
    header = whole.index(b"\xff\xf1", at * PACKET)
    damaged = whole[: header + 2] + bytes([whole[header + 2] ^ 0x04]) + whole[header + 3 :]

    assert facts_of(damaged).findings == ()


def test_packets_that_continue_a_picture_are_no_frames(facts_of: Read, whole: bytes) -> None:
    """Recorders that keep to 64 KiB a packet cut long pictures in several, of which only the first has a time."""
    cut = _with_continuations(whole)

    assert facts_of(cut).streams == facts_of(whole).streams
    assert facts_of(cut).findings == ()


def test_ten_thousand_programs_end_soon_and_say_why(facts_of: Read, whole: bytes) -> None:
    tables = [
        _packed_section(0, _section(0x00, 1, b"".join(
            (1 + 250 * part + i).to_bytes(2, "big") + (0xE000 | (32 + (250 * part + i) % 8000)).to_bytes(2, "big")
            for i in range(250)
        )))
        for part in range(40)
    ]  # fmt: skip

    found = facts_of(b"".join(tables) + whole)

    assert found.media == "timed"


def test_damaged_headers_that_name_every_stream_there_can_be_make_few_findings(facts_of: Read, whole: bytes) -> None:
    named = [
        b"\x47" + (pid & 0x1FFF).to_bytes(2, "big") + bytes([0x10 | pid % 7]) + bytes(184) for pid in range(0x6000)
    ]

    assert len(facts_of(whole + b"".join(named)).findings) < 20


def test_null_packets_alone_are_no_media(facts_of: Read) -> None:
    found = facts_of(NULL * 1000)

    assert (found.media, found.findings[0].kind) == ("unreadable", "unreadable")


def test_three_packets_are_no_media(facts_of: Read, whole: bytes) -> None:
    assert facts_of(whole[: 3 * PACKET]).media == "unreadable"


@pytest.mark.parametrize(
    "options",
    ["", "-c:v libx265 -c:a aac", "-c:v mpeg2video -c:a mp2", "-c:v libx264 -c:a libopus", "-c:v mjpeg -c:a ac3"],
)
def test_the_referee_has_no_quarrel_about_a_whole_file(tmp_path: Path, options: str) -> None:
    path = clips.film(tmp_path / "film.ts", *options.split(), seconds=3)

    found = media.facts(str(path), TOLERANCE, referee="always")

    assert (found.reader, found.findings) == ("ts", ())


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
    assert media_ts_packets.framing(head) is None


# Transport streams made anew.


def _section(table: int, number: int, body: bytes) -> bytes:
    head = bytes([table]) + (0xB000 | len(body) + 9).to_bytes(2, "big") + number.to_bytes(2, "big") + b"\xc1\0\0"
    return _checked(head + body)


def _checked(section: bytes) -> bytes:
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in section)
    return section + int(f"{zlib.crc32(mirrored) ^ 0xFFFFFFFF:032b}"[::-1], 2).to_bytes(4, "big")


def _packed_section(pid: int, section: bytes) -> bytes:
    """A section in as many packets as it needs."""
    data, packets = b"\0" + section, b""
    for at in range(0, len(data), 184):
        head = (0x4000 if at == 0 else 0) | pid
        packets += b"\x47" + head.to_bytes(2, "big") + b"\x10" + data[at : at + 184].ljust(184, b"\xff")
    return packets


def _renumbered_pids(data: bytes) -> bytes:
    """The same packets with counters without a hole."""
    counters: dict[int, int] = {}
    result = bytearray(data)
    for at in range(0, len(data), PACKET):
        pid = clips.pid(data[at : at + 4])
        counters[pid] = (counters.get(pid, -1) + clips.has_payload(data[at : at + 4])) & 15
        result[at + 3] = result[at + 3] & 0xF0 | counters[pid]
    return bytes(result)


def _with_table(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The program's table changed, in as many packets as it then needs."""
    parts = []
    for packet in clips.packets(data):
        if clips.pid(packet) == TABLE_PID:
            length = 3 + ((packet[6] & 15) << 8 | packet[7])
            parts.append(_packed_section(TABLE_PID, change(packet[5 : 5 + length])))
        else:
            parts.append(packet)
    return _renumbered_pids(b"".join(parts))


def _with_descriptor(section: bytes, text: bytes) -> bytes:
    descriptor = bytes([0xFD, len(text)]) + text
    body = section[8:10] + (0xF000 | len(descriptor)).to_bytes(2, "big") + descriptor
    return _section(2, int.from_bytes(section[3:5], "big"), body + section[12:-4])


def _retyped(section: bytes, pid: int, stream_type: int) -> bytes:
    at = section.index((0xE000 | pid).to_bytes(2, "big"), 12) - 1
    return _section(2, int.from_bytes(section[3:5], "big"), section[8:at] + bytes([stream_type]) + section[at + 1 : -4])


def _padded(head: bytes, payload: bytes) -> bytes:
    """A packet with fewer than 184 bytes of payload."""
    if len(payload) == 184:
        return head[:3] + bytes([head[3] & 0x0F | 0x10]) + payload
    room = 183 - len(payload)
    field = bytes([room]) + (b"\0" + b"\xff" * (room - 1) if room else b"")
    return head[:3] + bytes([head[3] & 0x0F | 0x30]) + field + payload


def _split_headers(data: bytes, size: int) -> bytes:
    """Every PES header in two packets, of which the first has *size* bytes of it."""
    parts = []
    for packet in clips.packets(data):
        if clips.pid(packet) in (VIDEO_PID, AUDIO_PID) and clips.begins_unit(packet):
            payload = _payload(packet)
            parts.append(_padded(packet[:4], payload[:size]))
            parts.append(_padded(bytes([packet[0], packet[1] & ~0x40, *packet[2:4]]), payload[size:]))
        else:
            parts.append(packet)
    return _renumbered_pids(b"".join(parts))


def _payload(packet: bytes) -> bytes:
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _with_continuations(data: bytes) -> bytes:
    """A PES packet without a time in front of every video packet in the middle of a picture."""
    parts = []
    header = b"\0\0\1\xe0\0\0\x80\0\0"
    for packet in clips.packets(data):
        if clips.pid(packet) == VIDEO_PID and not clips.begins_unit(packet) and clips.has_payload(packet):
            payload = header + _payload(packet)
            start = bytes([packet[0], packet[1] | 0x40, *packet[2:4]])
            parts.append(_padded(start, payload[:100]))
            parts += [_padded(packet[:4], payload[100:])] if payload[100:] else []
        else:
            parts.append(packet)
    return _renumbered_pids(b"".join(parts))


def _shifted_sound(data: bytes) -> bytes:
    """Sound whose PES packets end 20 bytes into the frame that the next one would begin with."""
    rows = [packet for packet in clips.packets(data) if clips.pid(packet) == AUDIO_PID and clips.has_payload(packet)]
    units: list[bytes] = []
    for packet in rows:
        if clips.begins_unit(packet):
            units.append(b"")
        units[-1] += _payload(packet)
    headers = [unit[: 9 + unit[8]] for unit in units]
    streams = [unit[9 + unit[8] :] for unit in units]
    moved = [a[20 if i else 0 :] + b[:20] for i, (a, b) in enumerate(zip(streams, [*streams[1:], b""], strict=True))]
    # A packet's time is that of the first frame that begins in it: the second of those it began with.
    sound = b""
    for i, (header, stream) in enumerate(zip(headers, moved, strict=True)):
        later = _later(header, 1024 * 90_000 // 48_000) if i else header
        unit = later[:4] + (len(later) - 6 + len(stream)).to_bytes(2, "big") + later[6:] + stream
        for at in range(0, len(unit), 184):
            head = bytes([0x47, (0x40 if at == 0 else 0) | AUDIO_PID >> 8, AUDIO_PID & 0xFF, 0x10])
            sound += _padded(head, unit[at : at + 184])
    others = b"".join(packet for packet in clips.packets(data) if clips.pid(packet) != AUDIO_PID)
    return _renumbered_pids(others + sound)


def _later(header: bytes, ticks: int) -> bytes:
    """The PES header with another presentation time."""
    b = header[9:14]
    time = ((b[0] >> 1 & 7) << 30 | b[1] << 22 | (b[2] >> 1) << 15 | b[3] << 7 | b[4] >> 1) + ticks
    fields = [
        b[0] & 0xF0 | time >> 30 << 1 | 1, time >> 22 & 0xFF, (time >> 15 & 0x7F) << 1 | 1, time >> 7 & 0xFF,
        (time & 0x7F) << 1 | 1,
    ]  # fmt: skip
    return header[:9] + bytes(fields) + header[14:]
