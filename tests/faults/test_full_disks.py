"""Disks that are really full: a small one of the kernel's own, filled. Work stops, names the disk, and goes on by itself."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.objects_memory import MemoryObjects
from pipeline.connectors import camera as cameras
from pipeline.connectors.camera import Camera, record
from pipeline.connectors.folder import discover
from pipeline.connectors.journal import open_journal
from pipeline.domain.errors import DiskFull
from pipeline.domain.facts import unreadable
from pipeline.domain.identity import SourceId
from pipeline.domain.probe import MediaFacts
from pipeline.steps.probe import ProbeStep
from tests import clips
from tests.adapters.objects_contract import ref, sha
from tests.builders import landed, policy
from tests.connectors.stage import Table, eventually, session
from tests.connectors.test_clearing import brought_in, clearing, receipt

SIZE = 512 << 10
RESERVE = 64 << 10


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a mebibyte."""
    path = tmp_path / "disk"
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(path)], capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"needs the right to mount: {made.stderr.decode().strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)  # lazily: a test that failed may have left it in use


def fill(disk: Path) -> Path:
    """Take all that is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return ballast
    raise AssertionError("the disk has no end")


async def test_a_full_journal_disk_stops_the_intake_by_name_and_room_lets_it_go_on_with_every_number(
    disk: Path, tmp_path: Path
) -> None:
    card = tmp_path / "card"
    card.mkdir()
    for number in range(40):
        (card / f"{number}.mp4").write_text(f"recording {number}", "utf-8")
    table = Table(disk / "journals")

    with capture_logs() as said, table.intake(session(patience_s=None)) as intake:
        ballast = fill(disk)
        taking = asyncio.create_task(intake.take(list(discover([card]))))
        await eventually(lambda: bool(said) or taking.done())
        announced = len(table.heard.segments)
        ballast.unlink()
        rows = await taking

    assert announced < 40
    assert said[0]["event"] == "intake.waiting"
    assert f"free some space under {disk / 'journals'}" in said[0]["why"]
    assert said[-1]["event"] == "intake.resumed"
    assert {row.outcome for row in rows} == {"announced"}
    assert [segment.announcement for segment in table.heard.segments] == list(range(1, 41))


def test_a_journal_is_not_opened_on_a_full_disk_and_the_error_names_it(disk: Path) -> None:
    (disk / "journals").mkdir()
    (disk / "journals" / "cam-1.lock").write_text("0", "utf-8")
    fill(disk)

    with (
        pytest.raises(DiskFull, match=f"the disk of the journal is full.*{disk / 'journals'}"),
        open_journal(disk / "journals", SourceId("cam-1"), "folder"),
    ):
        pass


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clips.bars(tmp_path_factory.mktemp("film") / "film.ts", seconds=120)


@pytest.mark.parametrize("left_bytes", [0, RESERVE // 2])
async def test_a_recorder_stops_on_a_full_disk_by_name_and_room_lets_it_go_on(
    disk: Path, film: Path, left_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "_BACKOFF_S", (0.1, 0.2))
    spool = disk / "spool"
    camera = Camera(url=str(film), segment_s=1, spool=spool / "writing", ready=spool / "ready", reserve_bytes=RESERVE)
    stop = asyncio.Event()

    def segments() -> list[Path]:
        return sorted((spool / "ready").glob("*/*.ts"))

    def waits() -> bool:
        return any(
            line["event"] == "camera.waiting" and f"free some space under {spool}" in line["why"] for line in said
        )

    with capture_logs() as said:
        recording = asyncio.create_task(record(camera, stop))
        await eventually(lambda: len(segments()) >= 1)
        ballast = leave(disk, left_bytes) if left_bytes else fill(disk)
        await eventually(waits)
        await asyncio.sleep(0.5)
        full, alive = segments(), not recording.done()
        ballast.unlink()
        await eventually(lambda: len(segments()) >= len(full) + 2)
        stop.set()
        await asyncio.wait_for(recording, 15)

    assert alive
    assert set(full) <= set(segments())
    assert all(path.stat().st_size > 0 for path in segments())
    assert list((spool / "writing").iterdir()) == []


@pytest.mark.parametrize(("left_bytes", "is_cleared"), [(0, False), (RESERVE, True)])
async def test_what_is_archived_is_cleared_from_a_disk_on_which_only_the_recorder_s_reserve_is_left(
    disk: Path, left_bytes: int, is_cleared: bool
) -> None:
    table, ready = Table(disk / "journals"), disk / "ready"
    table.store.make_bucket("records", lock_days=1)
    ready.mkdir()
    for number in range(4):
        (ready / f"{number}.ts").write_bytes(bytes([number]) * 4096)

    with table.intake() as intake:
        files = await brought_in(intake, ready)
        receipt(table)
        ballast = leave(disk, left_bytes) if left_bytes else fill(disk)
        try:
            clearing(table, intake).clear(files)
            said = ""
        except DiskFull as exc:
            said = str(exc)
        after = len(left_on(ready))
        ballast.unlink()
        clearing(table, intake).clear(files)

    assert (after, said == "") == ((0, True) if is_cleared else (4, False))
    assert is_cleared or f"free some space under {disk / 'journals'}" in said
    assert left_on(ready) == []


def leave(disk: Path, free_bytes: int) -> Path:
    """Take all but *free_bytes*."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - free_bytes))
    return ballast


def left_on(disk: Path) -> list[str]:
    return [path.name for path in disk.iterdir()]


class Reader:
    """A media probe that says nothing of the file."""

    version = "1/test"

    async def facts(self, path: Path, tolerance: object) -> MediaFacts:
        return unreadable("for the test")


async def test_a_full_disk_for_temporary_files_is_waited_for_and_named(disk: Path) -> None:
    store = MemoryObjects(SystemClock())
    store.make_bucket("originals", lock_days=1)
    data = bytes(SIZE // 2)
    stored = ref(store.put_bytes("originals", "sha256/x.mp4", data, sha(data), retain_until=None))
    step = ProbeStep(store, Reader(), policy(), "test", disk)
    ballast = fill(disk)

    with pytest.raises(DiskFull, match=f"{len(data)} bytes are to be read: free some space under {disk}") as raised:
        await step.step(landed(object=stored))
    ballast.unlink()
    probed = await step.step(landed(object=stored))

    assert raised.value.retryable
    assert probed.observed_sha256 == stored.sha256
    assert left_on(disk) == []
