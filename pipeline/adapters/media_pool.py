"""The media pool: uploads are hostile input for a C library, so files are read in processes that may die.

Each place of the pool has one spawned process and reads one file at a time. A process that crashes, hangs or asks for too
much memory costs the file it was reading, nothing else: it is killed, the job ends with ``ProbeDied``, and the place
gets a new process. Blame is fair: when a process dies that has read other files before, the file is read once more in
a new one, so that neither an earlier file's damage nor grown memory counts against it. Processes are renewed after some files, so that a leak cannot grow. A process whose parent died ends
itself: it sees its pipe closed, and an alarm ends one that hangs.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from pipeline.adapters import media
from pipeline.domain.errors import ProbeDied
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts

Job = Callable[[str, Tolerance], MediaFacts]
_FILES_A_PROCESS: Final = 500
_START_S: Final = 60
_ALARM_GRACE_S: Final = 10
_spawn = multiprocessing.get_context("spawn")


class MediaPool:
    """``ports.MediaProbe`` on *processes* media processes. *memory_bytes*: address space a process may add to what it
    starts with. *job* is what a process does with a file; it must be importable by name."""

    def __init__(
        self,
        processes: int,
        timeout_s: float,
        memory_bytes: int,
        job: Job = media.facts,
        files_a_process: int = _FILES_A_PROCESS,
    ) -> None:
        self._places: SimpleQueue[_Place] = SimpleQueue()
        self._all = [_Place(timeout_s, memory_bytes, job, files_a_process) for _ in range(processes)]
        for place in self._all:
            self._places.put(place)
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="media")

    @property
    def version(self) -> str:
        return media.VERSION

    async def facts(self, path: Path, tolerance: Tolerance) -> MediaFacts:
        """See :class:`pipeline.ports.MediaProbe`; waits for a free place first."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, path, tolerance)

    def close(self) -> None:
        """End every process; jobs under way end with ``ProbeDied``."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for place in self._all:
            place.close()
        self._threads.shutdown(wait=True)

    def _run(self, path: Path, tolerance: Tolerance) -> MediaFacts:
        place = self._places.get()
        try:
            return place.run(path, tolerance)
        finally:
            self._places.put(place)


class _Place:
    """One process at a time and the pipe to it."""

    def __init__(self, timeout_s: float, memory_bytes: int, job: Job, files_a_process: int) -> None:
        self._timeout_s, self._memory_bytes, self._job, self._files = timeout_s, memory_bytes, job, files_a_process
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._left = 0
        self._served = 0
        self._closed = False

    def close(self) -> None:
        """End the process and start no other."""
        self._closed = True
        self.kill()

    def run(self, path: Path, tolerance: Tolerance) -> MediaFacts:
        """Read one file in this place's process; raises ``ProbeDied``."""
        answer = self._ask(path, tolerance)
        if isinstance(answer, str) and self._served and not self._closed:
            answer = self._ask(path, tolerance)
        if isinstance(answer, MediaFacts):
            return answer
        raise ProbeDied(answer)

    def _ask(self, path: Path, tolerance: Tolerance) -> MediaFacts | str:
        """Facts, or how the process died of the file. ``_served``: how many files it had read before."""
        process, pipe = self._ready()
        self._served = self._files - self._left
        try:
            pipe.send((str(path), tolerance))
            answer = self._answer(process, pipe, self._timeout_s)
        except (EOFError, OSError):
            return self._obituary(process)
        self._left -= 1
        if isinstance(answer, MediaFacts):
            return answer
        self.kill()
        return str(answer)

    def kill(self) -> None:
        """End the process if there is one, at once."""
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
            target=_serve,
            args=(theirs, self._job, self._timeout_s, self._memory_bytes),
            daemon=True,
            name="media",
        )
        process.start()
        theirs.close()
        self._process, self._pipe, self._left = process, pipe, self._files
        try:
            self._answer(process, pipe, _START_S)
        except (EOFError, OSError) as exc:
            raise ProbeDied(f"could not start: {self._obituary(process)}") from exc
        return process, pipe

    def _answer(self, process: SpawnProcess, pipe: Connection, within_s: float) -> object:
        if not wait([pipe, process.sentinel], within_s):
            self.kill()
            raise ProbeDied(f"took longer than {within_s:g} s")
        return pipe.recv()

    def _obituary(self, process: SpawnProcess) -> str:
        """How the process ended, in words that depend on nothing else."""
        process.join(1)
        code = process.exitcode
        self.kill()
        if code is not None and code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return f"ended with code {code}"


def _serve(pipe: Connection, job: Job, timeout_s: float, memory_bytes: int) -> None:
    """The media process: limits first, then one file after the other until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _address_space_bytes() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    pipe.send("ready")
    while True:
        try:
            path, tolerance = pipe.recv()
        except EOFError:
            return
        signal.alarm(int(timeout_s) + _ALARM_GRACE_S)
        answer: object
        try:
            answer = job(path, tolerance)
        except MemoryError:
            answer = "ran out of memory"
        except Exception as exc:
            answer = f"failed: {type(exc).__name__}"
        signal.alarm(0)
        try:
            pipe.send(answer)
        except OSError:
            return


def _address_space_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()
