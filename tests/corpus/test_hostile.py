"""Hostile files: the command ends, in time, with a word on each, and opens nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path

from typer.testing import CliRunner

from pipeline.cli import build
from tests.corpus import hostile
from tests.corpus.reels import Studio, file_of

PATIENCE_S = 60


def test_no_hostile_file_is_a_recording_and_each_is_told_why(studio: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    names = hostile.write(folder, file_of(studio["h264"], "ts"))
    began = time.monotonic()

    done = CliRunner().invoke(build(), ["check", "--each", "--json", "--jobs", "2", str(folder)])

    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert time.monotonic() - began < PATIENCE_S
    recordings = {Path(one["name"]).name: one for one in json.loads(done.stdout)["recordings"]}
    assert set(names) <= set(recordings)
    verdicts = {name: recordings[name]["verdict"] for name in names}
    assert {name: verdict for name, verdict in verdicts.items() if verdict not in ("unreadable", "not_testable")} == {}
    assert all(recordings[name]["findings"] or recordings[name]["not_tested"] for name in names)
    assert "nobody asked" not in done.stdout


def test_times_before_zero_are_times(studio: Studio, tmp_path: Path) -> None:
    """Priming and edit lists make negative times; they are neither lost nor a hole."""
    whole = studio["h264-b"].moved(-3)
    for form in ("mp4", "mov", "mkv"):
        (tmp_path / f"cam_20261124T060000Z.{form}").write_bytes(file_of(whole, form))

    done = CliRunner().invoke(build(), ["check", "--each", "--json", "--jobs", "1", str(tmp_path)])

    assert [one["verdict"] for one in json.loads(done.stdout)["recordings"]] == ["continuous"] * 3
