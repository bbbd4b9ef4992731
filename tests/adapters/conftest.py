"""The clips, encoded once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import clips


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one whole film in every container, 6 s long."""
    folder = tmp_path_factory.mktemp("films")
    mp4 = clips.film(folder / "film.mp4")
    for name, options in {
        "film.ts": (),
        "film.mkv": (),
        "film.mov": (),
        "fast.mp4": ("-movflags", "faststart"),
        "fragments.mp4": clips.FRAGMENTED,
    }.items():
        clips.remux(mp4, folder / name, *options)
    clips.remux(mp4, folder / "film.avi", "-bsf:v", "h264_mp4toannexb")
    clips.remux(mp4, folder / "sound.m4a", "-vn")
    return folder
