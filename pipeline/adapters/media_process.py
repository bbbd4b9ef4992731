"""A media process: reads one file after the other for the place of the pool that started it, and may die of any of them.

Limits come first: no core dump, so much memory, an alarm for each file. An alarm also ends a process that hangs after its
parent died; else it sees its pipe closed and goes.

Where the digest is wanted too, the process that reads a file also hashes it, from the one file it opened: a large one on a
second thread meanwhile, so that facts and digest together take as long as the slower of them. A slow medium is no hang: each
piece that was hashed begins the time limit anew.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.adapters import media_copy
from pipeline.adapters.digest import Digested, digest, if_unchanged, open_to_read
from pipeline.domain.derivative import Copied, CopiedStream
from pipeline.domain.errors import MediaUnreadable
from pipeline.domain.policy import Tolerance
from pipeline.domain.probe import MediaFacts

Job = Callable[[str, Tolerance, str | None], MediaFacts]
"""``(path, tolerance, init)``; *init*: the path of the init segment that describes the file, where there is one."""
_ALARM_GRACE_S: Final = 10
_ALONGSIDE_BYTES: Final = 256 << 10
"""Below, handing a file to a second thread costs more than it saves."""
_SWITCH_S: Final = 0.0002
"""The hashing thread needs the interpreter for moments only; with Python's 5 ms it waits longer for it than it hashes
(measured on 164 MB of transport stream: 1.5 times the digest's time alone instead of 1.04)."""
_TOLD_BYTES: Final = 32 << 20


class Examined(NamedTuple):
    """The open file as it was, its digest (``None`` if it changed while it was read) and its facts."""

    digested: Digested
    facts: MediaFacts


class Request(NamedTuple):
    """A file to read. ``hashed``: its digest is wanted too."""

    path: str
    tolerance: Tolerance
    init: str | None
    hashed: bool


class Copying(NamedTuple):
    """A file to copy. ``target``: where to; ``None``: only what a copy would have is wanted."""

    path: str
    target: str | None


def serve(pipe: Connection, job: Job, timeout_s: float, memory_bytes: int) -> None:
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
            if isinstance(request, Copying):
                answer = _copy(request)
            elif request.hashed:
                answer = _examine(request, job, aside, _Teller(pipe, alarm_s))
            else:
                answer = job(request.path, request.tolerance, request.init)
        except MemoryError:
            answer = "ran out of memory"
        except OSError as exc:
            answer = exc if isinstance(request, Request) and request.hashed else f"failed: {type(exc).__name__}"
        except Exception as exc:
            answer = f"failed: {type(exc).__name__}"
        signal.alarm(0)
        try:
            pipe.send(answer)
        except OSError:
            return


def _copy(request: Copying) -> Copied | tuple[CopiedStream, ...] | MediaUnreadable:
    try:
        if request.target is None:
            return media_copy.payloads(request.path)
        return media_copy.copy(request.path, request.target)
    except MediaUnreadable as exc:
        return exc


def _examine(request: Request, job: Job, aside: ThreadPoolExecutor, tell: _Teller) -> Examined:
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
