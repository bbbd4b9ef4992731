"""The stages, bound: topic in, step, topic out. Nothing is decided here.

Timers of the ledger read state and say what they see: recordings that have been idle too long, deadlines that are near or
past, silent cameras, a store that does not serve us, links that wait for a checkpoint. What follows from that is the stages' business, like any other input.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.agents.stage import Headers, Output, Received, Stage
from pipeline.domain import chain, checkpoint, continuity, deadline, outlook
from pipeline.domain.archive import ArchiveState
from pipeline.domain.chain import ChainState
from pipeline.domain.checkpoint import CheckpointState
from pipeline.domain.continuity import SourceState
from pipeline.domain.docket import SourceDeadlines
from pipeline.domain.identity import SourceId
from pipeline.domain.landing import SegmentLanded
from pipeline.domain.outlook import UnitDeadlines
from pipeline.domain.policy import Policy
from pipeline.domain.stitch import StitchState
from pipeline.domain.time import WallMs
from pipeline.ports import Clock
from pipeline.settings import Settings
from pipeline.steps.breach import BreachStep
from pipeline.steps.keeping import KeepingStep
from pipeline.steps.probe import ProbeStep
from pipeline.wire import codec, topics
from pipeline.wire.cloudevents import headers, key
from pipeline.wire.events import Event, event_topic
from pipeline.wire.topics import Topic

S = TypeVar("S")

Observer = Callable[[Event], None]
"""Hears every event a stage emits; metrics listen here."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every stage of one worker shares."""

    settings: Settings
    policy: Policy
    observe: Observer
    salt_key: bytes = b""
    """For the chain stage; a worker without that stage has none."""

    def outputs(self, events: Sequence[Event]) -> tuple[Output, ...]:
        """Domain events as records for the broker."""
        for event in events:
            self.observe(event)
        return tuple(
            Output(self.settings.topic(event_topic(event).name), key(event), codec.encode(event), headers(event))
            for event in events
        )

    def stage(
        self,
        name: str,
        sources: Sequence[Topic],
        step: Callable[..., Any],
        initial: Callable[[str], Any] | None,
        kind: Any,
        batch: int | None = None,
    ) -> Stage[Any, Any]:
        """A stage over domain values: *step* takes and gives them, this adds bytes, headers and topic names.

        *kind* is the state's type; ``None`` for a stage that keeps none.
        """
        names = {self.settings.topic(topic.name): topic.name for topic in sources}

        def decode(topic: str, value: bytes | None, found: Headers) -> Any:
            return codec.decode(names[topic], value, found)

        async def later(state: Any, received: Received[Any]) -> tuple[Any, tuple[Output, ...]]:
            state, events = await step(state, received)
            return state, self.outputs(events)

        def now(state: Any, received: Received[Any]) -> tuple[Any, tuple[Output, ...]]:
            state, events = step(state, received)
            return state, self.outputs(events)

        return Stage(
            name=name,
            sources=tuple(names),
            decode=decode,
            key=lambda event: key(event).decode(),
            step=later if inspect.iscoroutinefunction(step) else now,
            initial=initial or (lambda _key: None),
            dump=codec.dump_state,
            load=lambda raw: codec.load_state(kind, raw),
            state_topic=self.settings.topic(topics.state_topic(name).name) if kind is not None else None,
            batch=batch,
        )


def media_stage(bench: Bench, probe: ProbeStep) -> Stage[Any, Any]:
    """The media worker's only stage: reads each object back, keeps no state."""

    async def step(_: None, received: Received[SegmentLanded]) -> tuple[None, tuple[Event, ...]]:
        return None, (await probe.step(received.event),)

    return bench.stage("probe", (topics.LANDED,), step, None, None)


def keeping_stage(bench: Bench, keeping: KeepingStep) -> Stage[Any, Any]:
    """Retention classes from case data. It keeps no state: what it notes is in the archive, and noting it again changes
    nothing."""
    return bench.stage("keeping", (topics.ANNOTATION,), keeping.step, None, None)


def breach_stage(bench: Bench, breach: BreachStep) -> Stage[Any, Any]:
    """Records of missed deadlines. It keeps no state: the record is in the archive, and writing it again changes nothing."""
    return bench.stage("breach", (topics.DEADLINE,), breach.step, None, None)


def ledger_stages(
    bench: Bench, keep: Callable[..., Any], stitch: Callable[..., Any], archive: Callable[..., Any]
) -> dict[str, Stage[Any, Any]]:
    """The ledger worker's stages by name; *keep* (checkpoints), *stitch* and *archive* are the steps that do I/O."""
    policy = bench.policy

    def judge(state: Any, received: Received[Any]) -> Any:
        return continuity.step(state, received.event, policy)

    def link(state: Any, received: Received[Any]) -> Any:
        return chain.step(state, received.event, bench.salt_key)

    def track(state: Any, received: Received[Any]) -> Any:
        return deadline.step(state, received.event, policy)

    stages = (
        bench.stage(
            "continuity",
            (topics.PROBED, topics.ANNOTATION),
            judge,
            lambda key: SourceState(source_id=SourceId(key)),
            SourceState,
        ),
        bench.stage("chain", (topics.JUDGED,), link, lambda _key: ChainState(), ChainState),
        # Most links are only held, which is no I/O: many of them share one state record.
        bench.stage(
            "checkpoint",
            (topics.LINK, topics.CHECKPOINT_DUE),
            keep,
            lambda _key: CheckpointState(),
            CheckpointState,
            batch=100,
        ),
        # All links but a close are only followed, which is no I/O: many of them share one state record.
        bench.stage("stitch", (topics.LINK,), stitch, lambda _key: StitchState(), StitchState, batch=100),
        bench.stage("archive", (topics.STITCHED,), archive, lambda _key: ArchiveState(), ArchiveState),
        bench.stage(
            "deadline",
            (topics.LANDED, topics.ANNOTATION, topics.STITCHED, topics.ARCHIVED),
            track,
            lambda key: SourceDeadlines(source_id=SourceId(key)),
            SourceDeadlines,
        ),
    )
    return {stage.name: stage for stage in stages}


HeardUntil = Callable[[Any, WallMs], Awaitable[WallMs | None]]
"""Up to when a stage has taken in all that was on the broker; the runner knows."""


def sweep(
    bench: Bench,
    stages: dict[str, Stage[Any, Any]],
    states: Callable[[Any], Any],
    clock: Clock,
    heard_until: HeardUntil,
    tell: Callable[[Sequence[UnitDeadlines], WallMs | None], None],
) -> Callable[[], Awaitable[Sequence[Output]]]:
    """What the timer says at each tick: ends of idle recordings, and what is due of deadlines and cameras as of the instant
    up to which everything was heard. *tell* gets what is ahead of each unit, and that instant."""

    async def look() -> Sequence[Output]:
        now = clock.now()
        idle = [
            said
            for state in states(stages["continuity"]).values()
            for said in continuity.idle_ends(state, now, bench.policy)
        ]
        heard = await heard_until(stages["deadline"], now)
        deadlines = states(stages["deadline"])
        tell(outlook.summary(deadlines, now, bench.policy), heard)
        due = () if heard is None else outlook.due(deadlines, heard, bench.policy)
        return bench.outputs([*idle, *due])

    return look


def store_watch(
    bench: Bench,
    stages: dict[str, Stage[Any, Any]],
    states: Callable[[Any], Any],
    clock: Clock,
    serves: Callable[[], bool],
) -> Callable[[], Awaitable[Sequence[Output]]]:
    """What the timer says of a store that does not serve us, to each source that waits for it, and when it does again.
    *serves* asks it, and may block."""
    since: WallMs | None = None

    async def look() -> Sequence[Output]:
        nonlocal since
        asked = clock.now()
        since = None if await asyncio.to_thread(serves) else asked if since is None else since
        return bench.outputs(outlook.store_news(states(stages["deadline"]), since, clock.now(), bench.policy))

    return look


def checkpoints(
    bench: Bench, stages: dict[str, Stage[Any, Any]], states: Callable[[Any], Any], clock: Clock
) -> Callable[[], Sequence[Output]]:
    """What the slower timer says: how far the links of each recording wait for a checkpoint."""

    def look() -> Sequence[Output]:
        return bench.outputs(checkpoint.due(states(stages["checkpoint"]).values(), clock.now()))

    return look
