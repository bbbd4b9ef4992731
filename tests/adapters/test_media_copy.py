"""A copy in other packaging has the payload and the times of the original, is the same bytes each time, or is none."""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.adapters import media
from pipeline.adapters.media_copy import copy
from pipeline.adapters.media_pool import MediaPool
from pipeline.domain.derivative import Copied, LeftOut
from pipeline.domain.errors import MediaUnreadable
from pipeline.domain.playable import playability
from pipeline.domain.probe import MediaFacts
from tests import clips
from tests.adapters.test_media_mp4 import TOLERANCE

REMUXES = {
    "film.mp4": (),
    "film.ts": (),
    "film.mov": (),
    "film.mkv": (),
    "film.avi": (),
    "bus.m2ts": ("-mpegts_m2ts_mode", "1"),
    "fragments.mp4": ("-movflags", "frag_keyframe+empty_moov"),
    "late.ts": ("-output_ts_offset", "95430"),
}
"""The last one wraps the 33-bit clock."""
ENCODES = {
    "h265.mkv": ("-c:v", "libx265", "-x265-params", "log-level=error", "-c:a", "aac"),
    "web.webm": ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus"),
    "sound.flac": ("-vn", "-c:a", "flac"),
    "sound.ogg": ("-vn", "-c:a", "libopus"),
    "sound.m4a": ("-vn", "-c:a", "aac"),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    whole = clips.film(folder / "whole.ts", seconds=8)
    for name, options in REMUXES.items():
        clips.remux(whole if name == "film.mp4" else folder / "film.mp4", folder / name, *options)
    for name, options in ENCODES.items():
        clips.ffmpeg("-i", str(whole), *options, str(folder / name))
    return folder


@dataclass(frozen=True)
class Made:
    copied: Copied
    path: Path

    def facts(self) -> MediaFacts:
        return media.facts(str(self.path), TOLERANCE)


def made(source: Path, folder: Path) -> Made:
    target = folder / f"{source.name}.copy.mp4"
    return Made(copy(str(source), str(target)), target)


def lengths(facts: MediaFacts) -> dict[str, Fraction]:
    return {
        stream.kind: stream.time_base.seconds(stream.last_ticks - stream.first_ticks)
        for stream in facts.streams
        if stream.first_ticks is not None and stream.last_ticks is not None
    }


@pytest.mark.parametrize("name", [*REMUXES, *ENCODES])
def test_a_browser_can_play_the_copy_and_it_lasts_as_long(films: Path, tmp_path: Path, name: str) -> None:
    copied = made(films / name, tmp_path)

    original, found = media.facts(str(films / name), TOLERANCE), copied.facts()
    assert playability(found).way == "in_place"
    assert found.init_bytes == copied.copied.init_bytes
    assert [stream.codec for stream in found.streams] == [stream.codec for stream in copied.copied.streams]
    for kind, length in lengths(original).items():
        assert abs(length - lengths(found)[kind]) <= Fraction(1, 40)


@pytest.mark.parametrize("name", REMUXES)
def test_the_payload_is_the_same_in_whatever_packaging_the_film_came(films: Path, tmp_path: Path, name: str) -> None:
    streams = made(films / name, tmp_path).copied.streams

    assert streams == made(films / "whole.ts", tmp_path).copied.streams


def test_the_same_file_gives_the_same_bytes(films: Path, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()

    first, again = made(films / "film.mkv", tmp_path), made(films / "film.mkv", tmp_path / "again")

    assert first.path.read_bytes() == again.path.read_bytes()
    assert first.copied == again.copied


def by_hand(path: Path) -> str:
    """The picture's payload digest as docs/evidence-format.md has it, with ffmpeg and the standard library alone."""
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-c", "copy", "-f", "h264", "-"]
    stream = subprocess.run(command, capture_output=True, check=True).stdout
    digest = hashlib.sha256(b"unbroken/payload/v1\0")
    for unit in stream.split(b"\0\0\1")[1:]:
        unit = unit.rstrip(b"\0")
        if unit and unit[0] & 31 not in (7, 8, 9, 13, 15):
            digest.update(len(unit).to_bytes(4, "big") + unit)
    return digest.hexdigest()


@pytest.mark.parametrize("name", ["film.ts", "film.mp4", "film.mkv"])
def test_a_stranger_finds_the_same_digest_in_both_files_with_other_tools(
    films: Path, tmp_path: Path, name: str
) -> None:
    copied = made(films / name, tmp_path)

    assert by_hand(films / name) == by_hand(copied.path) == copied.copied.streams[0].payload.sha256


def test_pieces_are_the_whole_copy_and_last_as_long_as_the_film(tmp_path: Path) -> None:
    film = clips.film(tmp_path / "long.mkv", seconds=20)

    copied = made(film, tmp_path)

    pieces, size_bytes = copied.copied.pieces, copied.path.stat().st_size
    assert len(pieces) == 4
    ends = [copied.copied.init_bytes, *(piece.offset + piece.size_bytes for piece in pieces)]
    assert [piece.offset for piece in pieces] == ends[:-1]
    assert ends[-1] == size_bytes
    assert sum(piece.micros for piece in pieces) == pytest.approx(20_000_000, abs=2000)


def test_a_hole_in_the_film_is_a_hole_in_the_copy(films: Path, tmp_path: Path) -> None:
    torn = clips.without(films / "film.mkv", tmp_path / "torn.mkv", 3, 5)

    original, found = media.facts(str(torn), TOLERANCE), made(torn, tmp_path).facts()

    gaps = [[finding.size_ms for finding in facts.findings if finding.kind == "gap"] for facts in (original, found)]
    assert gaps == [[1992], [1992]]  # of the sound, whose frames end a little later than the picture's


def test_sound_that_no_browser_plays_is_left_out_and_named(films: Path, tmp_path: Path) -> None:
    clips.remux(films / "film.ts", tmp_path / "tv.ts", "-c:a", "ac3")

    copied = made(tmp_path / "tv.ts", tmp_path).copied

    assert copied.left_out == (LeftOut(kind="audio", codec="ac3"),)
    assert [stream.codec for stream in copied.streams] == ["h264"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("-c:v", "mjpeg", "-c:a", "pcm_s16le"), "motion.avi"),
        (("-vn", "-c:a", "pcm_s16le"), "voice.wav"),
    ],
)
def test_what_no_browser_decodes_is_not_copied(
    films: Path, tmp_path: Path, options: tuple[str, ...], name: str
) -> None:
    clips.ffmpeg("-i", str(films / "film.ts"), *options, str(tmp_path / name))

    with pytest.raises(MediaUnreadable, match="of a kind that browsers play"):
        made(tmp_path / name, tmp_path)


@pytest.mark.parametrize("size_bytes", [0, 1, 500, 20_000])
def test_what_is_left_of_a_file_is_copied_or_there_is_a_reason(films: Path, tmp_path: Path, size_bytes: int) -> None:
    cut = clips.cut(films / "film.mkv", tmp_path / "cut.mkv", size_bytes)

    try:
        told = f"{len(made(cut, tmp_path).copied.pieces)} pieces"
    except MediaUnreadable as exc:
        told = str(exc)

    assert re.match("[1-9] pieces|it cannot be copied: .", told)


async def test_copying_runs_in_a_process_that_may_die(films: Path, tmp_path: Path) -> None:
    pool = MediaPool(1, 60, 1 << 30)
    try:
        copied = await pool.copy(films / "film.mkv", tmp_path / "copy.mp4")
        with pytest.raises(MediaUnreadable, match="it cannot be copied"):
            await pool.copy(Path(__file__), tmp_path / "none.mp4")
    finally:
        pool.close()

    assert copied == made(films / "film.mkv", tmp_path).copied
