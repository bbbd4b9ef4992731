"""The one runner: binds stages to a Faust app and holds the promises every stage relies on.

Faust reads, assigns partitions and commits; what may be committed, state, order and retries are ours (``transport``,
``state_log``, ``lane``). One Faust agent per stage reads all its sources; the inputs of one partition number, whichever
topic they come from, meet in one :class:`~pipeline.agents.lane.Lane`, so a key's state has one hand on it.
Nothing raises out of an agent, a timer or a task.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from time import monotonic
from types import MappingProxyType
from typing import Any, Final

import structlog
from faust.types import TP

from pipeline.agents.broker import Broker, Write
from pipeline.agents.lane import PAUSE_FIRST_S, PAUSE_MAX_S, Desk, Lane
from pipeline.agents.stage import E, Headers, Meter, Output, QuarantineEncoder, Received, S, Stage, Unmetered
from pipeline.agents.watermark import Watermark
from pipeline.domain.errors import BrokerUnavailable, UnbrokenError
from pipeline.domain.time import WallMs

__all__ = ["Headers", "Meter", "Output", "Received", "Runner", "Stage"]

# Inside Faust's 60 s for a rebalance and our own 60 s for a shutdown. What is not done by then is let go of and redone.
SETTLE_S: Final = 25.0
ENDS_S: Final = 5.0

Sweep = Callable[[], Sequence[Output] | Awaitable[Sequence[Output]]]


class Runner:
    """Runs the stages bound to one app. Bind everything before the worker starts."""

    def __init__(
        self,
        app: Any,
        *,
        kafka: str,
        quarantine_topic: str,
        encode_quarantine: QuarantineEncoder,
        now: Callable[[], WallMs],
        meter: Meter | None = None,
        log: Any = None,
    ) -> None:
        self.app = app
        self._log = log or structlog.get_logger()
        self._meter = meter or Unmetered()
        owner = uuid.uuid4().hex
        self._broker = Broker(app, kafka)
        self._desk = Desk(
            self._broker, owner, quarantine_topic, encode_quarantine, now, self._meter, self._log.bind(owner=owner[:8])
        )
        self._stages: dict[str, Stage[Any, Any]] = {}
        self._lanes: dict[tuple[str, int], Lane[Any, Any]] = {}
        self._taken = self._ready = False
        self._settled = 0
        self._waiting: dict[str, int] = {}
        self._marks: dict[str, Watermark] = {}
        app.transport.custody = self
        app.on_rebalance_complete.connect(self._on_rebalance_complete, weak=False)

    # -- binding -----------------------------------------------------------------------------------------------------

    def bind(self, stage: Stage[S, E]) -> None:
        """Carry *stage* in this app. Its sources must have the same number of partitions."""
        if stage.name in self._stages:
            raise ValueError(f"stage bound twice: {stage.name}")
        self._stages[stage.name] = stage
        source = self.app.topic(*stage.sources, key_serializer="raw", value_serializer="raw")

        async def read(stream: Any) -> None:
            async for event in stream.events():
                lane = self._lanes.get((stage.name, event.message.partition))
                if lane is not None:
                    await lane.put(event.message)

        self.app.agent(source, name=stage.name, isolated_partitions=True, concurrency=1)(read)

    def states(self, stage: Stage[S, E]) -> Mapping[str, S]:
        """The states of the keys whose partitions are here now: a snapshot to read, e.g. in a timer."""
        held: dict[str, S] = {}
        if self._ready:
            for lane in self._lanes.values():
                if lane.stage is stage:
                    held.update((key, entry.state) for key, entry in lane.held.items())
        return MappingProxyType(held)

    def every(self, seconds: float, name: str, sweep: Sweep) -> None:
        """Call *sweep* about every *seconds* while partitions are here, send what it returns and wait for delivery.

        A sweep that raises, or whose outputs could not be delivered, is logged and called again at the next tick.
        Outputs go to the partition where their key's state is, or where the key's hash says.
        """

        async def tick() -> None:
            while not self.app.should_stop:
                await asyncio.sleep(seconds)
                if self._ready:
                    await self._sweep(name, sweep)

        self.app.task(tick)

    async def _sweep(self, name: str, sweep: Sweep) -> None:
        try:
            result = sweep()
            outputs = await result if inspect.isawaitable(result) else result
            if outputs:
                await self._broker.write([self._addressed(output) for output in outputs])
        except UnbrokenError as exc:
            self._log.warning("timer.failed", timer=name, error=str(exc))
        except Exception:
            self._log.critical("timer.failed", timer=name, exc_info=True)

    def _addressed(self, output: Output) -> Write:
        key = output.key.decode()
        home = next((lane.partition for lane in self._lanes.values() if key in lane.held), None)
        return Write(output.topic, home, output.key, output.value, output.headers)

    # -- health ------------------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Partitions are assigned (perhaps none are left for this worker) and their states are in memory."""
        return self._ready

    def positions(self) -> Mapping[TP, int]:
        """Next offset to read of every partition here; of stages that share a source, the slowest counts."""
        slowest: dict[TP, int] = {}
        for lane in self._lanes.values():
            for topic, offset in lane.positions.items():
                tp = TP(topic, lane.partition)
                slowest[tp] = min(offset, slowest.get(tp, offset))
        return slowest

    async def heard_until(self, stage: Stage[S, E], now: WallMs) -> WallMs | None:
        """Up to when *stage* has taken in all that was on the broker in the partitions that are here, asked at *now*; see
        :mod:`pipeline.agents.watermark`. Raises :class:`BrokerUnavailable`."""
        try:
            ends = await asyncio.wait_for(self.app.consumer.highwaters(*self._positions_of(stage)), timeout=ENDS_S)
        except Exception as exc:  # whatever Faust and its client raise while the broker is away or the group rebalances
            raise BrokerUnavailable(f"the broker does not say where its topics end: {exc!r}") from exc
        mark = self._marks.setdefault(stage.name, Watermark())
        return mark.note(now, ends, self._positions_of(stage))

    def _positions_of(self, stage: Stage[S, E]) -> Mapping[TP, int]:
        return {
            TP(topic, lane.partition): offset
            for lane in self._lanes.values()
            if lane.stage is stage
            for topic, offset in lane.positions.items()
        }

    def lag(self, ends: Mapping[TP, int]) -> Mapping[str, int]:
        """How many inputs before *ends* each stage has not finished, in the partitions that are here."""
        found = dict.fromkeys(self._stages, 0)
        for lane in self._lanes.values():
            for topic, offset in lane.positions.items():
                found[lane.stage.name] += max(0, ends.get(TP(topic, lane.partition), offset) - offset)
        return found

    def waiting(self) -> Mapping[TP, Exception]:
        """Partitions that wait, and on what."""
        return {
            TP(topic, lane.partition): lane.waiting_on
            for lane in self._lanes.values()
            if lane.waiting_on is not None and not lane.dead
            for topic in lane.stage.sources
        }

    def dead(self) -> list[tuple[str, int]]:
        """(stage, partition) of lanes that ended by a defect, or lost their partition without being told."""
        return [(lane.stage.name, lane.partition) for lane in self._lanes.values() if lane.dead]

    # -- custody -----------------------------------------------------------------------------------------------------

    async def _on_rebalance_complete(self, *_: Any, **__: Any) -> None:
        await self.take(self.app.consumer.assignment())

    async def take(self, assigned: Iterable[TP]) -> None:
        """Claim and load the state of everything assigned; see ``transport.Custody``. Gives up when settled again."""
        began, attempt, generation = monotonic(), 0, self._settled
        assigned = set(assigned)
        self._lanes = {
            (stage.name, number): Lane(stage, number, self._desk, self._count_retrying)
            for stage in self._stages.values()
            for number in {tp.partition for tp in assigned if tp.topic in stage.sources}
        }
        while self._settled == generation:
            try:
                await self._load()
            except UnbrokenError as exc:
                if exc.retryable:
                    self._log.warning("state.waiting", error=str(exc))
                else:
                    self._log.critical("state.unreadable", error=str(exc))
            except Exception:
                self._log.critical("state.unreadable", exc_info=True)
            else:
                self._taken = True
                held = Counter(name for name, _ in self._lanes)
                self._meter.taken({name: held[name] for name in self._stages})
                keys = sum(len(lane.held) for lane in self._lanes.values())
                self._log.info(
                    "state.loaded", partitions=len(assigned), keys=keys, seconds=round(monotonic() - began, 2)
                )
                return
            await asyncio.sleep(min(PAUSE_FIRST_S * 2**attempt, PAUSE_MAX_S) * random.uniform(0.5, 1))  # noqa: S311
            attempt += 1

    async def _load(self) -> None:
        lanes = {(lane.stage.state_topic, lane.partition): lane for lane in self._lanes.values()}
        parts = [(topic, number) for topic, number in lanes if topic is not None]
        for part, claim in (await self._broker.claim(parts, self._desk.owner)).items():
            lanes[part].load(claim)

    def resume(self, committed: Mapping[TP, int], beginning: Mapping[TP, int]) -> Mapping[TP, int]:
        """Start the lanes, or say again what they wait for; see ``transport.Custody``."""
        if not self._taken:
            return {}
        start: dict[TP, int] = {}
        for lane in self._lanes.values():
            mine = {
                tp.topic: tp for tp in beginning if tp.partition == lane.partition and tp.topic in lane.stage.sources
            }
            found = lane.resume(
                {topic: committed[tp] for topic, tp in mine.items() if tp in committed},
                {topic: beginning[tp] for topic, tp in mine.items()},
            )
            for topic, offset in found.items():
                start[mine[topic]] = min(offset, start.get(mine[topic], offset))
        self._ready = True
        return start

    async def settle(self) -> None:
        """See ``transport.Custody``."""
        self._settled += 1
        self._taken = self._ready = False
        for lane in self._lanes.values():
            lane.close()
        tasks = [lane.task for lane in self._lanes.values() if lane.task is not None and not lane.task.done()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=SETTLE_S)
            for task in late:
                task.cancel()
            self._log.info("partitions.released", lanes=len(tasks), cut_short=len(late))

    def _count_retrying(self, stage: str, change: int) -> None:
        self._waiting[stage] = self._waiting.get(stage, 0) + change
        self._meter.retrying(stage, self._waiting[stage])
