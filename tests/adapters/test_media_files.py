"""Media files: every container read to the frame, whole ones without an interruption, faults found where they were cut."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from pipeline.adapters import media, media_av, media_photo
from pipeline.domain.facts import judge
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from tests import clips
from tests.findings import kinds, serious, the

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)
TIMED = ["film.mp4", "fast.mp4", "fragments.mp4", "film.mov", "film.mkv", "film.ts"]


def facts(path: Path) -> MediaFacts:
    return media.facts(str(path), TOLERANCE)


# Whole files.


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("film.ts", "mpegts"),
        ("film.mp4", "mp4"),
        ("film.mov", "mp4"),
        ("fragments.mp4", "fmp4"),
        ("film.mkv", "matroska"),
        ("film.avi", "avi"),
    ],
)
def test_a_container_has_one_word(films: Path, name: str, container: str) -> None:
    assert facts(films / name).container == container


@pytest.mark.parametrize("name", TIMED)
def test_a_whole_film_is_without_loss_in_every_container(films: Path, name: str) -> None:
    found = facts(films / name)

    assert serious(found) == []
    assert [(s.kind, s.codec, s.format) for s in found.streams] == [
        ("video", "h264", "160x120"),
        ("audio", "aac", "48000 Hz 1 ch"),
    ]
    video = found.streams[0]
    assert video.packets == 150
    assert video.covered_ticks == pytest.approx(
        6 * video.time_base_den / video.time_base_num, abs=video.time_base_den * 0.002
    )


def test_equal_bytes_under_another_name_give_equal_facts(films: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.avi"
    other.write_bytes((films / "film.ts").read_bytes())

    assert facts(other) == facts(films / "film.ts")


def test_a_whole_fragmented_film_has_no_invented_dropped_frames(films: Path) -> None:
    assert facts(films / "fragments.mp4").findings == ()


@pytest.mark.parametrize("name", ["film.ts", "fragments.mp4", "film.mkv"])
def test_a_whole_film_remuxed_once_more_has_no_interruption(films: Path, tmp_path: Path, name: str) -> None:
    """The long first sound of a fragmented file becomes three missing sound frames in a transport stream, no more."""
    for target in ("again.mp4", "again.ts", "again.mkv"):
        found = facts(clips.remux(films / name, tmp_path / target))

        assert [finding for finding in found.findings if finding.level == "interruption"] == []


@pytest.mark.parametrize("rate", ["1", "12.5", "30000/1001"])
@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_any_frame_rate_is_its_own_measure(tmp_path: Path, rate: str, suffix: str) -> None:
    path = tmp_path / f"film.{suffix}"
    clips.ffmpeg("-f", "lavfi", "-i", f"testsrc=size=160x120:rate={rate}", "-t", "20", *clips.B_FRAMES, str(path))

    assert serious(facts(path)) == []


def test_a_rate_that_changes_in_the_middle_is_no_hole(tmp_path: Path) -> None:
    fast = clips.film(tmp_path / "fast.mkv", *clips.X264, "-an", seconds=4)
    slow = tmp_path / "slow.mkv"
    clips.ffmpeg("-f", "lavfi", "-i", "testsrc=size=160x120:rate=5", "-t", "8", *clips.X264, str(slow))
    listing = tmp_path / "list.txt"
    listing.write_text(f"file '{fast}'\nfile '{slow}'\n")
    whole = tmp_path / "whole.mkv"
    clips.ffmpeg("-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy", str(whole))

    assert serious(facts(whole)) == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_rate_that_varies_has_no_interruption(tmp_path: Path, suffix: str) -> None:
    """Two frames in five left out for ever, as a camera does that records what moves."""
    path = tmp_path / f"film.{suffix}"
    clips.ffmpeg(
        *clips.PICTURE, "-t", "10", "-vf", "select='not(eq(mod(n,5),2)+eq(mod(n,5),3))'", "-fps_mode", "vfr",
        *clips.B_FRAMES, str(path),
    )  # fmt: skip

    assert serious(facts(path)) == []


def test_sound_before_the_start_of_an_edit_list_is_no_finding(films: Path, tmp_path: Path) -> None:
    """AAC begins with samples that only warm the decoder up; the edit list leaves them out."""
    trimmed = tmp_path / "trimmed.mp4"
    clips.ffmpeg("-ss", "1.5", "-i", str(films / "film.mp4"), "-c", "copy", str(trimmed))

    assert serious(facts(trimmed)) == []


def test_an_open_group_cut_at_both_ends_shows_no_loss(films: Path, tmp_path: Path) -> None:
    whole = clips.film(
        tmp_path / "open.ts", *clips.X264, "-bf", "3", "-x264-params", "open-gop=1:b-adapt=0:b-pyramid=1", *clips.AAC
    )
    clips.ffmpeg(
        "-i", str(whole), "-c", "copy", "-f", "segment", "-segment_time", "2", "-segment_format", "mpegts",
        str(tmp_path / "part-%d.ts"),
    )  # fmt: skip
    parts = sorted(tmp_path.glob("part-*.ts"))

    assert len(parts) >= 2
    assert [serious(facts(part)) for part in parts] == [[] for _ in parts]


def test_a_clock_that_wraps_inside_the_file_runs_on(films: Path, tmp_path: Path) -> None:
    path = clips.remux(films / "film.ts", tmp_path / "wrap.ts", "-output_ts_offset", "95440")

    found = facts(path)

    assert serious(found) == []
    assert all(stream.wraps_33 for stream in found.streams)
    first, last = found.streams[0].first_ticks, found.streams[0].last_ticks
    assert first is not None
    assert last is not None
    assert first < 2**33 < last
    assert found.streams == judge(media_av.read(path), TOLERANCE).streams


@pytest.mark.parametrize(("codec", "suffix"), [("pcm_s16le", "mkv"), ("pcm_s16le", "mov"), ("pcm_alaw", "mov")])
def test_uncompressed_sound_is_judged_by_its_samples(tmp_path: Path, codec: str, suffix: str) -> None:
    whole = tmp_path / f"sound.{suffix}"
    clips.ffmpeg(*clips.TONE, "-t", "20", "-c:a", codec, "-ar", "8000", "-ac", "1", str(whole))

    assert serious(facts(whole)) == []


def test_a_hole_in_uncompressed_sound_is_found(tmp_path: Path) -> None:
    whole = tmp_path / "sound.mkv"
    clips.ffmpeg(*clips.TONE, "-t", "20", "-c:a", "pcm_s16le", "-ar", "8000", "-ac", "1", str(whole))
    holed = clips.without(whole, tmp_path / "holed.mkv", 8, 11)

    assert the(facts(holed), "gap").size_ms == pytest.approx(3000, abs=150)


def test_a_hole_in_picture_and_counted_sound_is_an_interruption_in_quicktime_too(tmp_path: Path) -> None:
    picture = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "pcm_s16le", "-ar", "8000"]
    whole = clips.film(tmp_path / "film.mkv", *picture, seconds=10)
    holed = clips.without(whole, tmp_path / "holed.mkv", 4, 6)
    film = clips.remux(holed, tmp_path / "holed.mov")

    found = facts(film)

    assert [(finding.kind, finding.level) for finding in serious(found)] == [("gap", "interruption")]
    assert the(found, "gap").size_ms == pytest.approx(2000, abs=40)


def test_sound_alone_is_without_loss(films: Path) -> None:
    assert facts(films / "sound.m4a").findings == ()


@pytest.mark.parametrize("suffix", ["mp3", "wav", "aac"])
def test_formats_that_count_samples_are_not_testable(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"sound.{suffix}"
    clips.ffmpeg(*clips.TONE, "-t", "5", str(path))

    assert kinds(facts(path)) == ["not_testable"]


def test_a_raw_stream_is_not_testable(tmp_path: Path) -> None:
    path = tmp_path / "film.h264"
    clips.ffmpeg(*clips.PICTURE, "-t", "3", *clips.X264, str(path))

    assert "not_testable" in kinds(facts(path))


# Holes.


@pytest.mark.parametrize("name", TIMED)
def test_a_hole_in_every_stream_is_one_gap_of_its_size(films: Path, tmp_path: Path, name: str) -> None:
    options = {"movflags": clips.FRAGMENTED[1]} if name == "fragments.mp4" else {}
    holed = clips.without(films / name, tmp_path / name, 2 + start_s(name), 4 + start_s(name), **options)

    gap = the(facts(holed), "gap")

    assert gap.level == "interruption"
    assert gap.size_ms == pytest.approx(2000, abs=41)
    assert gap.from_ms == pytest.approx(2000, abs=80)


def start_s(name: str) -> float:
    """ffmpeg's transport streams start at 1.4 s."""
    return 1.4 if name.endswith(".ts") else 0.0


@pytest.mark.parametrize("name", TIMED)
def test_a_hole_in_one_stream_is_partial(films: Path, tmp_path: Path, name: str) -> None:
    options = {"movflags": clips.FRAGMENTED[1]} if name == "fragments.mp4" else {}
    from_s = 2 + start_s(name)
    holed = clips.without(films / name, tmp_path / name, from_s, from_s + 2, kind="video", **options)

    found = facts(holed)

    assert [finding.kind for finding in serious(found)] == ["partial_gap"]
    assert the(found, "partial_gap").size_ms == pytest.approx(2000, abs=130)


def test_seven_seconds_hidden_in_a_sample_duration_are_found(tmp_path: Path) -> None:
    whole = clips.film(tmp_path / "whole.mp4", seconds=20)
    holed = clips.without(whole, tmp_path / "holed.mp4", 10, 17)

    assert facts(whole).findings == ()
    assert the(facts(holed), "gap").size_ms == pytest.approx(7000, abs=40)


def test_an_avi_is_compared_by_its_totals(films: Path, tmp_path: Path) -> None:
    holed = clips.without(films / "film.avi", tmp_path / "film.avi", 2, 5, kind="audio")

    assert serious(facts(films / "film.avi")) == []
    assert "not_testable" in kinds(facts(films / "film.avi"))
    assert the(facts(holed), "uneven_ends").evidence == "totals"


# Bad bytes.


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"this is a text\n" * 100,
        bytes(100_000),
        bytes(range(256)) * 400,
        b"\x47" * 10_000,
        b"RIFF\xff\xff\xff\x7fAVI LIST",
        b"\x1a\x45\xdf\xa3" + b"\xff" * 50,
        b"\0\0\0\x20ftypisom" + bytes(20),
        b"\0\0\0\x08ftyp\0\0\0\x01moov\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
    ids=["empty", "one byte", "text", "zeros", "pattern", "sync bytes", "avi head", "mkv head", "mp4 head", "huge box"],
)
def test_bytes_that_are_no_media_are_unreadable_with_a_reason(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(data)

    found = facts(path)

    assert found.media == "unreadable"
    assert kinds(found) == ["unreadable"]
    assert str(tmp_path) not in found.findings[0].found


def test_a_text_that_names_another_file_opens_nothing(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_text(f"ffconcat version 1.0\nfile '{films / 'film.ts'}'\n")

    assert facts(path).media == "unreadable"


def test_a_playlist_opens_nothing(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "film.ts"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:6,\n{films / 'film.ts'}\n#EXT-X-ENDLIST\n")

    assert facts(path).media == "unreadable"


@pytest.mark.parametrize("name", [*TIMED, "film.avi"])
@pytest.mark.parametrize("percent", [1, 10, 33, 60, 90, 99])
def test_a_truncated_file_is_never_whole(films: Path, tmp_path: Path, name: str, percent: int) -> None:
    whole = films / name
    size = whole.stat().st_size * percent // 100
    found = facts(clips.cut(whole, tmp_path / name, size - (size % 188 == 0 and name.endswith(".ts"))))

    assert {"truncated", "unreadable"} & set(kinds(found)), found


@pytest.mark.parametrize("percent", [30, 60, 90])
def test_a_truncated_index_first_mp4_says_how_much_it_lost(films: Path, tmp_path: Path, percent: int) -> None:
    whole = films / "fast.mp4"
    found = facts(clips.cut(whole, tmp_path / "cut.mp4", whole.stat().st_size * percent // 100))

    finding = the(found, "truncated")
    assert finding.level == "interruption"
    assert finding.size_ms is not None
    video = found.streams[0]
    assert video.last_ticks is not None
    present_ms = (video.last_ticks * 1000) // video.time_base_den + 40
    assert finding.size_ms + present_ms == pytest.approx(6000, abs=200)


@pytest.mark.parametrize("name", [*TIMED, "film.avi"])
def test_damage_anywhere_is_survived(films: Path, tmp_path: Path, name: str) -> None:
    data = bytearray((films / name).read_bytes())
    path = tmp_path / name
    for round_ in range(12):
        for i in range(20):
            data[(round_ * 7919 + i * 104_729) % len(data)] ^= 0xA5
        path.write_bytes(data)

        assert facts(path).media in ("timed", "unreadable")


# Identities and clocks.


def test_the_creation_time_is_kept_with_its_error(films: Path, tmp_path: Path) -> None:
    path = clips.remux(films / "film.mp4", tmp_path / "dated.mp4", "-metadata", "creation_time=2026-11-24T08:00:00Z")
    never = clips.remux(films / "film.mp4", tmp_path / "never.mp4", "-metadata", "creation_time=1970-01-01T00:00:00Z")

    assert [(clock.origin, clock.at, clock.error_ms) for clock in facts(path).clocks] == [
        ("container", 1_795_507_200_000, 1000)
    ]
    assert facts(never).clocks == ()


def test_the_identity_a_recorder_wrote_is_read(films: Path, tmp_path: Path) -> None:
    data = (films / "fragments.mp4").read_bytes()
    body = bytes(4) + struct.pack(">16sQqq", bytes(range(16)), 7, 12_000_000_000, 1_795_507_200_000_000_000)
    mtxi = struct.pack(">I4s", 8 + len(body), b"mtxi") + body
    udta = struct.pack(">I4s", 8 + len(mtxi), b"udta") + mtxi
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    moov = (size + len(udta)).to_bytes(4, "big") + data[at + 4 : at + size] + udta
    path = tmp_path / "mtx.mp4"
    path.write_bytes(data[:at] + moov + data[at + size :])

    found = facts(path)

    (identity,) = found.identities
    assert (identity.stream_id, identity.number) == ("00010203-0405-0607-0809-0a0b0c0d0e0f", 7)
    assert (identity.dts_ns, identity.ntp_ns) == (12_000_000_000, 1_795_507_200_000_000_000)
    assert serious(found) == []


def test_a_photo_is_kept_with_the_time_it_was_taken(tmp_path: Path) -> None:
    plain = tmp_path / "photo.jpg"
    clips.ffmpeg(*clips.PICTURE, "-frames:v", "1", "-f", "image2", str(plain))
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    taken, offset = b"2026:11:24 16:00:00\0", b"+08:00\0"
    texts = 26 + 2 + 24 + 4
    tiff += struct.pack("<H", 2) + struct.pack("<HHII", 0x9003, 2, len(taken), texts)
    tiff += struct.pack("<HHII", 0x9011, 2, len(offset), texts + len(taken)) + bytes(4) + taken + offset
    data, block = plain.read_bytes(), b"Exif\0\0" + tiff
    dated = tmp_path / "dated.jpg"
    dated.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:])

    assert (facts(plain).media, facts(plain).clocks, kinds(facts(plain))) == ("photo", (), ["not_testable"])
    assert [(clock.at, clock.error_ms) for clock in facts(dated).clocks] == [(1_795_507_200_000, 1000)]


def test_a_photo_without_its_end_is_truncated(tmp_path: Path) -> None:
    whole = tmp_path / "photo.jpg"
    clips.ffmpeg(*clips.PICTURE, "-frames:v", "1", "-f", "image2", str(whole))
    half = clips.cut(whole, tmp_path / "half.jpg", whole.stat().st_size // 2)

    assert kinds(facts(half)) == ["not_testable", "truncated"]


def tiff_block(at: int = 0, big: bool = False, **more: bytes) -> bytes:
    """A TIFF block that begins at *at*: maker and model, and in its EXIF directory time, offset, fraction and serial number."""
    order = ">" if big else "<"
    first = {0x010F: b"NIKON CORPORATION\0", 0x0110: b"NIKON D750\0"}
    second = {
        0x9003: b"2026:11:24 16:00:00\0",
        0x9011: b"+08:00\0",
        0x9291: more.get("fraction", b"25\0"),
        0xA431: b"6012345\0",
    }
    texts = bytearray()
    base = 8 + 2 + 12 * 4 + 4 + 2 + 12 * len(second) + 4

    def entries(fields: dict[int, bytes]) -> bytes:
        made = b""
        for tag, text in fields.items():
            where = text.ljust(4, b"\0") if len(text) <= 4 else struct.pack(order + "I", base + len(texts))
            texts.extend(text if len(text) > 4 else b"")
            made += struct.pack(order + "HHI", tag, 2, len(text)) + where
        return made

    exif_at = 8 + 2 + 12 * 4 + 4
    head = (b"MM\0*" if big else b"II*\0") + struct.pack(order + "I", 8)
    gps = struct.pack(order + "HHII", 0x8825, 4, 1, 8)
    pointer = struct.pack(order + "HHII", 0x8769, 4, 1, exif_at)
    body = struct.pack(order + "H", 4) + entries(first) + pointer + gps + bytes(4)
    body += struct.pack(order + "H", len(second)) + entries(second) + bytes(4)
    return head + body + bytes(texts)


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def heif(block: bytes) -> bytes:
    """A HEIF file that holds nothing but its Exif item (ISO/IEC 23008-12 A.2.1)."""
    item = bytes(4) + block
    entry = box(b"infe", b"\2\0\0\0" + struct.pack(">HH", 7, 0) + b"Exif\0")
    infos = box(b"iinf", bytes(4) + struct.pack(">H", 1) + entry)

    def meta(at: int) -> bytes:
        places = bytes(4) + b"\x44\x00" + struct.pack(">HHHHII", 1, 7, 0, 1, at, len(item))
        return box(b"meta", bytes(4) + infos + box(b"iloc", places))

    kind = box(b"ftyp", b"heic" + bytes(4))
    return kind + meta(len(kind) + len(meta(0)) + 8) + box(b"mdat", item)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + bytes(4)


PLAIN_PNG = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IDAT", bytes(70_000))
WEBP = (
    b"WEBP" + b"VP8 " + struct.pack("<I", 4) + bytes(4) + b"EXIF" + struct.pack("<I", len(tiff_block())) + tiff_block()
)
PHOTOS = {
    "jpeg": b"\xff\xd8\xff\xe1\0\0Exif\0\0" + tiff_block() + b"\xff\xd9",
    "png": PLAIN_PNG + chunk(b"eXIf", tiff_block(big=True)) + chunk(b"IEND", b"")[:-4] + b"\xaeB`\x82",
    "heif": heif(tiff_block()),
    "tiff": tiff_block(big=True) + bytes(9000),
    "webp": b"RIFF" + struct.pack("<I", len(WEBP)) + WEBP,
}


@pytest.mark.parametrize("form", PHOTOS)
def test_a_photo_says_when_and_by_what_it_was_taken(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"photo.{form}"
    path.write_bytes(PHOTOS[form])

    found = facts(path)

    assert (found.media, found.container, kinds(found)) == ("photo", form, ["not_testable"])
    assert [(clock.at, clock.error_ms) for clock in found.clocks] == [(1_795_507_200_250, 10)]
    assert found.device == "NIKON CORPORATION NIKON D750 no. 6012345"


@pytest.mark.parametrize(
    ("make", "model", "device"),
    [("Apple", "iPhone 15", "Apple iPhone 15"), ("Canon", "Canon EOS", "Canon EOS"), ("", "A\x01B  C", "A B C")],
)
def test_a_device_is_named_once(make: str, model: str, device: str) -> None:
    assert media_photo.device(make, model) == device


@pytest.mark.parametrize("form", ["webp", "bmp", "png"])
def test_a_photo_shorter_than_it_says_is_truncated(tmp_path: Path, form: str) -> None:
    bitmap = b"BM" + struct.pack("<IIII", 5000, 0, 54, 40) + bytes(4982)
    whole, half = tmp_path / "whole", tmp_path / "half"
    whole.write_bytes({**PHOTOS, "bmp": bitmap}[form])
    clips.cut(whole, half, whole.stat().st_size // 2)

    assert (facts(whole).container, kinds(facts(whole))) == (form, ["not_testable"])
    assert kinds(facts(half)) == ["not_testable", "truncated"]


@pytest.mark.parametrize("form", PHOTOS)
def test_damage_in_a_photo_is_survived(tmp_path: Path, form: str) -> None:
    chance = random.Random(form)
    path = tmp_path / "photo"
    for _ in range(150):
        data = bytearray(PHOTOS[form][:1200])
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(12, len(data))] = chance.randrange(256)
        path.write_bytes(data)

        assert facts(path).media == "photo"


def test_a_films_device_is_read_where_it_says_one(films: Path, tmp_path: Path) -> None:
    said = clips.remux(
        films / "film.mp4", tmp_path / "said.mkv", "-metadata", "make=Hikvision", "-metadata", "model=DS-2CD"
    )

    assert (facts(said).device, facts(films / "film.mkv").device) == ("Hikvision DS-2CD", "")


def test_the_date_in_a_matroska_file_is_a_clock(films: Path, tmp_path: Path) -> None:
    dated = clips.remux(films / "film.mkv", tmp_path / "dated.mkv", "-metadata", "creation_time=2026-11-24T08:00:00Z")

    assert [(clock.at, clock.origin) for clock in facts(dated).clocks] == [(1_795_507_200_000, "container")]


# Sound.

SOUND = {
    "m4a": ("aac", "m4a"),
    "aac": ("aac", "aac"),
    "mp3": ("libmp3lame", "mp3"),
    "wav": ("pcm_s16le", "wav"),
    "ogg": ("libvorbis", "ogg"),
    "opus": ("libopus", "opus"),
    "flac": ("flac", "flac"),
    "mka": ("libopus", "mka"),
}


def sound(form: str, path: Path) -> Path:
    if form == "amr":  # nobody here encodes it: a header and frames of 12.2 kbit/s
        path.write_bytes(b"#!AMR\n" + (b"\x3c" + bytes(31)) * 400)
        return path
    codec, suffix = SOUND[form]
    clips.ffmpeg(
        *clips.TONE,
        "-t",
        "8",
        "-c:a",
        codec,
        "-f",
        {"m4a": "ipod", "mka": "matroska", "aac": "adts"}.get(suffix, suffix),
        str(path),
    )
    return path


@pytest.mark.parametrize("form", [*SOUND, "amr"])
def test_whole_sound_has_nothing_worse_than_a_note(tmp_path: Path, form: str) -> None:
    found = facts(sound(form, tmp_path / "sound"))

    assert (found.media, serious(found)) == ("timed", [])
    assert kinds(found) == (["not_testable"] if form in ("aac", "mp3", "wav", "amr") else [])


@pytest.mark.parametrize("form", ["m4a", "ogg", "opus", "mka"])
def test_a_hole_in_sound_is_found_where_times_are_stored(tmp_path: Path, form: str) -> None:
    whole = sound(form, tmp_path / f"whole.{form}")
    holed = clips.without(whole, tmp_path / f"holed.{form}", 3, 5)

    assert the(facts(holed), "gap").size_ms == pytest.approx(2000, abs=50)


@pytest.mark.parametrize("form", ["mp3", "wav", "ogg", "opus", "flac", "mka"])
@pytest.mark.parametrize("percent", [40, 80, 97])
def test_sound_without_its_end_is_truncated(tmp_path: Path, form: str, percent: int) -> None:
    whole = sound(form, tmp_path / f"whole.{form}")
    cut = clips.cut(whole, tmp_path / f"cut.{form}", whole.stat().st_size * percent // 100)

    assert the(facts(cut), "truncated").level in ("degradation", "interruption")
