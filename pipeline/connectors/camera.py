"""The simplest camera: ffmpeg copies a stream into segments, nothing is encoded again, and a watched folder takes over.

One run of ffmpeg is one folder of segments named by the UTC second they began in; a segment is handed over when ffmpeg
says it is complete, or has ended. Handing over is a rename, so the watched folder never holds half a segment. When ffmpeg
dies it is started again, sooner at first, later when it keeps dying: a new run, whose folder keeps its names apart from
any other's. What the camera sends while nothing records is lost, and shows as a gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """What to record and where. ``spool``: segments being written; ``ready``: complete ones, for the watch to take."""

    url: str
    segment_s: int
    spool: Path
    ready: Path

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
            *("-segment_list", str(run / "complete"), "-segment_list_type", "flat", "-strftime", "1"),
            str(run / "%Y%m%dT%H%M%SZ.ts"),
        ]


async def record(camera: Camera, stop: asyncio.Event) -> None:
    """Record until *stop* is set or a file has been played; what earlier runs left behind is handed over first."""
    log = structlog.get_logger().bind(camera=without_password(camera.url))
    camera.spool.mkdir(parents=True, exist_ok=True)
    camera.ready.mkdir(parents=True, exist_ok=True)
    if left := sorted(camera.spool.iterdir()):
        await asyncio.sleep(_POLL_S)  # the recorder of a killed process is finishing its last segment
        for run in left:
            hand_over(run, camera.ready, complete_only=False)
    pause_s = _BACKOFF_S[0]
    while not stop.is_set():
        began = time.monotonic()
        code, words = await _run(camera, stop)
        if stop.is_set() or (code == 0 and not camera.is_live):
            return
        lasted_s = time.monotonic() - began
        pause_s = _BACKOFF_S[0] if lasted_s >= _STEADY_S else pause_s
        log.warning("camera.lost", exit_code=code, lasted_s=round(lasted_s, 1), again_in_s=pause_s, said=words)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)
        pause_s = min(_BACKOFF_S[1], pause_s * 2)


async def _run(camera: Camera, stop: asyncio.Event) -> tuple[int, str]:
    """One ffmpeg from start to end; its exit code and last words. All it wrote is handed over when this returns."""
    run = camera.spool / f"run-{time.time_ns() // 1_000_000}"
    run.mkdir()
    errors = run / "errors"
    try:
        with errors.open("wb") as said:
            process = await asyncio.create_subprocess_exec(
                *camera.command(run),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=said,
                env=os.environ | {"TZ": "UTC"},  # the clock that names segments
                start_new_session=True,
            )
    except FileNotFoundError as exc:
        raise Misconfigured("ffmpeg is not installed: install the package ffmpeg") from exc
    structlog.get_logger().info("camera.started", camera=without_password(camera.url), process=process.pid)
    ended = asyncio.create_task(process.wait())
    stopped = asyncio.create_task(stop.wait())
    try:
        while not ended.done() and not stop.is_set():
            await asyncio.wait({ended, stopped}, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
            hand_over(run, camera.ready, complete_only=True)
    finally:
        stopped.cancel()
        await _end(process, ended)
        words = without_password(errors.read_text("utf-8", "replace")[-_LAST_WORDS:].strip())
        hand_over(run, camera.ready, complete_only=False)
    return process.returncode or 0, words


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    """Ask ffmpeg to finish its segment; make it end when it does not."""
    for signum, patience_s in ((signal.SIGINT, _STOP_S), (signal.SIGKILL, _STOP_S)):
        if ended.done():
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signum)
        await asyncio.wait({ended}, timeout=patience_s)


def hand_over(run: Path, ready: Path, *, complete_only: bool) -> None:
    """Move a run's segments to where the watch finds them: those ffmpeg calls complete, or all when it has ended.

    A run's folder keeps its name there. An empty segment is left out: nothing was recorded in it.
    """
    listed = run / "complete"
    names = listed.read_text("utf-8").split("\n")[:-1] if listed.is_file() else []
    segments = sorted(run.glob("*.ts"))
    for segment in segments:
        if (segment.name in names or not complete_only) and segment.stat().st_size > 0:
            (ready / run.name).mkdir(exist_ok=True)
            segment.rename(ready / run.name / segment.name)
    if not complete_only:
        for rest in run.iterdir():
            rest.unlink()
        run.rmdir()


def without_password(text: str) -> str:
    """*text* with the password of any address in it hidden."""
    return re.sub(r"(\w+://[^:/@\s]*):[^@/\s]*@", r"\1:***@", text)
