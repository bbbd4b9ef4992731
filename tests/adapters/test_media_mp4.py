"""ISO base media files: times equal to the reference reader's however the file is written, and what is not there is lost."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.adapters import media, media_av, media_bmff, media_mp4
from pipeline.adapters.media_bmff import Joined
from pipeline.domain.facts import judge
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts, StreamFacts
from pipeline.domain.reading import FileReading
from pipeline.domain.referee import compare
from tests import clips
from tests.findings import serious, the

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
MUXED = {
    "plain.mp4": (),
    "index first.mp4": ("-movflags", "faststart"),
    "no edit list.mp4": ("-use_editlist", "0"),
    "negative offsets.mp4": ("-movflags", "negative_cts_offsets"),
    "hint tracks.mp4": ("-movflags", "rtphint"),
    "metadata tags.mp4": ("-movflags", "use_metadata_tags", "-metadata", "place=gate"),
    "cut at the start.mp4": ("-ss", "1.5"),
    "fine movie clock.mp4": ("-movie_timescale", "90000"),
    "starts late.mp4": ("-output_ts_offset", "3"),
    "time code.mov": ("-timecode", "10:00:00:00"),
    "sound.m4a": ("-vn",),
    "first fragment in the index.mp4": ("-movflags", "frag_keyframe"),
    "fragments.mp4": ("-movflags", "frag_keyframe+empty_moov"),
    "fragments from moof.mp4": ("-movflags", "frag_keyframe+empty_moov+default_base_moof"),
    "fragments without base.mp4": ("-movflags", "frag_keyframe+empty_moov+omit_tfhd_offset"),
    "fragments by track.mp4": ("-movflags", "frag_keyframe+empty_moov+separate_moof"),
    "fragments, late index.mp4": ("-movflags", "frag_keyframe+delay_moov"),
    "fragments, late start.mp4": ("-movflags", "frag_keyframe+delay_moov", "-output_ts_offset", "3"),
    "half seconds.mp4": ("-movflags", "empty_moov+default_base_moof", "-frag_duration", "500000"),
    "dash.mp4": ("-movflags", "dash+frag_keyframe"),
    "one segment index.mp4": ("-movflags", "dash+frag_keyframe+global_sidx"),
    "no segment index.mp4": ("-movflags", "dash+frag_keyframe+skip_sidx"),
}
DELAYED = {
    "cmaf.mp4": ("-movflags", "cmaf+frag_keyframe"),
    "negative offsets.mp4": ("-movflags", "negative_cts_offsets+frag_keyframe+empty_moov"),
}


def direct(path: Path) -> FileReading:
    with path.open("rb") as file:
        boxes = media_bmff.walk(file, path.stat().st_size)
        return media_mp4.read(file, boxes, media_bmff.index(file, boxes))


def facts(path: Path, init: Path | None = None) -> MediaFacts:
    return media.facts(str(path), TOLERANCE, str(init) if init else None, referee="always")


def timed(found: MediaFacts) -> list[StreamFacts]:
    return [stream for stream in found.streams if stream.kind != "other"]


def survives(path: Path) -> bool:
    """Whether the direct reader reads the file or says that it does not; nothing else may come out of it."""
    try:
        reading = direct(path)
    except media_av.NotExactlyError:
        return True
    return judge(reading, TOLERANCE).media in ("timed", "unreadable")


def agrees(path: Path) -> MediaFacts:
    """The direct reading's facts, after PyAV said the same."""
    reading = direct(path)
    found, reference = judge(reading, TOLERANCE), judge(media_av.read(path), TOLERANCE)
    assert timed(found) == timed(reference)
    assert found.clocks == reference.clocks
    assert facts(path) == found
    return found


# Whole files.


@pytest.mark.parametrize("name", MUXED)
def test_however_it_is_written_the_times_are_the_reference_readers(films: Path, tmp_path: Path, name: str) -> None:
    path = clips.remux(films / "film.mp4", tmp_path / name, *MUXED[name])

    found = agrees(path)

    assert found.reader == "isobmff"
    assert serious(found) == []


@pytest.mark.parametrize("name", DELAYED)
def test_negative_offsets_in_fragments_delay_nothing(films: Path, tmp_path: Path, name: str) -> None:
    """libavformat delays such a picture by its deepest offset; the standard (8.8.8) does not."""
    path = clips.remux(films / "film.mp4", tmp_path / name, *DELAYED[name])
    reading = direct(path)

    assert (reading.streams[0].first_ticks, reading.streams[0].packets) == (0, 150)
    assert facts(path).findings == ()


@pytest.mark.parametrize(
    ("suffix", "codecs"),
    [
        ("mp4", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-c:a", "aac")),
        ("mp4", ("-c:v", "mpeg4", "-c:a", "flac", "-strict", "-2")),
        ("mp4", (*clips.X264, "-c:a", "alac")),
        ("mp4", (*clips.X264, "-c:a", "libopus")),
        ("mov", ("-c:v", "mjpeg", "-c:a", "pcm_s16le")),
        ("mov", ("-c:v", "mjpeg", "-c:a", "pcm_s24le")),
        ("mov", ("-c:v", "mjpeg", "-c:a", "pcm_f32le")),
        ("mov", ("-c:v", "mjpeg", "-c:a", "pcm_alaw", "-ar", "8000")),
        ("mov", ("-c:v", "mpeg4", "-c:a", "pcm_mulaw", "-ar", "8000")),
        ("3gp", ("-s", "176x144", "-c:v", "h263", "-an")),
    ],
    ids=["hevc", "mpeg4 flac", "alac", "opus", "s16le", "s24le", "f32le", "alaw", "mulaw", "h263"],
)
def test_codings_are_named_as_the_reference_reader_names_them(
    tmp_path: Path, suffix: str, codecs: tuple[str, ...]
) -> None:
    path = clips.film(tmp_path / f"film.{suffix}", *codecs, seconds=3)

    assert agrees(path).reader == "isobmff"


@pytest.mark.parametrize("codec", ["mp3", "ac3"])
def test_a_coding_that_only_its_frames_describe_is_left_to_the_reference_reader(tmp_path: Path, codec: str) -> None:
    path = clips.film(tmp_path / "film.mp4", *clips.X264, "-c:a", codec, seconds=3)

    found = facts(path)

    assert found.reader.startswith("pyav (isobmff: coding ")
    assert serious(found) == []


def test_an_edit_that_begins_between_key_frames_shows_what_players_show(tmp_path: Path) -> None:
    whole = clips.film(
        tmp_path / "open.mp4", *clips.X264, "-bf", "3", "-x264-params", "open-gop=1:b-adapt=0:b-pyramid=1", *clips.AAC
    )
    for start_s in ("1.02", "2.3", "3.9"):
        agrees(clips.remux(whole, tmp_path / f"from {start_s}.mp4", "-ss", start_s))


@pytest.mark.parametrize("rate", ["1", "12.5", "30000/1001"])
@pytest.mark.parametrize("options", [(), clips.FRAGMENTED], ids=["index", "fragments"])
def test_any_frame_rate_reads_the_same(tmp_path: Path, rate: str, options: tuple[str, ...]) -> None:
    path = tmp_path / "film.mp4"
    picture = ("-f", "lavfi", "-i", f"testsrc=size=160x120:rate={rate}", "-t", "12")
    clips.ffmpeg(*picture, *clips.B_FRAMES, *options, str(path))

    assert serious(agrees(path)) == []


def test_sizes_in_two_bytes_each_are_read(films: Path, tmp_path: Path) -> None:
    data = (films / "fast.mp4").read_bytes()
    at = data.index(b"stsz") - 4
    (count,) = struct.unpack_from(">I", data, at + 16)
    sizes = struct.unpack_from(f">{count}I", data, at + 20)
    compact = struct.pack(f">I4sIII{count}H", 20 + 2 * count, b"stz2", 0, 16, count, *sizes)
    path = tmp_path / "compact.mp4"
    path.write_bytes(data[:at] + compact + struct.pack(">I4s", 2 * count, b"free") + data[at + 28 + 2 * count :])

    agrees(path)


def test_media_data_of_a_size_in_eight_bytes_and_of_none_is_media_data(films: Path, tmp_path: Path) -> None:
    data = bytearray((films / "film.mp4").read_bytes())
    at = data.index(b"mdat") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    data[at - 8 : at + 8] = struct.pack(">I4sQ", 1, b"mdat", size + 8)
    wide = tmp_path / "wide.mp4"
    wide.write_bytes(data)
    last = bytearray((films / "fast.mp4").read_bytes())
    at = last.index(b"mdat") - 4
    last[at : at + 4] = bytes(4)
    open_ended = tmp_path / "open.mp4"
    open_ended.write_bytes(last)

    assert agrees(wide).findings == ()
    assert agrees(open_ended).findings == ()


def edited(source: Path, target: Path, *edits: tuple[int, int]) -> Path:
    """*source*, whose index is at its end, with these edits, in milliseconds, of all its tracks."""
    data = source.read_bytes()
    at = data.index(b"moov") - 4
    target.write_bytes(data[:at] + _edited(data[at:], edits))
    return target


def _edited(box: bytes, edits: tuple[tuple[int, int], ...], timescale: int = 0) -> bytes:
    kind, at, body = box[4:8], 8, b""
    if kind == b"edts":
        rows = [
            struct.pack(">IiI", length, start if start < 0 else start * timescale // 1000, 1 << 16)
            for length, start in edits
        ]
        listed = struct.pack(">I4sII", 16 + 12 * len(rows), b"elst", 0, len(rows)) + b"".join(rows)
        return struct.pack(">I4s", 8 + len(listed), b"edts") + listed
    if kind not in (b"moov", b"trak"):
        return box
    if kind == b"trak":
        (timescale,) = struct.unpack_from(">I", box, box.index(b"mdhd") + 16)
    while at < len(box):
        (size,) = struct.unpack_from(">I", box, at)
        body += _edited(box[at : at + size], edits, timescale)
        at += size
    return struct.pack(">I4s", 8 + len(body), kind) + body


def test_edits_that_continue_each_other_change_nothing(tmp_path: Path) -> None:
    film = clips.film(tmp_path / "film.mp4", *clips.X264, "-bf", "0", *clips.AAC)
    path = edited(film, tmp_path / "edits.mp4", (1000, 0), (2000, 1000), (10_000, 3000))

    found = facts(path)

    assert (found.reader, found.findings) == ("isobmff", ())


def test_a_cut_that_an_edit_list_hides_from_players_is_told(tmp_path: Path) -> None:
    film = clips.film(tmp_path / "film.mp4", *clips.X264, "-bf", "0", *clips.AAC)
    path = edited(film, tmp_path / "edits.mp4", (2000, 0), (10_000, 4000))

    found = facts(path)

    assert found.reader == "isobmff"
    assert [(f.kind, f.level, f.stream, f.from_ms, f.size_ms) for f in found.findings] == [
        ("hidden_loss", "degradation", 0, 2000, 2000),
        ("hidden_loss", "degradation", 1, 2000, 2000),
    ]


def test_an_empty_edit_between_two_that_show_something_is_a_hole(films: Path, tmp_path: Path) -> None:
    path = edited(films / "film.mp4", tmp_path / "edits.mp4", (2000, 0), (1500, -1), (10_000, 2000))

    hole = the(judge(direct(path), TOLERANCE), "gap")

    assert hole.level == "interruption"
    assert abs((hole.from_ms or 0) - 2000) <= 40
    assert abs((hole.size_ms or 0) - 1500) <= 40


def test_edits_that_go_back_are_left_to_the_reference_reader(films: Path, tmp_path: Path) -> None:
    path = edited(films / "film.mp4", tmp_path / "edits.mp4", (2000, 2000), (2000, 0))

    assert facts(path).reader == "pyav (isobmff: 2 edits, which go back)"


def test_a_fragment_taken_out_and_the_rest_stamped_anew_shows_by_its_number(films: Path, tmp_path: Path) -> None:
    options = ("-movflags", "frag_every_frame+empty_moov+default_base_moof")
    whole = clips.remux(films / "film.mp4", tmp_path / "whole.mp4", "-an", *options)
    data = bytearray(whole.read_bytes())
    starts = [at - 4 for at in range(len(data)) if data.startswith(b"moof", at)]
    times = [_decode_time(data, start) for start in starts]
    lost = times[71][1] - times[70][1]
    for place, time in times[71:]:
        struct.pack_into(">Q", data, place, time - lost)
    path = tmp_path / "restamped.mp4"
    path.write_bytes(data[: starts[70]] + data[starts[71] :])

    found = facts(path)

    assert facts(whole).findings == ()
    assert [(f.kind, f.level, f.found) for f in found.findings if f.kind != "dropped_frames"] == [
        ("missing_sequence", "degradation", "1 missing in 1 places, the first from 71 to 71")
    ]


def _decode_time(data: bytes | bytearray, moof: int) -> tuple[int, int]:
    """Where a fragment's decoding time stands, and the time."""
    place = data.index(b"tfdt", moof) + 8
    return place, int.from_bytes(data[place : place + 8], "big")


# What is not there.


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_filling_behind_a_whole_film_is_no_lost_end(films: Path, tmp_path: Path, fill: bytes) -> None:
    path = tmp_path / "filled.mp4"
    path.write_bytes((films / "film.mp4").read_bytes() + fill * (3 << 20))

    assert facts(path).findings == ()


@pytest.mark.parametrize(
    ("name", "tail"),
    [
        ("film.mp4", bytes(2 << 20) + b"\1"),
        ("film.mp4", bytes(100) + b"\xff" * 100),
        ("fragments.mp4", bytes(4096)),
    ],
    ids=["more than filling", "two fillings", "fragments may have been there"],
)
def test_bytes_behind_a_film_that_may_have_been_media_are_told(
    films: Path, tmp_path: Path, name: str, tail: bytes
) -> None:
    path = tmp_path / "tail.mp4"
    path.write_bytes((films / name).read_bytes() + tail)

    assert the(facts(path), "truncated").level == "degradation"


@pytest.mark.parametrize("name", ["fast.mp4", "fragments.mp4"])
@pytest.mark.parametrize("percent", [30, 60, 61, 62, 90])
def test_a_cut_file_ends_at_the_last_sample_that_is_whole(films: Path, tmp_path: Path, name: str, percent: int) -> None:
    whole = films / name
    path = clips.cut(whole, tmp_path / "cut.mp4", whole.stat().st_size * percent // 100)
    reading = direct(path)

    found = facts(path)

    assert "reader_disagreement" not in [finding.kind for finding in found.findings]
    lost = the(found, "truncated")
    assert lost.level == "interruption"
    assert lost.found.endswith("of them are not in the file")
    assert all(stream.last_ticks is not None for stream in reading.streams)


def test_a_cut_index_first_file_counts_each_lost_sample(films: Path, tmp_path: Path) -> None:
    whole = films / "fast.mp4"
    path = clips.cut(whole, tmp_path / "cut.mp4", whole.stat().st_size * 60 // 100)
    everything, left = direct(whole), direct(path)

    found = the(facts(path), "truncated")

    total = sum(stream.packets for stream in everything.streams)
    there = sum(stream.packets for stream in left.streams)
    assert (found.expected, found.found) == (
        f"{total} indexed samples",
        f"{total - there} of them are not in the file",
    )


def test_a_sample_that_ends_with_the_file_is_there_and_one_byte_less_is_not(films: Path, tmp_path: Path) -> None:
    whole = films / "fast.mp4"
    size = whole.stat().st_size
    total = sum(stream.packets for stream in direct(whole).streams)

    less = clips.cut(whole, tmp_path / "less.mp4", size - 1)

    assert sum(stream.packets for stream in direct(less).streams) == total - 1


def test_samples_that_lie_in_no_media_data_are_said_and_their_time_is_kept(films: Path, tmp_path: Path) -> None:
    """An offset that points before the media data finds the index, not a picture."""
    data = bytearray((films / "fast.mp4").read_bytes())
    at = data.index(b"stco") + 12
    data[at : at + 4] = struct.pack(">I", 16)
    path = tmp_path / "astray.mp4"
    path.write_bytes(data)

    found = facts(path)

    damage = the(found, "truncated")
    assert (damage.level, damage.size_ms) == ("degradation", None)
    assert damage.found.endswith("lie elsewhere in the file")
    assert found.streams[0].packets == 150


def test_a_second_film_behind_the_first_is_not_passed_over_in_silence(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.mp4"
    other = clips.remux(films / "film.mp4", tmp_path / "other.mp4", "-ss", "1.5")
    path.write_bytes((films / "film.mp4").read_bytes() + other.read_bytes())

    assert the(facts(path), "truncated").found == "another one, whose media is not read"


def test_an_index_sent_again_with_later_fragments_is_nothing(films: Path, tmp_path: Path) -> None:
    init, parts = segmented(films / "film.mp4", tmp_path)
    path = tmp_path / "again.mp4"
    path.write_bytes(b"".join(init.read_bytes() + part.read_bytes() for part in parts))

    assert facts(path).findings == ()


def test_fragments_whose_times_begin_anew_are_a_reset(films: Path, tmp_path: Path) -> None:
    """libavformat drops what it has seen by time, so a second film in the same times vanishes there."""
    path = tmp_path / "twice.mp4"
    path.write_bytes((films / "fragments.mp4").read_bytes() * 2)

    found = facts(path)

    assert found.streams[0].packets == 300
    assert {"timestamp_reset", "reader_disagreement"} <= {finding.kind for finding in found.findings}


@pytest.mark.parametrize("name", ["fast.mp4", "film.mp4", "fragments.mp4"])
@pytest.mark.parametrize(
    "table", [b"stts", b"ctts", b"stsz", b"stsc", b"stco", b"trun", b"elst", b"stsd", b"hdlr", b"tfhd"]
)
def test_a_table_that_claims_four_thousand_million_rows_costs_nothing(
    films: Path, tmp_path: Path, name: str, table: bytes
) -> None:
    data = bytearray((films / name).read_bytes())
    at = data.find(table)
    for offset in (8, 12):
        if at >= 0:
            data[at + offset : at + offset + 4] = b"\xff\xff\xff\xff"
    path = tmp_path / name
    path.write_bytes(data)

    assert survives(path)


@pytest.mark.parametrize("base", [1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_an_offset_beyond_all_files_is_not_read(films: Path, tmp_path: Path, base: int) -> None:
    whole = clips.remux(films / "film.mp4", tmp_path / "based.mp4", "-movflags", "frag_keyframe+empty_moov")
    data = bytearray(whole.read_bytes())
    at = data.index(b"tfhd") + 12
    data[at : at + 8] = struct.pack(">Q", base)
    path = tmp_path / "astray.mp4"
    path.write_bytes(data)

    with pytest.raises(media_av.NotExactlyError):
        direct(path)


def test_an_index_crowded_with_empty_boxes_is_not_read(films: Path, tmp_path: Path) -> None:
    data = (films / "film.mp4").read_bytes()
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    crowd = struct.pack(">I4s", 8, b"free") * (1 << 17)
    path = tmp_path / "crowd.mp4"
    path.write_bytes(data[:at] + struct.pack(">I4s", size + len(crowd), b"moov") + crowd + data[at + 8 :])

    found = facts(path)

    assert found.reader == "pyav (isobmff: tables that do not fit (ValueError))"
    assert found.streams[0].packets == 150


def test_a_file_crowded_with_empty_boxes_is_left_to_the_reference_reader(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_bmff, "_MOST_BOXES", 100)
    path = tmp_path / "crowd.mp4"
    path.write_bytes((films / "fast.mp4").read_bytes() + struct.pack(">I4s", 8, b"free") * 200)

    assert facts(path).reader == "pyav (isobmff: too many boxes)"


@pytest.mark.parametrize("name", ["fast.mp4", "fragments.mp4"])
def test_any_byte_of_the_index_may_be_wrong(films: Path, tmp_path: Path, name: str) -> None:
    whole = (films / name).read_bytes()
    at = whole.index(b"moov")
    length = int.from_bytes(whole[at - 4 : at], "big") + (2000 if name == "fragments.mp4" else 0)
    path = tmp_path / name
    for place in range(at, at + length, 7):
        data = bytearray(whole)
        data[place] ^= 0xFF
        path.write_bytes(data)

        assert survives(path)


# Init segments apart.


def segmented(source: Path, folder: Path) -> tuple[Path, list[Path]]:
    """The film as an init segment and media segments of two seconds."""
    clips.ffmpeg(
        "-i", str(source), "-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0", "-hls_segment_type", "fmp4",
        "-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", str(folder / "part-%d.m4s"),
        str(folder / "list.m3u8"),
    )  # fmt: skip
    return folder / "init.mp4", sorted(folder.glob("part-*.m4s"))


def test_a_media_segment_is_read_with_the_init_segment_beside_it(films: Path, tmp_path: Path) -> None:
    init, parts = segmented(films / "film.mp4", tmp_path)

    found = [facts(part, init) for part in parts]

    assert [(one.container, one.reader, serious(one)) for one in found] == [("fmp4", "isobmff", [])] * 3
    assert sum(one.streams[0].packets for one in found) == 150
    starts = [one.streams[0].first_ticks for one in found]
    assert [b - a for a, b in pairwise(starts)] == [2 * 12800] * 2  # type: ignore[operator]


def test_a_media_segment_alone_says_that_its_init_segment_is_missing(films: Path, tmp_path: Path) -> None:
    _, parts = segmented(films / "film.mp4", tmp_path)

    found = facts(parts[0])

    assert found.media == "unreadable"
    assert "its init segment is needed" in found.findings[0].found


def test_an_init_segment_without_an_index_is_named_as_the_reason(films: Path, tmp_path: Path) -> None:
    _, parts = segmented(films / "film.mp4", tmp_path)

    found = facts(parts[0], parts[1])

    assert found.media == "unreadable"
    assert "there is none in the init segment" in found.findings[0].found


def test_the_reference_reader_reads_both_segments_as_one_file(films: Path, tmp_path: Path) -> None:
    init, parts = segmented(films / "film.mp4", tmp_path)
    with parts[1].open("rb") as file:
        witness = media_av.read(Joined(init.read_bytes(), file))
    with parts[1].open("rb") as file, init.open("rb") as head:
        moov = media_bmff.index(head, media_bmff.walk(head, init.stat().st_size))
        reading = media_mp4.read(file, media_bmff.walk(file, parts[1].stat().st_size), moov)

    assert [stream.packets for stream in witness.streams] == [stream.packets for stream in reading.streams]
    assert compare(reading, witness, TOLERANCE) == ()


def test_an_init_segment_beside_a_whole_file_changes_nothing(films: Path, tmp_path: Path) -> None:
    init, _ = segmented(films / "film.mp4", tmp_path)

    assert facts(films / "fast.mp4", init) == facts(films / "fast.mp4")


# Clocks.

NOON_S = 1_795_507_200


def prft(track: int, media: int, at_s: int, flags: int = 24) -> bytes:
    """A producer reference time (8.16.5), version 1."""
    return struct.pack(">I4sIIIIQ", 32, b"prft", 1 << 24 | flags, track, at_s + 2_208_988_800, 1 << 31, media)


def marked(source: Path, target: Path, cut_out_s: dict[int, int], flags: int = 24) -> Path:
    """A copy with a reference time before each fragment; from fragment k on the clock is ahead by so many seconds."""
    data = source.read_bytes()
    with source.open("rb") as file:
        fragments = media_bmff.walk(file, len(data)).fragments
    pieces, ahead_s, last = [], 0, 0
    for k, at in enumerate(fragments):
        ahead_s += cut_out_s.get(k, 0)
        decoding = data.index(b"tfdt", at) + 8
        media_time = int.from_bytes(data[decoding : decoding + 8], "big")
        pieces += [data[last:at], prft(1, media_time, NOON_S + media_time // 12800 + ahead_s, flags)]
        last = at
    target.write_bytes(b"".join((*pieces, data[last:])))
    return target


def test_a_clock_before_each_fragment_tells_when_the_file_began(films: Path, tmp_path: Path) -> None:
    found = facts(marked(films / "fragments.mp4", tmp_path / "marked.mp4", {}))

    assert [(clock.origin, clock.at, clock.error_ms) for clock in found.clocks] == [("media", NOON_S * 1000 + 500, 100)]
    assert found.findings == ()


def test_a_minute_cut_out_of_a_file_stamped_anew_is_found_by_the_clock_inside_it(films: Path, tmp_path: Path) -> None:
    found = facts(marked(films / "fragments.mp4", tmp_path / "marked.mp4", {3: 60}))

    loss = the(found, "hidden_loss")
    assert (loss.level, loss.evidence, loss.size_ms) == ("degradation", "wall_clock", 60_000)
    assert (loss.from_ms, loss.to_ms) == (2000, 3000)


def test_a_clock_read_when_a_fragment_was_written_is_less_exact(films: Path, tmp_path: Path) -> None:
    found = facts(marked(films / "fragments.mp4", tmp_path / "marked.mp4", {3: 2}, flags=4))

    assert [clock.error_ms for clock in found.clocks] == [1000]
    assert found.findings == ()


def test_a_clock_of_a_track_that_is_not_there_is_ignored(films: Path, tmp_path: Path) -> None:
    data = (films / "fragments.mp4").read_bytes()
    at = data.index(b"moof") - 4
    path = tmp_path / "other.mp4"
    path.write_bytes(data[:at] + prft(77, 0, NOON_S) + data[at:])

    assert facts(path).clocks == ()


@pytest.mark.parametrize(
    ("made", "clocks"),
    [
        ("2026-11-24T02:00:30Z", [("container", 0, 1000), ("media", -30_000, 30_000)]),
        ("2026-11-24T02:05:00Z", [("container", 0, 1000)]),
    ],
    ids=["half a minute apart", "five minutes apart"],
)
def test_a_time_code_counts_where_it_is_the_creation_time_in_some_zone(
    films: Path, tmp_path: Path, made: str, clocks: list[tuple[str, int, int]]
) -> None:
    options = ("-timecode", "10:00:00:00", "-metadata", f"creation_time={made}")
    found = facts(clips.remux(films / "film.mp4", tmp_path / "coded.mov", *options))

    first = found.clocks[0].at
    assert [(clock.origin, clock.at - first, clock.error_ms) for clock in found.clocks] == clocks


def test_only_a_file_whose_fragments_stand_alone_tells_where_they_begin(films: Path, tmp_path: Path) -> None:
    found: dict[str, int] = {}
    for name, options in {**MUXED, **DELAYED}.items():
        path = clips.remux(films / "film.mp4", tmp_path / name, *options)
        init_bytes, data = facts(path).init_bytes, path.read_bytes()
        if init_bytes is not None:
            assert b"moov" in data[:init_bytes]
            assert data[init_bytes + 4 : init_bytes + 8] == b"moof"
            found[name] = init_bytes

    assert sorted(found) == [
        "cmaf.mp4",
        "dash.mp4",
        "fragments from moof.mp4",
        "fragments without base.mp4",
        "half seconds.mp4",
        "no segment index.mp4",
        "one segment index.mp4",
    ]


@pytest.mark.parametrize("swapped", [(0, 1), (2, 3), (1, 4)])
def test_swapped_fragments_are_out_of_order_and_no_time_is_missing(
    films: Path, tmp_path: Path, swapped: tuple[int, int]
) -> None:
    whole = clips.remux(films / "film.mp4", tmp_path / "whole.mp4", *clips.FRAGMENTED)
    data = whole.read_bytes()
    starts = [at - 4 for at in range(len(data)) if data[at : at + 4] == b"moof"]
    ends = [*starts[1:], data.index(b"mfra") - 4]
    parts = [data[start:end] for start, end in zip(starts, ends, strict=True)]
    one, other = swapped
    parts[one], parts[other] = parts[other], parts[one]
    (tmp_path / "swapped.mp4").write_bytes(data[: starts[0]] + b"".join(parts) + data[ends[-1] :])

    found = facts(tmp_path / "swapped.mp4")

    kinds = {(finding.kind, finding.level) for finding in serious(found)}
    assert kinds == {("out_of_order", "degradation"), ("reader_disagreement", "degradation")}  # PyAV loses a fragment
    assert found.streams == facts(whole).streams


@pytest.mark.parametrize(
    ("name", "options", "device"),
    [
        ("quicktime.mov", ("-metadata", "make=Axis", "-metadata", "model=W101"), "Axis W101"),
        (
            "android.mp4",
            ("-movflags", "use_metadata_tags", "-metadata", "com.android.manufacturer=Hytera", "-metadata", "com.android.model=VM780"),
            "Hytera VM780",
        ),
        ("nobody.mp4", (), ""),
    ],
)  # fmt: skip
def test_the_device_is_read_from_the_index(
    films: Path, tmp_path: Path, name: str, options: tuple[str, ...], device: str
) -> None:
    path = clips.remux(films / "film.mp4", tmp_path / name, *options)

    found = facts(path)

    assert (found.reader, found.device) == ("isobmff", device)
    assert found.device == media_av.read(path).device


def test_what_an_edit_list_cuts_off_the_ends_is_a_note(films: Path, tmp_path: Path) -> None:
    clips.ffmpeg("-ss", "1.4", "-i", str(films / "film.mp4"), "-c", "copy", str(tmp_path / "cut.mp4"))

    notes = [finding for finding in facts(tmp_path / "cut.mp4").findings if finding.kind == "hidden_loss"]

    assert [(note.level, note.stream) for note in notes] == [("note", 0), ("note", 1)]
    assert [note.size_ms for note in notes] == pytest.approx([400, 400], abs=100)
