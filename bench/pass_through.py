"""The floor: a bare Faust agent that sends each message on, awaited, as Faust's own documents write one."""

from __future__ import annotations

import tempfile
from typing import Any

import faust

from pipeline.settings import Settings
from pipeline.wire import topics


def main() -> None:
    settings = Settings()
    app = faust.App(
        f"{settings.topic_prefix}-floor",
        broker=f"kafka://{settings.kafka}",
        datadir=tempfile.mkdtemp(),
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=0.5,
        producer_acks=-1,
        producer_linger=0,
        web_enabled=False,
    )
    source = app.topic(settings.topic(topics.PROBED.name), key_serializer="raw", value_serializer="raw")
    sink = app.topic(settings.topic(topics.QUARANTINE.name), key_serializer="raw", value_serializer="raw")

    async def carry(stream: Any) -> None:
        async for event in stream.events():
            await (await sink.send(key=event.key, value=event.value, partition=event.message.partition))

    app.agent(source, isolated_partitions=True)(carry)
    faust.Worker(app, loglevel="ERROR", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
