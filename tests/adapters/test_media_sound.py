"""Lengths that files state about themselves: Ogg pages, FLAC samples; and what a file is by its first bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.adapters import media
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from tests import clips
from tests.findings import kinds

TOLERANCE = Tolerance(in_file_ms=250, in_file_intervals=3, across_files_ms=500, wall_clock_ms=2000)


@pytest.fixture(scope="module")
def ogg(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ogg") / "sound.ogg"
    clips.ffmpeg(*clips.TONE, "-t", "6", "-c:a", "libopus", "-ac", "1", str(path))
    return path.read_bytes()


@pytest.fixture(scope="module")
def flac(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("flac") / "sound.flac"
    clips.ffmpeg(*clips.TONE, "-t", "3", "-c:a", "flac", "-ac", "1", str(path))
    return path.read_bytes()


def facts(tmp_path: Path, data: bytes) -> MediaFacts:
    path = tmp_path / "file"
    path.write_bytes(data)
    return media.facts(str(path), TOLERANCE)


def page_starts(data: bytes) -> list[int]:
    return [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]


def test_a_whole_ogg_and_a_whole_flac_lack_nothing(tmp_path: Path, ogg: bytes, flac: bytes) -> None:
    assert kinds(facts(tmp_path, ogg)) == []
    assert kinds(facts(tmp_path, flac)) == []


def test_an_ogg_cut_between_two_pages_lacks_its_marked_end(tmp_path: Path, ogg: bytes) -> None:
    assert kinds(facts(tmp_path, ogg[: page_starts(ogg)[-1]])) == ["truncated"]


def test_an_ogg_cut_inside_a_page_is_truncated(tmp_path: Path, ogg: bytes) -> None:
    assert kinds(facts(tmp_path, ogg[:-1])) == ["truncated"]


def test_an_ogg_whose_first_sound_is_gone_lacks_a_page(tmp_path: Path, ogg: bytes) -> None:
    """Nothing else shows it: what follows begins a second later and runs on."""
    starts = page_starts(ogg)

    assert "truncated" in kinds(facts(tmp_path, ogg[: starts[2]] + ogg[starts[3] :]))


def test_an_ogg_page_of_a_stream_that_never_began_is_a_page_that_is_missing(tmp_path: Path, ogg: bytes) -> None:
    last = page_starts(ogg)[-1]

    assert "truncated" in kinds(facts(tmp_path, ogg[: last + 14] + b"\x08" + ogg[last + 15 :]))


def test_a_flac_with_fewer_samples_than_its_header_counts_is_truncated(tmp_path: Path, flac: bytes) -> None:
    assert kinds(facts(tmp_path, flac[: len(flac) // 2])) == ["truncated"]


def test_transport_packets_in_a_file_that_begins_as_riff_are_no_transport_stream(films: Path, tmp_path: Path) -> None:
    data = (films / "film.avi").read_bytes()[:1000] + (films / "film.ts").read_bytes()

    assert facts(tmp_path, data).container != "mpegts"


@pytest.mark.parametrize("begins_s", [0, 0.3, 5, 100_000])
def test_flac_in_ogg_that_begins_later_has_no_hole_behind_its_first_page(tmp_path: Path, begins_s: float) -> None:
    clips.ffmpeg(
        *clips.TONE, "-t", "10", "-c:a", "flac", "-output_ts_offset", str(begins_s), str(tmp_path / "late.ogg")
    )

    found = facts(tmp_path, (tmp_path / "late.ogg").read_bytes())

    (stream,) = found.streams
    assert kinds(found) == []
    assert stream.first_ticks == begins_s * 48_000


def test_a_page_lost_behind_the_first_one_still_shows(tmp_path: Path) -> None:
    clips.ffmpeg(*clips.TONE, "-t", "10", "-c:a", "flac", "-output_ts_offset", "5", str(tmp_path / "late.ogg"))
    data = (tmp_path / "late.ogg").read_bytes()
    starts = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]

    found = facts(tmp_path, data[: starts[3]] + data[starts[4] :])

    assert "gap" in kinds(found)
