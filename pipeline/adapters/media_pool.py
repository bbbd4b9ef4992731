"""The media pool: uploads are hostile input for a C library, so files are read in processes that may die.

Each place of the pool has one spawned process and reads one file at a time. A process that crashes, hangs or asks for too
much memory costs the file it was reading, nothing else: it is killed, the job ends with ``ProbeDied``, and the place
gets a new process. Blame is fair: when a process dies that has read other files before, the file is read once more in
a new one, so that neither an earlier file's damage nor grown memory counts against it. Processes are renewed after some
files, so that a leak cannot grow. A process whose parent died ends itself: it sees its pipe closed, and an alarm ends one
that hangs.

A small file costs little more than the way of its request and its answer, so the request after it is sent before it is
answered; not after a large one, which another place may be done with sooner. What was sent ahead to a process that died was
not begun: the next process reads it.

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
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, NamedTuple

from pipeline.adapters import media, media_copy
from pipeline.adapters.digest import Digested, digest, if_unchanged, open_to_read
from pipeline.domain.derivative import Copied, CopiedStream
from pipeline.domain.errors import MediaUnreadable, ProbeDied
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
_SMALL_BYTES: Final = 8 << 20
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


class _Copying(NamedTuple):
    """``target``: where to; ``None``: only what a copy would have is wanted."""

    path: str
    target: str | None


class _Job(NamedTuple):
    request: _Request | _Copying
    told: Callable[[int], None]
    answer: Future[object]


class MediaPool:
    """``ports.MediaProbe`` and ``ports.MediaCopier`` on *processes* media processes. *memory_bytes*: address space a process may add to what it
    starts with. *job* is what a process does with a file; it must be importable by name. *on_death* is
    called for each file that cost its process; ``jobs``: files that are read now or wait for a place."""

    def __init__(
        self,
        processes: int,
        timeout_s: float,
        memory_bytes: int,
        job: Job = media.facts,
        files_a_process: int = _FILES_A_PROCESS,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self.jobs = 0
        self._on_death = on_death
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._all = [_Place(self._jobs, timeout_s, memory_bytes, job, files_a_process) for _ in range(processes)]
        self._threads = [Thread(target=place.work, name="media", daemon=True) for place in self._all]
        for thread in self._threads:
            thread.start()

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

    async def copy(self, path: Path, target: Path) -> Copied:
        """See :class:`pipeline.ports.MediaCopier`."""
        answer = await self._answer_to(_Copying(str(path), str(target)), _nobody)
        if isinstance(answer, MediaUnreadable):
            raise answer
        assert isinstance(answer, Copied)
        return answer

    async def payloads(self, path: Path) -> tuple[CopiedStream, ...]:
        """What a copy of the file at *path* has, with its payload digests; raises ``MediaUnreadable``, ``ProbeDied``."""
        answer = await self._answer_to(_Copying(str(path), None), _nobody)
        if isinstance(answer, MediaUnreadable):
            raise answer
        assert isinstance(answer, tuple)
        return answer

    async def _answer_to(self, request: _Request | _Copying, told: Callable[[int], None]) -> object:
        answer: Future[object] = Future()
        self.jobs += 1
        self._jobs.put(_Job(request, told, answer))
        try:
            return await asyncio.wrap_future(answer)
        except ProbeDied:
            self._on_death()
            raise
        finally:
            self.jobs -= 1

    def close(self) -> None:
        """End every process; jobs under way end with ``ProbeDied``, those that wait are cancelled."""
        for place in self._all:
            place.close()
        for _ in self._all:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()


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

    def __init__(
        self, jobs: SimpleQueue[_Job | None], timeout_s: float, memory_bytes: int, job: Job, files_a_process: int
    ) -> None:
        self._jobs = jobs
        self._timeout_s, self._memory_bytes, self._job, self._files = timeout_s, memory_bytes, job, files_a_process
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._ahead: _Job | None = None
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

    def _next(self) -> _Job | None:
        return self._ahead or self._jobs.get()

    def _do(self, job: _Job) -> None:
        try:
            answer = self._run(job)
        except BaseException as exc:
            job.answer.set_exception(exc)
        else:
            job.answer.set_result(answer)

    def _run(self, job: _Job) -> object:
        """Read one file in this place's process; raises ``ProbeDied``. An ``OSError`` of the file is an answer."""
        answer = self._ask(job)
        if isinstance(answer, str) and self._served and not self._closed:
            answer = self._ask(job)
        if isinstance(answer, str):
            raise ProbeDied(answer)
        return answer

    def _ask(self, job: _Job) -> object:
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

    def _send_ahead(self, pipe: Connection, job: _Job) -> None:
        """Send what comes after *job*, if that is small and the process goes on after it."""
        self._sent = False
        if self._ahead is None and self._left > 1 and _is_small(job.request.path):
            self._ahead = self._waiting()
        if self._ahead is not None:
            pipe.send(self._ahead.request)
            self._sent = True

    def _waiting(self) -> _Job | None:
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


def _is_small(path: str) -> bool:
    try:
        return Path(path).stat().st_size <= _SMALL_BYTES
    except OSError:
        return False


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
            if isinstance(request, _Copying):
                answer = _copy(request)
            elif request.hashed:
                answer = _examine(request, job, aside, _Teller(pipe, alarm_s))
            else:
                answer = job(request.path, request.tolerance, request.init)
        except MemoryError:
            answer = "ran out of memory"
        except OSError as exc:
            answer = exc if isinstance(request, _Request) and request.hashed else f"failed: {type(exc).__name__}"
        except Exception as exc:
            answer = f"failed: {type(exc).__name__}"
        signal.alarm(0)
        try:
            pipe.send(answer)
        except OSError:
            return


def _copy(request: _Copying) -> Copied | tuple[CopiedStream, ...] | MediaUnreadable:
    try:
        if request.target is None:
            return media_copy.payloads(request.path)
        return media_copy.copy(request.path, request.target)
    except MediaUnreadable as exc:
        return exc


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
