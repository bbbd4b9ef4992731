"""The simplest camera: whole segments, one folder for each run, restarted when it dies, ended when told to."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.connectors import camera as cameras
from pipeline.connectors.camera import Camera, Run, record, without_password
from tests import clips
from tests.connectors.stage import eventually


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.bars(tmp_path_factory.mktemp("film") / "film.ts", seconds=60)


def camera(url: str | Path, folder: Path) -> Camera:
    return Camera(url=str(url), segment_s=1, spool=folder / "writing", ready=folder / "ready")


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "ready").glob("*/*.ts"))


async def until_segments(folder: Path, count: int) -> None:
    await eventually(lambda: len(segments(folder)) >= count)


async def test_segments_are_handed_over_whole_and_a_stop_keeps_the_last_one(film: Path, tmp_path: Path) -> None:
    stop = asyncio.Event()
    recording = asyncio.create_task(record(camera(film, tmp_path), stop))
    await until_segments(tmp_path, 2)
    stop.set()
    began = time.monotonic()
    await asyncio.wait_for(recording, 15)

    made = segments(tmp_path)
    assert time.monotonic() - began < 5
    assert len(made) >= 3
    assert len({path.parent for path in made}) == 1
    assert list((tmp_path / "writing").iterdir()) == []
    packets = [_packets(path) for path in made]
    assert all(packets)
    ends = [(part[0], part[-1]) for part in packets]
    assert all(first[1] < second[0] for first, second in pairwise(ends))
    assert all(second[0] - first[1] < 0.15 for first, second in pairwise(ends))


def _packets(path: Path) -> list[float]:
    """Presentation times of a segment's pictures, in order."""
    asked = ["ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "csv=p=0", str(path)]
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    return sorted(float(line.strip(",")) for line in said.split())


async def test_a_recorder_that_is_killed_is_started_again_as_another_run(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "_BACKOFF_S", (0.1, 0.2))
    stop = asyncio.Event()
    recording = asyncio.create_task(record(camera(film, tmp_path), stop))
    await until_segments(tmp_path, 1)
    os.kill(_recorder(film), signal.SIGKILL)
    before = len(segments(tmp_path))
    await until_segments(tmp_path, before + 2)
    stop.set()
    await asyncio.wait_for(recording, 15)

    assert len({path.parent for path in segments(tmp_path)}) == 2


def _recorder(film: Path) -> int:
    """The ffmpeg that plays *film*: a child of ours, found by what it was called with."""
    mine = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text("utf-8").split()
    for child in mine:
        if str(film).encode() in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("no recorder runs")


async def test_an_address_nobody_answers_is_tried_again_until_told_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "_BACKOFF_S", (0.05, 0.1))
    tries: list[int] = []
    whole = cameras._run

    async def counted(one: Camera, stop: asyncio.Event) -> tuple[int, str]:
        code, words = await whole(one, stop)
        tries.append(code)
        return code, words

    monkeypatch.setattr(cameras, "_run", counted)
    stop = asyncio.Event()
    recording = asyncio.create_task(record(camera("rtsp://user:secret@127.0.0.1:9/x", tmp_path), stop))
    await eventually(lambda: len(tries) >= 2)
    stop.set()
    await asyncio.wait_for(recording, 15)

    assert all(code != 0 for code in tries)
    assert segments(tmp_path) == []


async def test_a_recorder_ends_with_the_process_that_started_it_and_the_next_takes_over(
    film: Path, tmp_path: Path
) -> None:
    code = (
        "import asyncio, sys, pathlib\nfrom pipeline.connectors.camera import Camera, record\n"
        "p = pathlib.Path(sys.argv[2])\n"
        "c = Camera(url=sys.argv[1], segment_s=1, spool=p / 'writing', ready=p / 'ready')\n"
        "asyncio.run(record(c, asyncio.Event()))"
    )
    command = (sys.executable, "-c", code, str(film), str(tmp_path))
    other = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    await until_segments(tmp_path, 1)
    other.kill()
    await other.wait()
    left = len(segments(tmp_path))

    stop = asyncio.Event()
    recording = asyncio.create_task(record(camera(film, tmp_path), stop))
    await until_segments(tmp_path, left + 2)
    stop.set()
    await asyncio.wait_for(recording, 15)

    assert len({path.parent for path in segments(tmp_path)}) == 2
    assert all(_packets(path) for path in segments(tmp_path))


def run_folder(folder: Path, segments_at: dict[str, float], complete: str) -> tuple[Run, Path]:
    """A run that began at second 1000, its segments by when their last byte came, and what ffmpeg calls complete."""
    run, ready = folder / "run-1000000", folder / "ready"
    run.mkdir()
    ready.mkdir()
    for name, written_s in segments_at.items():
        (run / name).write_bytes(b"x")
        os.utime(run / name, (written_s, written_s))
    (run / "complete").write_text(complete, "utf-8")
    return Run(run), ready


def handed(ready: Path) -> list[str]:
    return sorted(path.name for path in ready.rglob("*.ts"))


def test_only_what_is_complete_is_handed_over_while_a_run_goes_on(tmp_path: Path) -> None:
    written = {"000000.ts": 1010.0, "000001.ts": 1020.0, "000002.ts": 1025.0}
    run, ready = run_folder(
        tmp_path, written, "000000.ts,0.0,10.0\n000001.ts,10.0,20"
    )  # the second line is being written
    run.hand_over(ready, ended=False)
    first = handed(ready)
    (tmp_path / "run-1000000/000002.ts").write_bytes(b"")

    run.hand_over(ready, ended=True)

    assert first == ["19700101T001640Z_000000.ts"]
    assert handed(ready) == ["19700101T001640Z_000000.ts", "19700101T001650Z_000001.ts"]
    assert not (tmp_path / "run-1000000").exists()


def test_segments_that_were_held_back_and_written_at_once_keep_their_names_apart(tmp_path: Path) -> None:
    written = {"000000.ts": 1005.0, "000001.ts": 1005.1, "000002.ts": 1006.2}
    listed = "000000.ts,0.0,2.0\n000001.ts,2.0,4.0\n000002.ts,4.0,6.0\n"
    run, ready = run_folder(tmp_path, written, listed)

    run.hand_over(ready, ended=False)

    assert handed(ready) == [
        "19700101T001643Z_000000.ts",
        "19700101T001643Z_000001.ts",
        "19700101T001644Z_000002.ts",
    ]


def test_a_first_segment_that_was_cut_off_began_with_its_run(tmp_path: Path) -> None:
    run, ready = run_folder(tmp_path, {"000000.ts": 1004.0}, "")

    run.hand_over(ready, ended=True)

    assert handed(ready) == ["19700101T001640Z_000000.ts"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p@host/x", "rtsp://u:***@host/x"),
        ("rtsp://u:p%40q@host/x?a=b@c", "rtsp://u:***@host/x?a=b@c"),
        ("rtsp://host/x", "rtsp://host/x"),
        ("cannot open rtsp://u:p@h/1 and rtsp://v:q@h/2", "cannot open rtsp://u:***@h/1 and rtsp://v:***@h/2"),
    ],
)
def test_passwords_are_not_shown(text: str, shown: str) -> None:
    assert without_password(text) == shown
