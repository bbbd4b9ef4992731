"""The simplest camera: ffmpeg copies a stream into segments, nothing is encoded again, and a watched folder takes over.

One run of ffmpeg is one folder of numbered segments. A segment is handed over when ffmpeg says it is complete, or has
ended: it is renamed into the watched folder, which so never holds half a segment, under the UTC second it began in and
its number. (Names by time alone collide: what ffmpeg held back while it recognised the stream, it writes at once.) The
beginning is reckoned from the segment that arrived with the least delay, since data can only come late.

When ffmpeg dies it is started again, sooner at first, later when it keeps dying: another run. What the camera sends while
nothing records is lost, and shows as a gap.

A disk that fills up ends the run while ``reserve_bytes`` of it are free, and the next begins when twice as much is: the
journal on the same disk needs room to say what may be cleared from it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import shutil
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from pipeline.domain.errors import Misconfigured

_BACKOFF_S: Final = (1.0, 30.0)
_STEADY_S: Final = 60.0
"""A run this long was a good one: the next failure is taken for a first one again."""
_STOP_S: Final = 10.0
_POLL_S: Final = 0.5
_STALL_S: Final = 30
_LAST_WORDS: Final = 400
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
RESERVE_BYTES: Final = 64 << 20
"""A dozen segments of 10 s at 4 Mb/s, or a journal of some 50,000 announcements."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What to record and where. ``spool``: segments being written; ``ready``: complete ones, for the watch to take, on the
    same disk."""

    url: str
    segment_s: int
    spool: Path
    ready: Path
    reserve_bytes: int = RESERVE_BYTES

    @property
    def is_live(self) -> bool:
        """A stream that ends has failed; a file that ends is over."""
        return urlsplit(self.url).scheme not in ("", "file")

    def command(self, run: Path) -> list[str]:
        """The ffmpeg call of one run."""
        scheme = urlsplit(self.url).scheme
        pace = [] if self.is_live else ["-re"]  # a file is played as if it were happening
        patience = ["-rtsp_transport", "tcp", "-timeout", str(_STALL_S * 1_000_000)] if scheme == "rtsp" else []
        return [
            *("setpriv", "--pdeathsig", "INT", "--"),  # when we are killed, the recorder must not record on alone
            *("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning"),
            *(*pace, *patience, "-i", self.url),
            *("-map", "0:v?", "-map", "0:a?", "-c", "copy"),
            *("-f", "segment", "-segment_format", "mpegts", "-segment_time", str(self.segment_s)),
            *("-segment_list", str(run / "complete"), "-segment_list_type", "csv"),
            str(run / "%06d.ts"),
        ]


async def record(camera: Camera, stop: asyncio.Event) -> None:
    """Record until *stop* is set or a file has been played; what earlier runs left behind is handed over first."""
    log = structlog.get_logger().bind(camera=without_password(camera.url))
    pause_s = _BACKOFF_S[0]
    while not stop.is_set():
        began = time.monotonic()
        try:
            await _hand_over_left(camera)
            await _room(camera, stop)
            if stop.is_set():
                return
            code, words = await _run(camera, stop)
        except OSError as exc:
            if exc.errno not in _FULL:
                raise
            code, words = exc.errno, f"{exc.strerror} under {camera.spool.parent}"
        if stop.is_set() or (code == 0 and not camera.is_live):
            return
        if _free_bytes(camera) < camera.reserve_bytes:
            continue  # that is waited for, and said, before the next run
        lasted_s = time.monotonic() - began
        pause_s = _BACKOFF_S[0] if lasted_s >= _STEADY_S else pause_s
        log.warning("camera.lost", exit_code=code, lasted_s=round(lasted_s, 1), again_in_s=pause_s, said=words)
        await _wait(stop, pause_s)
        pause_s = min(_BACKOFF_S[1], pause_s * 2)


async def _hand_over_left(camera: Camera) -> None:
    """Hand over what runs before left in the spool: of a process that was killed, or on a disk that had no room."""
    camera.spool.mkdir(parents=True, exist_ok=True)
    camera.ready.mkdir(parents=True, exist_ok=True)
    if left := sorted(camera.spool.iterdir()):
        await asyncio.sleep(_POLL_S)  # the recorder of a killed process is finishing its last segment
        for folder in left:
            Run(folder).hand_over(camera.ready, ended=True)


async def _room(camera: Camera, stop: asyncio.Event) -> None:
    """Return when the disk has room to record, or *stop* is set; what is waited for is said once."""
    wanted_bytes = 2 * camera.reserve_bytes
    if _free_bytes(camera) >= wanted_bytes:
        return
    log = structlog.get_logger().bind(camera=without_password(camera.url))
    log.error("camera.waiting", why=_full(camera))
    while _free_bytes(camera) < wanted_bytes and not stop.is_set():
        await _wait(stop, _POLL_S)
    log.info("camera.resumed")


def _free_bytes(camera: Camera) -> int:
    return shutil.disk_usage(camera.spool).free


def _full(camera: Camera) -> str:
    return (
        f"the disk of the spool is full, nothing is recorded until {2 * camera.reserve_bytes} bytes of it are free: free "
        f"some space under {camera.spool.parent}, let --clear remove what is archived, or move UNBROKEN_STATE"
    )


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _run(camera: Camera, stop: asyncio.Event) -> tuple[int, str]:
    """One ffmpeg from start to its end, or to that of the room; its exit code and last words. All it wrote is handed over
    when this returns."""
    folder = camera.spool / f"run-{time.time_ns() // 1_000_000}"
    folder.mkdir()
    run, errors = Run(folder), folder / "errors"
    try:
        with errors.open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                *camera.command(folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
    except FileNotFoundError as exc:
        raise Misconfigured("ffmpeg is not installed: install the package ffmpeg") from exc
    structlog.get_logger().info("camera.started", camera=without_password(camera.url), process=process.pid)
    ended = asyncio.create_task(process.wait())
    stopped = asyncio.create_task(stop.wait())
    try:
        while not ended.done() and not stop.is_set() and _free_bytes(camera) >= camera.reserve_bytes:
            await asyncio.wait({ended, stopped}, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
            run.hand_over(camera.ready, ended=False)
    finally:
        stopped.cancel()
        await _end(process, ended)
        words = without_password(errors.read_text("utf-8", "replace")[-_LAST_WORDS:].strip())
        run.hand_over(camera.ready, ended=True)
    return process.returncode or 0, words


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    """Ask ffmpeg to finish its segment; make it end when it does not."""
    for signum, patience_s in ((signal.SIGINT, _STOP_S), (signal.SIGKILL, _STOP_S)):
        if ended.done():
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signum)
        await asyncio.wait({ended}, timeout=patience_s)


class Run:
    """One run's folder, and the wall time of its media's zero as far as it is known."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._zero_s = float("inf")
        self._end_s = 0.0

    def hand_over(self, ready: Path, *, ended: bool) -> None:
        """Move segments to where the watch finds them: those ffmpeg calls complete, or all when it has ended.

        The run's folder keeps its name there. An empty segment is left out: nothing was recorded in it.
        """
        complete = self._complete()
        for segment in sorted(self._folder.glob("*.ts")):
            found = segment.stat()
            if (segment.name in complete or ended) and found.st_size > 0:
                began_s = self._began_s(complete.get(segment.name), found.st_mtime)
                stamp = datetime.fromtimestamp(began_s, UTC)
                (ready / self._folder.name).mkdir(exist_ok=True)
                segment.rename(ready / self._folder.name / f"{stamp:%Y%m%dT%H%M%SZ}_{segment.name}")
        if ended:
            for rest in self._folder.iterdir():
                rest.unlink()
            self._folder.rmdir()

    def _began_s(self, span: tuple[float, float] | None, written_s: float) -> float:
        """When a segment began: *span* is its place in the run's media, *written_s* when its last byte came."""
        if span is None:  # ffmpeg was killed in it: it follows the one before, or it is the run's first
            known = self._zero_s + self._end_s
            return known if known < written_s else min(self._started_s(), written_s)
        self._zero_s = min(self._zero_s, written_s - span[1])
        self._end_s = span[1]
        return self._zero_s + span[0]

    def _started_s(self) -> float:
        return int(self._folder.name.rpartition("-")[2]) / 1000

    def _complete(self) -> dict[str, tuple[float, float]]:
        """Segments that ffmpeg lists as complete, with their begin and end in media seconds; a half-written line waits."""
        listed = self._folder / "complete"
        lines = listed.read_text("utf-8").split("\n")[:-1] if listed.is_file() else []
        fields = [line.split(",") for line in lines]
        return {name: (float(start), float(end)) for name, start, end in fields}


def forget_run(camera: Camera, cleared: Path) -> None:
    """Remove the folder of the run that *cleared* was a segment of, if it was the last one in it."""
    if cleared.parent != camera.ready:
        with contextlib.suppress(OSError):  # not empty
            cleared.parent.rmdir()


def without_password(text: str) -> str:
    """*text* with the password of any address in it hidden."""
    return re.sub(r"(\w+://[^:/@\s]*):[^@/\s]*@", r"\1:***@", text)
