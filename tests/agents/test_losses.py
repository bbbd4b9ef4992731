"""Four ways in which a plain Faust agent loses or doubles work, each shown losing, and the runner in the same place.

On the mock broker: what is compared is what is lost, not speed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.agents import oracle
from tests.agents.mock_broker import MESSAGE_TOO_LARGE, TOPIC_AUTHORIZATION_FAILED, MockBroker
from tests.agents.oracle import Announcer
from tests.agents.swarm import Swarm
from tests.agents.toy import Names

PARTITIONS = 4
KEY = "k"


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)


def outputs(mock: MockBroker, topic: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(value) for *_, value in oracle.read_all(mock.bootstrap, topic)]


def numbers(mock: MockBroker, topic: str, kind: str = "segment") -> set[int]:
    return {found[kind] for found in outputs(mock, topic) if kind in found}


def committed(mock: MockBroker, names: Names, topic: str) -> int:
    """Sum of the worker group's committed offsets: everything here has one key, so one partition."""
    group = Consumer({"bootstrap.servers": mock.bootstrap, "group.id": f"{names.prefix}-toy"})
    try:
        parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        return sum(max(0, part.offset) for part in group.committed(parts, timeout=10))
    finally:
        group.close()


@pytest.fixture
def ours(mock: MockBroker) -> Names:
    """Topics for the runner, beside those of the naive agent."""
    fresh = Names("ours")
    for topic in (*fresh.data, *fresh.states):
        mock.create(topic, PARTITIONS)
    return fresh


@contextmanager
def both(
    mock: MockBroker, plain: Names, runner: Names, folder: Path, naive: str, form: str = "ours"
) -> Iterator[tuple[Swarm, Swarm]]:
    """A naive worker and one of ours at the same time, each on its own topics, with logs of its own."""
    for name in ("naive", "ours"):
        (folder / name).mkdir()
    with (
        Swarm(mock.bootstrap, plain.prefix, folder / "naive", naive) as first,
        Swarm(mock.bootstrap, runner.prefix, folder / "ours", form) as second,
    ):
        first.start(0)
        second.start(0)
        yield first, second


def test_an_exception_in_an_agent_loses_the_event_but_not_with_the_runner(
    mock: MockBroker, mock_names: Names, ours: Names, folder: Path
) -> None:
    announcers = [Announcer(mock.bootstrap, each, PARTITIONS) for each in (mock_names, ours)]
    for announcer in announcers:
        announcer.announce(KEY, 2)
        announcer.announce(KEY, 1, fail="defect")
        announcer.announce(KEY, 5)
        announcer.flush()

    with both(mock, mock_names, ours, folder, "raising"):
        until(lambda: committed(mock, mock_names, mock_names.segments) == 8, 30, "the naive agent commits everything")
        naive = numbers(mock, mock_names.links)
        verdict = oracle.wait_until_whole(mock.bootstrap, ours, announcers[1].announced, 40)

    assert naive == {1, 2, 4, 5, 6, 7, 8}
    assert verdict.whole, verdict


def test_concurrency_commits_past_an_unfinished_event_but_not_with_the_runner(
    mock: MockBroker, mock_names: Names, ours: Names, folder: Path
) -> None:
    announcer = Announcer(mock.bootstrap, mock_names, PARTITIONS)
    announcer.announce(KEY, 1, takes_s=8)
    announcer.announce(KEY, 7)
    for note in range(1, 9):
        announcer.send(ours.notes, KEY, {"key": KEY, "note": note, "takes_s": 4 if note == 1 else 0})
    announcer.flush()

    with both(mock, mock_names, ours, folder, "concurrent") as (plain, runner):
        until(lambda: committed(mock, mock_names, mock_names.segments) >= 4, 30, "the naive agent commits")
        until(lambda: "state.loaded" in runner.log(), 30, "our worker has its partitions")
        plain.kill(0)
        time.sleep(1.5)
        runner.kill(0)
        before = committed(mock, ours, ours.notes)
        runner.start(0)
        until(lambda: numbers(mock, ours.echoes, "note") == set(range(1, 9)), 40, "every note is carried on")

    assert committed(mock, mock_names, mock_names.segments) >= 4
    assert 1 not in numbers(mock, mock_names.links)
    assert before == 0


def test_a_refused_record_is_lost_when_only_send_is_awaited_but_not_with_the_runner(
    mock: MockBroker, mock_names: Names, ours: Names, folder: Path
) -> None:
    refusals = [TOPIC_AUTHORIZATION_FAILED, MESSAGE_TOO_LARGE]
    announcers = [Announcer(mock.bootstrap, each, PARTITIONS) for each in (mock_names, ours)]
    for announcer in announcers:
        announcer.announce(KEY, 3)
        announcer.flush()

    # One after the other: the mock refuses the next produce requests, whoever sends them.
    mock.fail_produce(refusals)
    with Swarm(mock.bootstrap, mock_names.prefix, folder, "unawaited") as plain:
        plain.start(0)
        until(lambda: committed(mock, mock_names, mock_names.segments) == 3, 30, "the naive agent commits everything")
        plain.stop(0)
    mock.fail_produce(refusals * 3)
    with Swarm(mock.bootstrap, ours.prefix, folder) as runner:
        runner.start(0)
        verdict = oracle.wait_until_whole(mock.bootstrap, ours, announcers[1].announced, 40)

    assert len(numbers(mock, mock_names.links)) < 3
    assert verdict.whole, verdict


def test_a_table_counts_twice_after_a_kill_but_state_under_the_runner_does_not(
    mock: MockBroker, mock_names: Names, ours: Names, folder: Path
) -> None:
    mock.create(f"{mock_names.prefix}-toy-counts-changelog", PARTITIONS)
    announcers = [Announcer(mock.bootstrap, each, PARTITIONS) for each in (mock_names, ours)]
    for announcer in announcers:
        announcer.announce(KEY, 3)
        announcer.flush()

    with both(mock, mock_names, ours, folder, "table", "ours-uncommitted") as (plain, runner):
        until(lambda: len(outputs(mock, mock_names.links)) == 3, 30, "the naive agent counts to three")
        first = oracle.wait_until_whole(mock.bootstrap, ours, announcers[1].announced, 30)
        time.sleep(1)
        for swarm in (plain, runner):
            swarm.kill(0)
        before = committed(mock, ours, ours.segments)
        announcers[1].announce(KEY, 5)
        announcers[1].flush()
        for swarm in (plain, runner):
            swarm.start(0)
        until(lambda: len(outputs(mock, mock_names.links)) == 6, 40, "the naive agent counts again")
        verdict = oracle.wait_until_whole(mock.bootstrap, ours, announcers[1].announced, 40)

    assert max(found["count"] for found in outputs(mock, mock_names.links)) == 6
    assert first.whole, first
    assert before == 0
    assert verdict.whole, verdict
