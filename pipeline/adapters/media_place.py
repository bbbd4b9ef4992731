"""A place of the media pool: one spawned process at a time, the pipe to it, and who is to blame when it dies.

A process that crashes, hangs or asks for too much memory costs the file it was reading, nothing else: it is killed, the work
ends with ``ProbeDied``, and the place gets a new process. Blame is fair: when a process dies that has read other files
before, the file is read once more in a new one, so that neither an earlier file's damage nor grown memory counts against it.
Processes are renewed after some files, so that a leak cannot grow.

A small file costs little more than the way of its request and its answer, so the request after it is sent before it is
answered; not after a large one, which another place may be done with sooner. What was sent ahead to a process that died was
not begun: the next process reads it.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from pipeline.adapters.media_process import Copying, Job, Request, serve
from pipeline.domain.errors import ProbeDied

_START_S: Final = 60
_SMALL_BYTES: Final = 8 << 20
_spawn = multiprocessing.get_context("spawn")


class Work(NamedTuple):
    """What waits for a place. *told* hears how many bytes were read so far, *answer* gets the answer or ``ProbeDied``."""

    request: Request | Copying
    told: Callable[[int], None]
    answer: Future[object]


def nobody(_read_bytes: int) -> None:
    """Nobody wants to know."""


class Place:
    """One process at a time and the pipe to it."""

    def __init__(
        self, jobs: SimpleQueue[Work | None], timeout_s: float, memory_bytes: int, job: Job, files_a_process: int
    ) -> None:
        self._jobs = jobs
        self._timeout_s, self._memory_bytes, self._job, self._files = timeout_s, memory_bytes, job, files_a_process
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._ahead: Work | None = None
        self._sent = False
        """Whether the present process has the request of the job ahead."""
        self._left = 0
        self._served = 0
        self._closed = False

    def close(self) -> None:
        """End the process and start no other."""
        self._closed = True
        self.kill()

    def work(self) -> None:
        """Do one job after the other until there is none instead of one; what the place's own thread does."""
        while (job := self._next()) is not None:
            if job is self._ahead:
                self._ahead = None
                self._do(job)
            elif self._closed:
                job.answer.cancel()
            elif job.answer.set_running_or_notify_cancel():
                self._do(job)

    def _next(self) -> Work | None:
        return self._ahead or self._jobs.get()

    def _do(self, job: Work) -> None:
        try:
            answer = self._run(job)
        except BaseException as exc:
            job.answer.set_exception(exc)
        else:
            job.answer.set_result(answer)

    def _run(self, job: Work) -> object:
        """Read one file in this place's process; raises ``ProbeDied``. An ``OSError`` of the file is an answer."""
        answer = self._ask(job)
        if isinstance(answer, str) and self._served and not self._closed:
            answer = self._ask(job)
        if isinstance(answer, str):
            raise ProbeDied(answer)
        return answer

    def _ask(self, job: Work) -> object:
        """The answer, or in words how the process died of the file. ``_served``: how many files it had read before."""
        process, pipe = self._ready()
        self._served = self._files - self._left
        try:
            if not self._sent:
                pipe.send(job.request)
            self._send_ahead(pipe, job)
            answer = self._answer(process, pipe, self._timeout_s, job.told)
        except (EOFError, OSError):
            return self._obituary(process)
        self._left -= 1
        if isinstance(answer, str):
            self.kill()
        return answer

    def _send_ahead(self, pipe: Connection, job: Work) -> None:
        """Send what comes after *job*, if that is small and the process goes on after it."""
        self._sent = False
        if self._ahead is None and self._left > 1 and _is_small(job.request.path):
            self._ahead = self._waiting()
        if self._ahead is not None:
            pipe.send(self._ahead.request)
            self._sent = True

    def _waiting(self) -> Work | None:
        """The next job that waits already and is still wanted."""
        try:
            while (job := self._jobs.get_nowait()) is not None:
                if job.answer.set_running_or_notify_cancel():
                    return job
        except Empty:
            return None
        self._jobs.put(None)  # the end, which this place has yet to come to
        return None

    def kill(self) -> None:
        """End the process if there is one, at once."""
        self._sent = False
        process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
        if process is not None:
            process.kill()
            process.join()
        if pipe is not None:
            pipe.close()

    def _ready(self) -> tuple[SpawnProcess, Connection]:
        if self._process is not None and self._pipe is not None and self._left > 0 and self._process.is_alive():
            return self._process, self._pipe
        self.kill()
        if self._closed:
            raise ProbeDied("was not read: the pool is closed")
        pipe, theirs = _spawn.Pipe()
        process = _spawn.Process(
            target=serve,
            args=(theirs, self._job, self._timeout_s, self._memory_bytes),
            daemon=True,
            name="media",
        )
        process.start()
        theirs.close()
        self._process, self._pipe, self._left = process, pipe, self._files
        try:
            self._answer(process, pipe, _START_S, nobody)
        except (EOFError, OSError) as exc:
            raise ProbeDied(f"could not start: {self._obituary(process)}") from exc
        return process, pipe

    def _answer(self, process: SpawnProcess, pipe: Connection, within_s: float, told: Callable[[int], None]) -> object:
        while wait([pipe, process.sentinel], within_s):
            answer = pipe.recv()
            if not isinstance(answer, int):
                return answer
            told(answer)
        self.kill()
        raise ProbeDied(f"took longer than {within_s:g} s")

    def _obituary(self, process: SpawnProcess) -> str:
        """How the process ended, in words that depend on nothing else."""
        process.join(1)
        code = process.exitcode
        self.kill()
        if code is not None and code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return f"ended with code {code}"


def _is_small(path: str) -> bool:
    try:
        return Path(path).stat().st_size <= _SMALL_BYTES
    except OSError:
        return False
