"""The media pool: uploads are hostile input for a C library, so files are read in processes that may die.

Each place of the pool has one spawned process and reads one file at a time. A process that crashes, hangs or asks for too
much memory costs the file it was reading, nothing else: it is killed, the job ends with ``ProbeDied``, and the place
gets a new process. Blame is fair: when a process dies that has read other files before, the file is read once more in
a new one, so that neither an earlier file's damage nor grown memory counts against it. Processes are renewed after some
files, so that a leak cannot grow. A process whose parent died ends itself: it sees its pipe closed, and an alarm ends one
that hangs.

Where the digest is wanted too (:meth:`MediaPool.examine`), the process that reads a file also hashes it, from the one file
it opened: a large one on a second thread meanwhile, so that facts and digest together take as long as the slower of them. A
slow medium is no hang: each piece that was hashed begins the time limit anew.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

from pipeline.adapters import media
from pipeline.adapters.digest import Digested, digest, if_unchanged, open_to_read
from pipeline.domain.errors import ProbeDied
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts
from pipeline.domain.reading import unreadable

Job = Callable[[str, Tolerance, str | None], MediaFacts]
"""``(path, tolerance, init)``; *init*: the path of the init segment that describes the file, where there is one."""
_FILES_A_PROCESS: Final = 5000
"""A new process costs a third of a second, as much as reading 200 small files; a leak meets the memory limit before."""
_START_S: Final = 60
_ALARM_GRACE_S: Final = 10
_ALONGSIDE_BYTES: Final = 256 << 10
"""Below, handing a file to a second thread costs more than it saves."""
_SWITCH_S: Final = 0.0002
"""The hashing thread needs the interpreter for moments only; with Python's 5 ms it waits longer for it than it hashes
(measured on 164 MB of transport stream: 1.5 times the digest's time alone instead of 1.04)."""
_TOLD_BYTES: Final = 32 << 20
_spawn = multiprocessing.get_context("spawn")


class Examined(NamedTuple):
    """The open file as it was, its digest (``None`` if it changed while it was read) and its facts."""

    digested: Digested
    facts: MediaFacts


class _Request(NamedTuple):
    path: str
    tolerance: Tolerance
    init: str | None
    hashed: bool


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
        answer = await self._answer_to(_Request(str(path), tolerance, None, hashed=False), _nobody)
        assert isinstance(answer, MediaFacts)
        return answer

    async def examine(
        self, path: Path, tolerance: Tolerance, on_bytes: Callable[[int], None], init: Path | None = None
    ) -> Examined:
        """Digest and facts of the file at *path*, as the medium holds it now. A file that costs the process is ``unreadable``
        and has a digest all the same. *on_bytes* is told, on other threads, how many bytes more were read. *init*: the
        init segment that describes it. Raises ``OSError`` of the file."""
        told = _Further(on_bytes)
        try:
            request = _Request(str(path), tolerance, None if init is None else str(init), hashed=True)
            answer = await self._answer_to(request, told)
        except ProbeDied as exc:
            digested = await asyncio.to_thread(_digest_here, str(path), told)
            return Examined(digested, unreadable(f"the process that read it {exc}", reader="lost"))
        if isinstance(answer, OSError):
            raise answer
        assert isinstance(answer, Examined)
        told(answer.digested.found.st_size)
        return answer

    async def _answer_to(self, request: _Request, told: Callable[[int], None]) -> object:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, request, told)

    def close(self) -> None:
        """End every process; jobs under way end with ``ProbeDied``."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for place in self._all:
            place.close()
        self._threads.shutdown(wait=True)

    def _run(self, request: _Request, told: Callable[[int], None]) -> object:
        place = self._places.get()
        try:
            return place.run(request, told)
        finally:
            self._places.put(place)


class _Further:
    """Called with how many bytes were read so far; tells of each byte once, also when a file has to be read again."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell, self._told = tell, 0

    def __call__(self, read_bytes: int) -> None:
        if read_bytes > self._told:
            self._tell(read_bytes - self._told)
            self._told = read_bytes


def _nobody(_read_bytes: int) -> None:
    """Nobody wants to know."""


def _digest_here(path: str, told: Callable[[int], None]) -> Digested:
    descriptor = open_to_read(path)
    try:
        return digest(descriptor, os.fstat(descriptor), told)
    finally:
        os.close(descriptor)


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

    def run(self, request: _Request, told: Callable[[int], None]) -> object:
        """Read one file in this place's process; raises ``ProbeDied``. An ``OSError`` of the file is an answer."""
        answer = self._ask(request, told)
        if isinstance(answer, str) and self._served and not self._closed:
            answer = self._ask(request, told)
        if isinstance(answer, str):
            raise ProbeDied(answer)
        return answer

    def _ask(self, request: _Request, told: Callable[[int], None]) -> object:
        """The answer, or in words how the process died of the file. ``_served``: how many files it had read before."""
        process, pipe = self._ready()
        self._served = self._files - self._left
        try:
            pipe.send(request)
            answer = self._answer(process, pipe, self._timeout_s, told)
        except (EOFError, OSError):
            return self._obituary(process)
        self._left -= 1
        if isinstance(answer, str):
            self.kill()
        return answer

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
            self._answer(process, pipe, _START_S, _nobody)
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


def _serve(pipe: Connection, job: Job, timeout_s: float, memory_bytes: int) -> None:
    """The media process: limits first, then one file after the other until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.setswitchinterval(_SWITCH_S)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _address_space_bytes() + memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    pipe.send("ready")
    aside = ThreadPoolExecutor(1, thread_name_prefix="digest")
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        alarm_s = int(timeout_s) + _ALARM_GRACE_S
        signal.alarm(alarm_s)
        answer: object
        try:
            if request.hashed:
                answer = _examine(request, job, aside, _Teller(pipe, alarm_s))
            else:
                answer = job(request.path, request.tolerance, request.init)
        except MemoryError:
            answer = "ran out of memory"
        except OSError as exc:
            answer = exc if request.hashed else f"failed: {type(exc).__name__}"
        except Exception as exc:
            answer = f"failed: {type(exc).__name__}"
        signal.alarm(0)
        try:
            pipe.send(answer)
        except OSError:
            return


def _examine(request: _Request, job: Job, aside: ThreadPoolExecutor, tell: _Teller) -> Examined:
    descriptor = open_to_read(request.path)
    try:
        found, path = os.fstat(descriptor), f"/proc/self/fd/{descriptor}"
        if found.st_size < _ALONGSIDE_BYTES:
            digested = digest(descriptor, found, tell)
            facts = job(path, request.tolerance, request.init)
        else:
            hashing = aside.submit(digest, descriptor, found, tell)
            try:
                facts = job(path, request.tolerance, request.init)
            finally:
                digested = hashing.result()  # nothing else may be sent or closed before
        return Examined(if_unchanged(descriptor, digested), facts)
    finally:
        os.close(descriptor)


class _Teller:
    """Tells the parent now and then how many bytes were hashed, and begins the alarm anew; the answer tells the rest."""

    def __init__(self, pipe: Connection, alarm_s: int) -> None:
        self._pipe, self._alarm_s, self._told = pipe, alarm_s, 0

    def __call__(self, read_bytes: int) -> None:
        if read_bytes - self._told >= _TOLD_BYTES:
            self._pipe.send(read_bytes)
            self._told = read_bytes
            signal.alarm(self._alarm_s)


def _address_space_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()
