"""librdkafka's mock cluster: a TCP broker in this process that fails on command. No Java, no disk.

It speaks produce, fetch, offsets and consumer groups. What it does differently from Kafka: a member that leaves and comes
back waits a full session, and a fetch does not wake for new data; so nothing about speed is tested on it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import confluent_kafka

PRODUCE = 0
NOT_ENOUGH_REPLICAS = 19
REQUEST_TIMED_OUT = 7
MESSAGE_TOO_LARGE = 10
TOPIC_AUTHORIZATION_FAILED = 29


def _library() -> Any:
    [path] = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka*.so*")
    lib = ctypes.CDLL(str(path))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return lib


class MockBroker:
    """One broker on a free loopback port; ``with`` it."""

    def __enter__(self) -> MockBroker:
        self._lib = _library()
        error = ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(self._lib.rd_kafka_conf_new())
        self._client = ctypes.c_void_p(self._lib.rd_kafka_new(0, conf, error, ctypes.c_size_t(512)))
        assert self._client.value, error.value
        self._cluster = ctypes.c_void_p(self._lib.rd_kafka_mock_cluster_new(self._client, 1))
        self.bootstrap: str = self._lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        return self

    def __exit__(self, *_: object) -> None:
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._client)

    def create(self, topic: str, partitions: int) -> None:
        assert self._lib.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1) == 0

    def fail_produce(self, errors: Sequence[int]) -> None:
        """Answer the next produce requests, whoever sends them, with these error codes (``0``: no error)."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._lib.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(PRODUCE), ctypes.c_size_t(len(errors)), codes
        )

    def down(self) -> None:
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, 1)
