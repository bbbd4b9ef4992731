"""Brokers for the runner's tests: a mock per test, a real one per session."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents import oracle
from tests.agents.mock_broker import MockBroker
from tests.agents.own_broker import OwnBroker
from tests.agents.toy import Names

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    """A real broker that a test may kill, if it starts it again."""
    with OwnBroker(tmp_path_factory.mktemp("kafka")) as started:
        yield started


@pytest.fixture
def names(broker: OwnBroker) -> Names:
    """Fresh topics with 8 partitions on the real broker."""
    fresh = Names(f"t{os.getpid()}-{next(_numbers)}")
    oracle.create_topics(broker.bootstrap, fresh, 8)
    return fresh


@pytest.fixture
def mock() -> Iterator[MockBroker]:
    with MockBroker() as started:
        yield started


@pytest.fixture
def mock_names(mock: MockBroker) -> Names:
    """Fresh topics with 4 partitions on the mock broker."""
    fresh = Names("m")
    for topic in (*fresh.data, *fresh.states):
        mock.create(topic, 4)
    return fresh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where workers' logs go."""
    return tmp_path
