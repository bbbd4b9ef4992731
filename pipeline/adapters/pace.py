"""Pace: bytes read or objects asked for, held down to a rate, so that a check of everything leaves the store to those who
work with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Pace:
    """Called with every number of bytes or objects, from any thread; returns when that much may have been asked for.

    The rate is that of all threads together. Time in which nothing was asked for is not saved up for later.
    """

    def __init__(
        self,
        per_s: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_s, self._now, self._sleep = per_s, now, sleep
        self._lock, self._free_at = Lock(), 0.0

    def __call__(self, count: int) -> None:
        with self._lock:
            now = self._now()
            self._free_at = max(self._free_at, now) + count / self._per_s
            wait_s = self._free_at - now
        self._sleep(wait_s)
