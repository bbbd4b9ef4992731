"""Pace: reading held down to a rate, so that a check of everything leaves the store to those who work with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Pace:
    """Called with every number of bytes that was read, from any thread; returns when that much may have been read.

    The rate is that of all threads together. Time in which nothing was read is not saved up for later.
    """

    def __init__(
        self,
        bytes_per_s: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bytes_per_s, self._now, self._sleep = bytes_per_s, now, sleep
        self._lock, self._free_at = Lock(), 0.0

    def __call__(self, size_bytes: int) -> None:
        with self._lock:
            now = self._now()
            self._free_at = max(self._free_at, now) + size_bytes / self._bytes_per_s
            wait_s = self._free_at - now
        self._sleep(wait_s)
