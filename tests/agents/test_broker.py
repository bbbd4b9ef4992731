"""The runner's writes on a real broker, after the broker has refused one for good."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipeline.agents.broker import Broker, Write
from pipeline.agents.transport import build_app
from pipeline.domain.errors import BrokerUnavailable
from tests.agents.own_broker import OwnBroker


async def test_a_record_refused_for_good_does_not_poison_the_producer_for_its_partition(broker: OwnBroker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic("small", 1, 1, config={"max.message.bytes": "1000"})])["small"].result()
    app = build_app("broker", kafka=broker.bootstrap, prefix="t")
    writer = Broker(app, broker.bootstrap)
    incompressible = bytes(number * number % 251 for number in range(40_000))

    await app.producer.start()
    try:
        first = await writer.write([Write("small", 0, b"k", b"1")])
        with pytest.raises(BrokerUnavailable, match="MessageSizeTooLarge"):
            await writer.write([Write("small", 0, b"k", incompressible * 10)])
        after = await writer.write([Write("small", 0, b"k", b"2"), Write("small", 0, b"k", b"3")])
    finally:
        await app.producer.stop()

    assert first == [0]
    assert after == [1, 2]
