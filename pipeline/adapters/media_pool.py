"""The media pool: uploads are hostile input for a C library, so files are read in processes that may die.

Each place of the pool (:mod:`~pipeline.adapters.media_place`) has one spawned process
(:mod:`~pipeline.adapters.media_process`) and reads one file at a time; the pool is the queue before them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final

from pipeline.adapters import media
from pipeline.adapters.digest import Digested, digest, open_to_read
from pipeline.adapters.media_place import Place, Work, nobody
from pipeline.adapters.media_process import Copying, Examined, Job, Request
from pipeline.domain.derivative import Copied, CopiedStream
from pipeline.domain.errors import MediaUnreadable, ProbeDied
from pipeline.domain.facts import unreadable
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts

_FILES_A_PROCESS: Final = 5000
"""A new process costs a third of a second, as much as reading 200 small files; a leak meets the memory limit before."""


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
        self._jobs: SimpleQueue[Work | None] = SimpleQueue()
        self._all = [Place(self._jobs, timeout_s, memory_bytes, job, files_a_process) for _ in range(processes)]
        self._threads = [Thread(target=place.work, name="media", daemon=True) for place in self._all]
        for thread in self._threads:
            thread.start()

    @property
    def version(self) -> str:
        return media.VERSION

    async def facts(self, path: Path, tolerance: Tolerance) -> MediaFacts:
        """See :class:`pipeline.ports.MediaProbe`; waits for a free place first."""
        answer = await self._answer_to(Request(str(path), tolerance, None, hashed=False), nobody)
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
            request = Request(str(path), tolerance, None if init is None else str(init), hashed=True)
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
        answer = await self._answer_to(Copying(str(path), str(target)), nobody)
        if isinstance(answer, MediaUnreadable):
            raise answer
        assert isinstance(answer, Copied)
        return answer

    async def payloads(self, path: Path) -> tuple[CopiedStream, ...]:
        """What a copy of the file at *path* has, with its payload digests; raises ``MediaUnreadable``, ``ProbeDied``."""
        answer = await self._answer_to(Copying(str(path), None), nobody)
        if isinstance(answer, MediaUnreadable):
            raise answer
        assert isinstance(answer, tuple)
        return answer

    async def _answer_to(self, request: Request | Copying, told: Callable[[int], None]) -> object:
        answer: Future[object] = Future()
        self.jobs += 1
        self._jobs.put(Work(request, told, answer))
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


def _digest_here(path: str, told: Callable[[int], None]) -> Digested:
    descriptor = open_to_read(path)
    try:
        return digest(descriptor, os.fstat(descriptor), told)
    finally:
        os.close(descriptor)
