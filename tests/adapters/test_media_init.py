"""Init segments and fragments told apart, and put together by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.adapters.media_init import Fragment, Init, look
from tests.clips import AAC, FRAGMENTED, X264, film


@pytest.fixture(scope="module")
def cmaf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fragments with their init segment, as HLS recorders write them."""
    folder = tmp_path_factory.mktemp("cmaf")
    film(folder / "day.m3u8", *X264, *AAC, "-f", "hls", "-hls_time", "1", "-hls_segment_type", "fmp4", seconds=2)
    return folder


def test_an_init_segment_is_told_from_its_fragments_and_fits_them(cmaf: Path) -> None:
    init, fragment = look(cmaf / "init.mp4"), look(cmaf / "day0.m4s")

    assert isinstance(init, Init)
    assert isinstance(fragment, Fragment)
    assert init.scales == {1: 12_800, 2: 48_000}
    assert fragment == (frozenset({1, 2}), frozenset({12_800, 48_000}))
    assert init.fits(fragment)


@pytest.mark.parametrize(
    ("tracks", "scales", "fits"),
    [({1}, {12_800}, True), ({1}, set(), True), ({2}, {12_800}, False), ({1}, {48_000}, False), ({3}, set(), False)],
)
def test_it_fits_by_track_and_time_scale(tracks: set[int], scales: set[int], fits: bool) -> None:
    init = Init({1: 12_800, 2: 48_000})

    assert init.fits(Fragment(frozenset(tracks), frozenset(scales))) is fits


def test_files_that_describe_themselves_are_neither(tmp_path: Path) -> None:
    files = [film(tmp_path / "plain.mp4", seconds=1), film(tmp_path / "own.mp4", *X264, *AAC, *FRAGMENTED, seconds=1)]
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(bytes(range(256)) * 20)

    assert [look(path) for path in (*files, garbage, tmp_path / "gone.mp4")] == [None] * 4


@pytest.mark.parametrize("size_bytes", range(0, 1300, 100))
def test_an_init_segment_that_was_cut_describes_nothing(cmaf: Path, tmp_path: Path, size_bytes: int) -> None:
    (tmp_path / "init.mp4").write_bytes((cmaf / "init.mp4").read_bytes()[:size_bytes])

    assert look(tmp_path / "init.mp4") is None
