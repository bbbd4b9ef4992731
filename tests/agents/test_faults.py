"""The runner on a broker that refuses, times out and goes away: the mock, with injected errors."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.agents import oracle
from tests.agents.mock_broker import (
    MESSAGE_TOO_LARGE,
    NOT_ENOUGH_REPLICAS,
    REQUEST_TIMED_OUT,
    TOPIC_AUTHORIZATION_FAILED,
    MockBroker,
)
from tests.agents.oracle import Announcer
from tests.agents.swarm import Swarm
from tests.agents.toy import Names

KEYS = tuple(f"k{number}" for number in range(8))


def test_produce_errors_of_every_kind_cost_time_only(mock: MockBroker, mock_names: Names, folder: Path) -> None:
    announcer = Announcer(mock.bootstrap, mock_names, 4)
    for key in KEYS:
        announcer.announce(key, 30)
    announcer.flush()
    errors = [0, NOT_ENOUGH_REPLICAS, 0, TOPIC_AUTHORIZATION_FAILED, REQUEST_TIMED_OUT, 0, MESSAGE_TOO_LARGE, 0]

    with Swarm(mock.bootstrap, mock_names.prefix, folder) as swarm:
        mock.fail_produce(errors * 4)
        swarm.start(0)
        verdict = oracle.wait_until_whole(mock.bootstrap, mock_names, announcer.announced, 60)

    assert verdict.whole, verdict
    assert "input.waiting" in swarm.log()


def test_a_broker_that_goes_away_and_comes_back_costs_time_only(
    mock: MockBroker, mock_names: Names, folder: Path
) -> None:
    announcer = Announcer(mock.bootstrap, mock_names, 4)
    for key in KEYS:
        announcer.announce(key, 30)
    announcer.flush()

    with Swarm(mock.bootstrap, mock_names.prefix, folder) as swarm:
        swarm.start(0)
        first = oracle.wait_until_whole(mock.bootstrap, mock_names, announcer.announced, 30)
        mock.down()
        time.sleep(4)
        mock.up()
        for key in KEYS:
            announcer.announce(key, 30)
        announcer.flush()
        verdict = oracle.wait_until_whole(mock.bootstrap, mock_names, announcer.announced, 60)
        ended = swarm.ended(0)

    assert first.whole, first
    assert verdict.whole, verdict
    assert ended is None


def test_a_worker_started_before_its_broker_waits_for_it(mock: MockBroker, mock_names: Names, folder: Path) -> None:
    announcer = Announcer(mock.bootstrap, mock_names, 4)
    announcer.announce("k1", 10)
    announcer.flush()
    mock.down()

    with Swarm(mock.bootstrap, mock_names.prefix, folder) as swarm:
        swarm.start(0)
        time.sleep(4)
        early = swarm.ended(0)
        mock.up()
        verdict = oracle.wait_until_whole(mock.bootstrap, mock_names, announcer.announced, 40)

    assert early is None, swarm.log()[-2000:]
    assert verdict.whole, verdict


def test_a_worker_knows_when_it_has_read_everything(mock: MockBroker, mock_names: Names, folder: Path) -> None:
    announcer = Announcer(mock.bootstrap, mock_names, 4)
    for key in KEYS:
        announcer.announce(key, 30)
    announcer.flush()

    with Swarm(mock.bootstrap, mock_names.prefix, folder) as swarm:
        swarm.start(0)
        verdict = oracle.wait_until_whole(mock.bootstrap, mock_names, announcer.announced, 30)
        whole_ms, told_ms, given_up_s = time.time_ns() // 1_000_000, 0, time.monotonic() + 30
        while told_ms <= whole_ms and time.monotonic() < given_up_s:
            time.sleep(0.2)
            told_ms = max(map(int, re.findall(r"heard until (\d+)", swarm.log())), default=0)

    assert verdict.whole, verdict
    assert told_ms > whole_ms
