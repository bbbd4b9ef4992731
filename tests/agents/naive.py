"""The agents one would write first, from Faust's own examples, without the runner. They show what is lost without it.

Each reads ``segments`` and writes ``{"key", "segment", ...}`` to ``links``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import faust
import msgspec

from tests.agents.toy import Names


def build(form: str, *, kafka: str, prefix: str) -> faust.App:
    """An app with one naive agent; *form* is one of :data:`FORMS`."""
    app = faust.App(
        f"{prefix}-toy",
        broker=f"kafka://{kafka}",
        store="memory://",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=4,
        broker_commit_interval=60 if form == "table" else 0.5,
        broker_session_timeout=3,
        broker_heartbeat_interval=0.6,
        producer_linger=0,
        web_enabled=False,
    )
    FORMS[form](app, Names(prefix))
    return app


def _raising(app: faust.App, names: Names) -> None:
    """An exception leaves the agent; Faust restarts it, having acknowledged the event."""
    failed: set[int] = set()

    async def agent(stream: Any) -> None:
        async for found in stream.events():
            event = msgspec.json.decode(found.value)
            if event.get("fail") and event["segment"] not in failed:
                failed.add(event["segment"])
                raise TypeError("a defect, once")
            await (await app.topic(names.links).send(key=found.key, value=found.value, value_serializer="raw"))

    _bind(app, names, agent)


def _concurrent(app: faust.App, names: Names) -> None:
    """Four actors share the partition: a quick one's acknowledgement moves the offset past a slow one's event."""

    async def agent(stream: Any) -> None:
        async for found in stream.events():
            await asyncio.sleep(msgspec.json.decode(found.value).get("takes_s", 0))
            await (await app.topic(names.links).send(key=found.key, value=found.value, value_serializer="raw"))

    _bind(app, names, agent, concurrency=4)


def _unawaited(app: faust.App, names: Names) -> None:
    """``await send()`` looks as if it waited for the broker; it waits for a place in the buffer."""

    async def agent(stream: Any) -> None:
        async for found in stream.events():
            await app.topic(names.links).send(key=found.key, value=found.value, value_serializer="raw")

    _bind(app, names, agent)


def _table(app: faust.App, names: Names) -> None:
    """A table counts the events; what was counted but not committed is counted again after a kill."""
    counts = app.Table("counts", default=int, partitions=4)

    async def agent(stream: Any) -> None:
        async for found in stream.events():
            counts["all"] += 1
            body = msgspec.json.encode({**msgspec.json.decode(found.value), "count": counts["all"]})
            await (await app.topic(names.links).send(key=found.key, value=body, value_serializer="raw"))

    _bind(app, names, agent)


def _bind(app: faust.App, names: Names, agent: Any, **options: Any) -> None:
    source = app.topic(names.segments, key_serializer="raw", value_serializer="raw")
    app.agent(source, name="naive", **options)(agent)


FORMS: dict[str, Callable[[faust.App, Names], None]] = {
    "raising": _raising,
    "concurrent": _concurrent,
    "unawaited": _unawaited,
    "table": _table,
}
