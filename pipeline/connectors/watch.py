"""Watching a folder: the folder connector, running on. What continuous recorders write into is brought in as it settles.

The folder is searched again and again, whatever notifications there might be: a search finds what happened while nobody
watched. A file is taken when two searches, ``settle_s`` apart, found it unchanged; the wall clock plays no part, so
neither does a recorder's wrong one. A folder that is away is waited for, and is never taken for an empty one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.connectors.folder import Candidate, Intake, Row, discover
from pipeline.connectors.journal import FileStamp

GRACE_S: Final = 30.0
"""Of the 60 s that a service manager gives a process to end, what is spent on finishing."""


@dataclass(slots=True)
class _Sight:
    """A path as the searches know it: since when it looks so, and whether that is dealt with."""

    stamp: FileStamp | None
    since_s: float
    done: bool = False


class Watch:
    """Finds what is ready to be taken. ``clock_s`` is a monotonic clock."""

    def __init__(self, root: Path, settle_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._root = root
        self._settle_s = settle_s
        self._clock_s = clock_s
        self._sights: dict[Path, _Sight] = {}

    def ready(self) -> list[Candidate]:
        """Search once; returns what has looked the same for the settling time and is not dealt with."""
        now_s = self._clock_s()
        found = {candidate.path: candidate for candidate in discover([self._root])}
        self._sights = {path: sight for path, sight in self._sights.items() if path in found}
        ready = []
        for path, candidate in found.items():
            sight = self._sights.get(path)
            if sight is None or sight.stamp != candidate.stamp:
                sight = self._sights[path] = _Sight(candidate.stamp, now_s)
            if not sight.done and now_s - sight.since_s >= self._settle_s:
                ready.append(candidate)
        return ready

    def settle(self, rows: list[Row]) -> None:
        """These ended; the ones whose refusal may pass are looked at again after another settling time."""
        for row in rows:
            if sight := self._sights.get(row.path):
                sight.done = not row.again
                sight.since_s = self._clock_s()


async def watch(intake: Intake, root: Path, settle_s: float, poll_s: float, stop: asyncio.Event) -> None:
    """Bring in what settles under *root* until *stop* is set. What is under way or settled by then is still brought in, as
    far as ``GRACE_S`` reaches; the journal knows the rest."""
    seen = Watch(root, settle_s)
    stopped = asyncio.create_task(stop.wait())
    try:
        while True:
            last = stop.is_set()
            taking = asyncio.create_task(_take(intake, seen))
            await asyncio.wait({taking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                await asyncio.wait({taking}, timeout=GRACE_S)
            if not taking.done():
                taking.cancel()
                await asyncio.wait({taking})
                return
            taking.result()
            if last:
                return
            await asyncio.wait({stopped}, timeout=poll_s)
    finally:
        stopped.cancel()


async def _take(intake: Intake, seen: Watch) -> None:
    if ready := await asyncio.to_thread(seen.ready):
        seen.settle(await intake.take(ready))
