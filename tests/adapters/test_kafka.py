"""Topics and logs on a real broker."""

from __future__ import annotations

import asyncio
import os
import secrets

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from pipeline.adapters.kafka_log import KafkaLinkHistory, read_topic
from pipeline.adapters.kafka_quarantine import QuarantineWatch
from pipeline.adapters.kafka_statements import following
from pipeline.adapters.kafka_topics import admin, apply_topics, check_topics, progress
from pipeline.domain.annotation import Metadata
from pipeline.domain.errors import BrokerUnavailable, HistoryMissing, Misconfigured
from pipeline.domain.quarantine import Quarantined, QuarantineDecided
from pipeline.domain.time import WallMs
from pipeline.settings import Settings
from pipeline.wire import codec, topics
from tests.builders import RECORDING, annotation, metadata

pytestmark = pytest.mark.stack

KAFKA = os.environ.get("UNBROKEN_KAFKA", "127.0.0.1:19092")


def _settings(**changes: object) -> Settings:
    isolated = {
        "kafka": KAFKA,
        "topic_prefix": f"t{secrets.token_hex(4)}",
        "topic_partitions": 2,
        "topic_replication": 1,
    }
    return Settings(**{**isolated, **changes})  # type: ignore[arg-type]  # names of its fields


async def _produce(topic: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=KAFKA)
    await producer.start()
    for value in values:
        await producer.send_and_wait(topic, value, partition=0)
    await producer.stop()


async def test_topics_are_made_once_and_then_as_they_should_be() -> None:
    settings = _settings()

    before = await check_topics(settings)
    made, again = await apply_topics(settings), await apply_topics(settings)

    assert len(before) == 1
    assert "unbroken topics apply" in before[0]
    assert len(made) == len(topics.ALL)
    assert again == ()
    assert await check_topics(settings) == ()


async def test_a_topic_with_other_partitions_is_named_and_left_alone() -> None:
    settings = _settings()
    name = settings.topic(topics.LANDED.name)
    async with admin(settings) as client:
        await client.create_topics([NewTopic(name, 3, 1)])

    with pytest.raises(Misconfigured, match=rf"{name}: partitions: expected 2, found 3"):
        await apply_topics(settings)

    async with admin(settings) as client:
        (described,) = await client.describe_topics([name])
    assert len(described["partitions"]) == 3


async def test_a_broker_that_does_not_answer_is_named_with_what_to_do() -> None:
    with pytest.raises(BrokerUnavailable, match="start it or mend UNBROKEN_KAFKA"):
        await check_topics(_settings(kafka="127.0.0.1:9"))


async def test_links_are_read_back_from_first_to_last() -> None:
    settings = _settings()
    await apply_topics(settings)
    name = settings.topic(topics.LINK.name)
    await _produce(name, [b"%d" % number for number in range(10)])

    values = await KafkaLinkHistory(KAFKA, name).values(0, 3, 6)

    assert values == [b"3", b"4", b"5", b"6"]


async def test_links_the_broker_no_longer_holds_are_history_missing() -> None:
    settings = _settings()
    await apply_topics(settings)
    name = settings.topic(topics.LINK.name)
    await _produce(name, [b"%d" % number for number in range(10)])
    async with admin(settings) as client:
        from aiokafka.admin import RecordsToDelete
        from aiokafka.structs import TopicPartition

        await client.delete_records({TopicPartition(name, 0): RecordsToDelete(before_offset=5)})

    with pytest.raises(HistoryMissing, match="expected offset 3, oldest is 5"):
        await KafkaLinkHistory(KAFKA, name).values(0, 3, 6)


async def test_a_topic_is_read_to_where_it_ends_now() -> None:
    settings = _settings()
    await apply_topics(settings)
    name = settings.topic(topics.QUARANTINE.name)

    empty = await read_topic(KAFKA, name, 2)
    await _produce(name, [b"a", b"b", b"c"])
    whole, newest = await read_topic(KAFKA, name, 2), await read_topic(KAFKA, name, 2, last=2)

    assert empty == []
    assert [record.value for record in whole] == [b"a", b"b", b"c"]
    assert [record.value for record in newest] == [b"b", b"c"]


async def test_a_group_that_never_committed_has_everything_before_it() -> None:
    settings = _settings()
    await apply_topics(settings)
    name = settings.topic(topics.LANDED.name)
    await _produce(name, [b"x"] * 4)

    found = await progress(settings, f"{settings.topic_prefix}-media", [name])

    assert [(item.partition, item.committed, item.lag) for item in found] == [(0, None, 4), (1, None, 0)]


async def test_asking_for_progress_before_topics_are_made_says_at_once_how_to_make_them() -> None:
    settings = _settings()

    with pytest.raises(BrokerUnavailable, match="unbroken topics apply"):
        await asyncio.wait_for(progress(settings, "nobody", [settings.topic(topics.LANDED.name)]), 20)


def test_reading_an_unknown_topic_says_how_to_make_it() -> None:
    with pytest.raises(BrokerUnavailable, match="unbroken topics apply"):
        asyncio.run(read_topic(KAFKA, f"absent-{secrets.token_hex(4)}", 2))


async def test_the_watch_on_quarantine_hears_of_inputs_and_of_decisions_on_them() -> None:
    settings = _settings()
    await apply_topics(settings)
    aside, decided = settings.topic(topics.QUARANTINE.name), settings.topic(topics.DECIDED.name)
    items = [_set_aside(offset) for offset in range(2)]
    decision = QuarantineDecided(
        **items[0].place._asdict(), decision="discarded", grounds="a test", made_by="王", at=WallMs(9)
    )
    watch = QuarantineWatch(settings)

    before = await watch.waiting()
    await _produce(aside, [codec.encode(items[0]), codec.encode(items[0]), codec.encode(items[1])])
    both = await watch.waiting()
    await _produce(decided, [codec.encode(decision)])
    after = await watch.waiting()

    assert before == {}
    assert both == {item.place: item.at for item in items}
    assert after == {items[1].place: items[1].at}


def _set_aside(offset: int) -> Quarantined:
    return Quarantined(
        stage="probe",
        topic="segment.landed.v1",
        partition=0,
        offset=offset,
        key_base64=None,
        value_base64=None,
        reason="malformed",
        detail="",
        at=WallMs(1000 + offset),
    )


async def test_what_was_said_first_under_an_id_is_known_as_soon_as_the_broker_has_it() -> None:
    settings = _settings()
    await apply_topics(settings)
    name = settings.topic(topics.ANNOTATION.name)
    first, other = metadata("case-7"), metadata("case-7", metadata=Metadata(case_name="another"))
    timer = annotation("due-1", "deadline_due", recording_id=RECORDING)
    await _produce(name, [codec.encode(first), b"{", codec.encode(timer)])

    async with following(settings) as said:
        before = await said.first(["case-7", "case-8", "due-1"])
        await _produce(name, [codec.encode(other), codec.encode(metadata("case-8"))])
        after = await said.first(["case-7", "case-8"])

    assert before == {"case-7": first}
    assert after == {"case-7": first, "case-8": metadata("case-8")}


async def test_what_was_said_before_is_never_guessed_at() -> None:
    with pytest.raises(BrokerUnavailable):
        async with following(_settings(kafka="127.0.0.1:1")):
            pass
