"""The rules Faust is held to, one by one, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.types import TP

from pipeline.agents.transport import Assignor, Consumer, build_app

PART, OTHER = TP("in", 0), TP("in", 1)


class FakeCustody:
    """Has finished what it is told it has, and wants to read from where it is told."""

    def __init__(self, finished: Mapping[TP, int], wanted: Mapping[TP, int] | None = None) -> None:
        self._finished = finished
        self._wanted = wanted or {}
        self.settled = 0

    def positions(self) -> Mapping[TP, int]:
        return self._finished

    def resume(self, committed: Mapping[TP, int], beginning: Mapping[TP, int]) -> Mapping[TP, int]:
        return self._wanted

    async def settle(self) -> None:
        self.settled += 1


@pytest.fixture
async def app() -> faust.App:
    return build_app("transport", kafka="127.0.0.1:1", prefix="t")


def consumer_of(
    app: faust.App, custody: FakeCustody, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, list[dict[TP, int]]]:
    """The app's consumer, assigned to ``PART`` alone, and the commits it sends."""
    commits: list[dict[TP, int]] = []

    async def commit(offsets: dict[TP, int]) -> bool:
        commits.append(dict(offsets))
        return True

    app.transport.custody = custody  # type: ignore[attr-defined]  # ours
    consumer = app.consumer
    monkeypatch.setattr(consumer, "assignment", lambda: {PART})
    monkeypatch.setattr(consumer, "_commit", commit)
    return consumer, commits


async def test_only_what_is_finished_is_committed_whatever_faust_acknowledged(
    app: faust.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer, commits = consumer_of(app, FakeCustody({PART: 5, OTHER: 9}), monkeypatch)
    consumer._acked[PART] = list(range(100))

    first, second = await consumer.force_commit(), await consumer.force_commit()

    assert commits == [{PART: 5}]
    assert (first, second) == (True, False)
    assert not consumer._acked


@pytest.mark.parametrize(("finished", "commits"), [(4, []), (5, []), (6, [{PART: 6}])])
async def test_the_committed_offset_never_goes_back(
    app: faust.App, monkeypatch: pytest.MonkeyPatch, finished: int, commits: list[dict[TP, int]]
) -> None:
    consumer, sent = consumer_of(app, FakeCustody({PART: finished}), monkeypatch)
    consumer._committed_offset[PART] = 5

    await consumer.force_commit()

    assert sent == commits


async def test_work_in_flight_is_settled_before_partitions_are_given_away(
    app: faust.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    custody = FakeCustody({PART: 5})
    consumer, commits = consumer_of(app, custody, monkeypatch)

    await consumer.wait_empty()

    assert custody.settled == 1
    assert commits == [{PART: 5}]


async def test_a_message_faust_still_counts_as_unfinished_does_not_hold_up_a_rebalance(
    app: faust.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Message:
        acked, refcount = False, 1

    consumer, _ = consumer_of(app, FakeCustody({}), monkeypatch)
    message = Message()
    consumer._unacked_messages.add(message)

    await asyncio.wait_for(consumer.wait_empty(), timeout=5)


async def test_reading_goes_back_to_where_state_stands(app: faust.App, monkeypatch: pytest.MonkeyPatch) -> None:
    consumer, _ = consumer_of(app, FakeCustody({}, wanted={PART: 3}), monkeypatch)
    sought: list[tuple[TP, int]] = []

    async def committed() -> dict[TP, int]:
        return {PART: 8}

    async def earliest(*_: TP) -> dict[TP, int]:
        return {PART: 0}

    async def seek(tp: TP, offset: int) -> None:
        sought.append((tp, offset))

    monkeypatch.setattr(consumer, "seek_to_committed", committed)
    monkeypatch.setattr(consumer, "earliest_offsets", earliest)
    monkeypatch.setattr(consumer, "_seek", seek)

    await consumer.perform_seek()

    assert sought == [(PART, 3)]


@pytest.mark.parametrize(("visible", "shared_again"), [({"in", "also"}, 0), ({"in"}, 1), (set(), 1)])
async def test_a_topic_the_leader_cannot_see_makes_the_group_share_out_again(
    app: faust.App, monkeypatch: pytest.MonkeyPatch, visible: set[str], shared_again: int
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(Consumer, "share_again", lambda _: asked.append(True))
    cluster = SimpleNamespace(partitions_for_topic=lambda topic: {0, 1} if topic in visible else None)
    member = SimpleNamespace(subscription=["in", "also"], user_data=b"")
    monkeypatch.setattr("faust.assignor.partition_assignor.PartitionAssignor.assign", lambda *_: {})

    Assignor(app).assign(cluster, {"m": member})

    assert len(asked) == shared_again
