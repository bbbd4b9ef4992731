"""A worker's small port: ``/livez``, ``/readyz``, ``/metrics``. Loopback only; it shows no data.

*Live* means that restarting would not help: the event loop turns, no lane has ended by a defect, and every partition that
has inputs moves on, unless it waits on an error we know (then the retrying gauge says so, and a restart would only repeat
it). *Ready* means that partitions are assigned and their states in memory; what is waited for is told beside it. Progress is measured against the broker's own
end offsets, because a consumer that is stuck also believes that there is nothing to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

import structlog
from aiohttp import web
from faust.types import TP
from mode import Service
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from pipeline.agents.runner import Runner

LOOP_TICK_S: Final = 0.5
LOOP_LATE_S: Final = 10.0
PROGRESS_TICK_S: Final = 10.0
NO_PROGRESS_S: Final = 120.0


class Progress:
    """Remembers when each partition last moved. Pure; times are monotonic seconds."""

    def __init__(self) -> None:
        self._seen: dict[TP, tuple[int, float]] = {}

    def observe(self, positions: Mapping[TP, int], ends: Mapping[TP, int], waiting: frozenset[TP], now: float) -> None:
        """*positions*: next offset to finish; *ends*: the broker's end; *waiting*: known to wait on an error."""
        before, self._seen = self._seen, {}
        for tp, position in positions.items():
            at, since = before.get(tp, (position, now))
            moves = position != at or position >= ends.get(tp, 0) or tp in waiting
            self._seen[tp] = (position, now if moves else since)

    def stalled(self, now: float) -> list[TP]:
        """Partitions with inputs that have not moved for ``NO_PROGRESS_S``."""
        return sorted(tp for tp, (_, since) in self._seen.items() if now - since >= NO_PROGRESS_S)


class Health(Service):
    """Serves the port and watches the worker; give it to ``run_worker`` as a service."""

    def __init__(
        self,
        app: Any,
        runner: Runner,
        *,
        port: int,
        registry: CollectorRegistry,
        loop_lag: Callable[[float], None] = lambda _seconds: None,
        broker_lag: Callable[[Mapping[str, int]], None] = lambda _inputs: None,
    ) -> None:
        super().__init__()
        self._app = app
        self._runner = runner
        self._port = port
        self._registry = registry
        self._report_loop = loop_lag
        self._report_lag = broker_lag
        self._lag_s = 0.0
        self._progress = Progress()
        self._out = structlog.get_logger()
        self._server: web.AppRunner | None = None

    async def on_start(self) -> None:
        site = web.Application()
        site.add_routes(
            [web.get("/livez", self._livez), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._server = web.AppRunner(site, access_log=None)
        await self._server.setup()
        await web.TCPSite(self._server, "127.0.0.1", self._port).start()
        self.add_future(self._watch_loop())
        self.add_future(self._watch_progress())

    async def on_stop(self) -> None:
        if self._server is not None:
            await self._server.cleanup()

    def unwell(self) -> list[str]:
        """Why a restart would help; empty when it would not."""
        reasons = [f"event loop was {self._lag_s:.1f} s late"] if self._lag_s > LOOP_LATE_S else []
        reasons += [f"{stage} stopped on partition {number}" for stage, number in self._runner.dead()]
        reasons += [f"no progress on {tp.topic} partition {tp.partition}" for tp in self._progress.stalled(monotonic())]
        return reasons

    def waits(self) -> list[str]:
        """What partitions wait for, each thing once; the object or recording an error names at its end stays in the log."""
        return sorted({str(why).partition(" (")[0] for why in self._runner.waiting().values()})

    async def _livez(self, _: web.Request) -> web.Response:
        reasons = self.unwell()
        return web.json_response({"live": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._runner.ready
        return web.json_response({"ready": ready, "waits": self.waits()}, status=200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        """In the form the reader asks for; only OpenMetrics carries exemplars."""
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _watch_loop(self) -> None:
        while not self.should_stop:
            before = monotonic()
            await asyncio.sleep(LOOP_TICK_S)
            self._lag_s = max(0.0, monotonic() - before - LOOP_TICK_S)
            self._report_loop(self._lag_s)
            if self._lag_s > 1:
                self._out.warning("loop.late", seconds=round(self._lag_s, 2))

    async def _watch_progress(self) -> None:
        while not self.should_stop:
            await asyncio.sleep(PROGRESS_TICK_S)
            positions = dict(self._runner.positions())
            if not positions:
                continue
            try:
                ends = await asyncio.wait_for(self._app.consumer.highwaters(*positions), timeout=5)
            except Exception as exc:  # the broker is away or the group rebalances: nothing can be said of progress
                self._out.debug("progress.unknown", error=repr(exc))
                continue
            self._report_lag(self._runner.lag(ends))
            self._progress.observe(positions, ends, frozenset(self._runner.waiting()), monotonic())
            for tp in self._progress.stalled(monotonic()):
                self._out.error("progress.missing", topic=tp.topic, partition=tp.partition)
