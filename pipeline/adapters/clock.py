"""The system clock, behind its port."""

from __future__ import annotations

import time

from pipeline.domain.time import WallMs


class SystemClock:
    """UTC from the host. The host's clock is trusted to NTP; the store's own clock is compared with it elsewhere."""

    def now(self) -> WallMs:
        return WallMs(time.time_ns() // 1_000_000)
