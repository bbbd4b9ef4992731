"""Reporting: what the SLA reports ask the broker, put together once for the daily ones and for the command."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.adapters.clock import SystemClock
from pipeline.adapters.kafka_log import read_topic
from pipeline.adapters.signing import open_signer
from pipeline.agents.state_log import Loaded
from pipeline.domain.docket import SourceDeadlines
from pipeline.domain.duty import kind_of
from pipeline.domain.errors import Malformed, Misconfigured
from pipeline.domain.identity import SourceId
from pipeline.domain.policy import Policy
from pipeline.domain.time import WallMs, to_rfc3339
from pipeline.ports import ObjectStore
from pipeline.settings import Settings
from pipeline.steps.sla import Heard, Period, SlaStep
from pipeline.wire import codec, topics
from pipeline.wire.topics import DAY_MS, Topic

T = TypeVar("T")
HANDED_OUT_BEFORE_MS: Final = 30 * DAY_MS
"""How long before a recording ends its device may have been handed out."""


def sla_step(settings: Settings, store: ObjectStore, policy: Policy, software: str) -> SlaStep:
    """The step with the installation's broker, key and zone."""
    return SlaStep(
        store=store,
        hear=lambda period: asyncio.run(hear(settings, period)),
        signer=open_signer(settings),
        clock=SystemClock(),
        policy=policy,
        records=settings.records,
        software=software,
        zone=zone_of(settings),
    )


def zone_of(settings: Settings) -> tzinfo | None:
    """The zone of the site's days; ``None``: the machine's own. Raises :class:`Misconfigured` for a name nobody knows."""
    try:
        return ZoneInfo(settings.zone) if settings.zone else None
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise Misconfigured(f"mend UNBROKEN_ZONE: expected a name like Asia/Shanghai, found {settings.zone!r}") from exc


async def hear(settings: Settings, period: Period) -> Heard:
    """Deadlines and statements that can matter to *period*, and the cameras' hours."""
    since = WallMs(max(0, period[0] - HANDED_OUT_BEFORE_MS))
    changes, said, states = await asyncio.gather(
        _since(settings, topics.DEADLINE, since),
        _since(settings, topics.ANNOTATION, since),
        states_of(settings, "deadline", SourceDeadlines),
    )
    cameras = {
        SourceId(source): (state.source_kind or kind_of(state.camera), state.camera)
        for source, state in states.items()
        if state.camera.since is not None
    }
    return Heard(changes=changes, said=said, cameras=cameras, not_known=_gone(period))


def _gone(period: Period) -> tuple[str, ...]:
    """What of *period* the broker does not keep so long."""
    kept_ms = topics.DEADLINE.retention_ms
    oldest = SystemClock().now() - (kept_ms or 0)
    if kept_ms is None or period[0] >= oldest:
        return ()
    return (f"deadlines met before {to_rfc3339(WallMs(oldest))}: see the daily reports in the archive",)


async def _since(settings: Settings, topic: Topic, since: WallMs) -> list[Any]:
    name = settings.topic(topic.name)
    found = []
    for record in await read_topic(settings.kafka, name, settings.topic_partitions, written_since=since):
        try:
            found.append(codec.decode(topic.name, record.value))
        except Malformed:  # an outsider's: the stages set it aside, with its bytes
            continue
    return found


async def states_of(settings: Settings, stage: str, kind: type[T]) -> Mapping[str, T]:
    """What *stage* remembers of every source, read from its state topic."""
    parts: dict[int, Loaded] = {}
    topic = settings.topic(topics.state_topic(stage).name)
    for record in await read_topic(settings.kafka, topic, settings.topic_partitions):
        if record.key is not None and record.value is not None:
            parts.setdefault(record.partition, Loaded()).add(record.key, record.value)
    held: dict[str, Any] = {key: one.state for part in parts.values() for key, one in part.records.items()}
    return {key: codec.load_state(kind, state) for key, state in held.items()}
