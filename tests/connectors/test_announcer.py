"""The announcer on a real broker: what is sent is there, in order, with its key and headers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.adapters.kafka_log import read_topic
from pipeline.adapters.kafka_topics import apply_topics
from pipeline.connectors import announcer as announcers
from pipeline.connectors.announcer import announcing
from pipeline.domain.annotation import Annotation, Metadata
from pipeline.domain.errors import BrokerUnavailable
from pipeline.domain.identity import RecordingId, SourceId
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from pipeline.wire import topics
from pipeline.wire.codec import encode, headers
from tests.adapters.s3 import own_settings, remove_topics

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    made = own_settings(tmp_path_factory.mktemp("announcer"))
    asyncio.run(apply_topics(made))
    yield made
    asyncio.run(remove_topics(made))


def said(number: int) -> Annotation:
    return Annotation(
        annotation_id=f"a-{number}",
        kind="metadata",
        source_id=SourceId("cam-1"),
        recording_id=RecordingId("rec-1"),
        made_at=WallMs(number),
        made_by="tester",
        metadata=Metadata(case_name="案"),
    )


async def test_messages_arrive_in_order_with_key_and_headers(settings: Settings) -> None:
    made = [said(number) for number in range(100)]

    async with announcing(settings) as announcer:
        await announcer.annotations([encode(one) for one in made])
        await announcer.annotation(said(100))

    found = await read_topic(settings.kafka, settings.topic(topics.ANNOTATION.name), settings.topic_partitions)
    assert [record.value for record in found] == [encode(said(number)) for number in range(101)]
    assert {record.key for record in found} == {b"cam-1"}
    assert {record.partition for record in found} == {found[0].partition}
    assert tuple(found[7].headers) == headers(said(7))


async def test_a_topic_that_was_never_made_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcers, "_PATIENCE_S", 3)

    async with announcing(own_settings(tmp_path)) as announcer:
        with pytest.raises(BrokerUnavailable, match="unbroken topics apply"):
            await announcer.annotation(said(1))


async def test_a_broker_that_is_not_there_is_named(tmp_path: Path) -> None:
    nobody = own_settings(tmp_path).model_copy(update={"kafka": "127.0.0.1:9"})

    with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:9"):
        async with announcing(nobody):
            pass
